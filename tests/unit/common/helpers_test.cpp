// The list of helpers: what a module may ask for, and what a validator may say.
#include "common/helpers.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <ostream>

namespace drover {
namespace {

TEST(HelperList, KeepsServerAndNameInTheirOrder) {
  HelperList list(2);

  EXPECT_TRUE(list.add(1, "writer").ok());
  EXPECT_TRUE(list.add(0, "writer").ok());
  EXPECT_TRUE(list.add(1, "re_plica-2").ok());

  ASSERT_EQ(list.all().size(), 3U);
  EXPECT_EQ(list.all()[0].server, 1U);
  EXPECT_EQ(list.all()[1].server, 0U);
  EXPECT_EQ(list.all()[2].name, "re_plica-2");
}

TEST(HelperList, RefusesTheSameTwiceInAServer) {
  HelperList list(1);
  ASSERT_TRUE(list.add(0, "writer").ok());

  const Status again = list.add(0, "writer");

  ASSERT_FALSE(again.ok());
  EXPECT_EQ(again.error().message(), "helper writer: asked for twice");
}

TEST(HelperList, RefusesMoreThanAServerMayHave) {
  HelperList list(2);
  for (const char* name : {"a", "b", "c", "d"}) ASSERT_TRUE(list.add(0, name).ok());

  const Status fifth = list.add(0, "e");

  ASSERT_FALSE(fifth.ok());
  EXPECT_EQ(fifth.error().message(), "helper e: a server has at most 4");
  EXPECT_TRUE(list.add(1, "e").ok());
}

TEST(HelperList, CarriesTheLongestNameInAMessage) {
  const std::string longest(kMaxHelperName, 'x');
  HelperList list(8);

  ASSERT_TRUE(list.add(want_helper_body({7, longest})).ok());

  EXPECT_EQ(list.all()[0].server, 7U);
  EXPECT_EQ(list.all()[0].name, longest);
}

struct Hostile {
  const char* name;
  std::uint32_t server;
  std::string bytes;
  const char* reason;
};
void PrintTo(const Hostile& row, std::ostream* out) { *out << row.name; }
class HostileValidator : public ::testing::TestWithParam<Hostile> {};

TEST_P(HostileValidator, IsRefused) {
  WantHelperBody body{GetParam().server, {}};
  std::memcpy(body.name, GetParam().bytes.data(),
              std::min(GetParam().bytes.size(), sizeof body.name));
  HelperList list(2);

  const Status added = list.add(body);

  ASSERT_FALSE(added.ok());
  EXPECT_EQ(added.error().message(), GetParam().reason);
  EXPECT_TRUE(list.all().empty());
}

constexpr const char* kNoName = "a helper's name is 1 to 31 of a-z, 0-9, - and _";

INSTANTIATE_TEST_SUITE_P(
    Rows, HostileValidator,
    ::testing::Values(Hostile{"server", 2, "x", "a helper of a server that does not exist"},
                      Hostile{"far_server", ~0U, "x", "a helper of a server that does not exist"},
                      Hostile{"empty", 0, "", kNoName},
                      Hostile{"without_nul", 0, std::string(32, 'x'), kNoName},
                      Hostile{"slash", 0, "../x", kNoName}, Hostile{"newline", 0, "x\n", kNoName},
                      Hostile{"upper_case", 0, "Writer", kNoName}),
    [](const auto& row) { return row.param.name; });

}  // namespace
}  // namespace drover
