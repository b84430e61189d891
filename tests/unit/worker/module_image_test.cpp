// What is refused as a module, and with which words.
#include "worker/module_image.h"

#include <dlfcn.h>
#include <event2/event.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstring>

#include "common/unique_fd.h"

namespace drover {
namespace {

using testing::HasSubstr;

ModuleTable good_table() {
  ModuleTable table{};
  table.size = sizeof table;
  table.abi = DROVER_ABI;
  table.name = "good";
  table.version = "1";
  return table;
}

struct BadTable {
  const char* name;
  void (*spoil)(ModuleTable&);
  const char* error;
};
class BadTableTest : public testing::TestWithParam<BadTable> {};

TEST_P(BadTableTest, IsRefusedWithTheReason) {
  ModuleTable table = good_table();
  GetParam().spoil(table);

  const auto checked = check_module_table(table);

  ASSERT_FALSE(checked.ok());
  EXPECT_THAT(checked.error().message(), HasSubstr(GetParam().error));
}

INSTANTIATE_TEST_SUITE_P(
    Table, BadTableTest,
    testing::Values(
        BadTable{"abi", [](ModuleTable& table) { table.abi = 99; },
                 "built for ABI 99, this drover has ABI 1"},
        BadTable{"short", [](ModuleTable& table) { table.size = 8; }, "says it has 8 bytes"},
        BadTable{"huge", [](ModuleTable& table) { table.size = 1U << 20; },
                 "says it has 1048576 bytes"},
        BadTable{"sizeless", [](ModuleTable& table) { table.size = 0; }, "says it has 0 bytes"},
        BadTable{"without_worker_init",
                 [](ModuleTable& table) { table.size = offsetof(ModuleTable, worker_init); },
                 "says it has 40 bytes"},
        BadTable{"cut_in_a_field",
                 [](ModuleTable& table) { table.size = offsetof(ModuleTable, on_close) + 4; },
                 "bytes, expected"},
        BadTable{"abi_of_the_past", [](ModuleTable& table) { table.abi = 0; },
                 "built for ABI 0, this drover has ABI 1"},
        BadTable{"empty_name", [](ModuleTable& table) { table.name = ""; },
                 "its name is missing or not"},
        BadTable{"freezing_only",
                 [](ModuleTable& table) {
                   table.freeze = [](void*, drover_conn, void*, void*, std::size_t) {
                     return std::int64_t{0};
                   };
                 },
                 "has only one of freeze and thaw"},
        BadTable{"nameless", [](ModuleTable& table) { table.name = nullptr; },
                 "its name is missing"},
        BadTable{"odd_name", [](ModuleTable& table) { table.name = "a b"; },
                 "its name is missing or not"},
        BadTable{"state", [](ModuleTable& table) { table.conn_state_size = 1U << 30; },
                 "of state a connection"}),
    [](const auto& row) { return row.param.name; });

TEST(ModuleTable, OfAnOlderSdkHasNullForWhatItLacks) {
  ModuleTable table = good_table();
  table.on_close = [](void*, drover_conn, void*, drover_close_reason) {};
  table.size = offsetof(ModuleTable, on_close);

  const auto checked = check_module_table(table);

  ASSERT_TRUE(checked.ok());
  EXPECT_EQ(checked.value().on_close, nullptr);
}

// What a later SDK adds is not ours to look at, whatever it is.
TEST(ModuleTable, OfANewerSdkIsReadAsFarAsItIsKnown) {
  struct Newer {
    ModuleTable table = good_table();
    std::uint64_t later[8] = {};
  };
  for (const std::uint64_t word : {std::uint64_t{0}, ~std::uint64_t{0}}) {
    Newer newer;
    newer.table.size = sizeof newer;
    newer.table.on_doorbell = [](void*) {};
    std::ranges::fill(newer.later, word);

    const auto checked = check_module_table(newer.table);

    ASSERT_TRUE(checked.ok()) << checked.error().message();
    EXPECT_NE(checked.value().on_doorbell, nullptr);
  }
}

TEST(ModuleTable, WithoutAnyHookIsAModule) { EXPECT_TRUE(check_module_table(good_table()).ok()); }

TEST(ModuleTable, OfEverySizeThatEverWasHasNullForWhatItLacks) {
  for (std::size_t size = offsetof(ModuleTable, worker_exit); size <= sizeof(ModuleTable);
       size += sizeof(void*)) {
    if (size == offsetof(ModuleTable, thaw)) continue;  // came together with freeze
    ModuleTable table;
    std::memset(static_cast<void*>(&table), 0x5a, sizeof table);
    const ModuleTable good = good_table();
    std::memcpy(static_cast<void*>(&table), &good, offsetof(ModuleTable, worker_exit));
    table.size = size;

    const auto checked = check_module_table(table);

    ASSERT_TRUE(checked.ok()) << size << ": " << checked.error().message();
    const auto* bytes = reinterpret_cast<const unsigned char*>(&checked.value());
    EXPECT_TRUE(std::all_of(bytes + size, bytes + sizeof table, [](auto b) { return b == 0; }))
        << size;
  }
}

TEST(ModuleTable, OfTheFirstSdkHasNoDirectives) {
  ModuleTable table = good_table();
  table.directive_count = 1;
  table.validate = [](const drover_host*, drover_context*) { return 1; };
  table.size = offsetof(ModuleTable, directives);

  const auto checked = check_module_table(table);

  ASSERT_TRUE(checked.ok());
  EXPECT_EQ(checked.value().validate, nullptr);
  EXPECT_TRUE(read_directive_table(checked.value()).value().rows.empty());
}

TEST(ModuleTable, OfTheFirstSdkHasNoDoorbell) {
  ModuleTable table = good_table();
  table.on_doorbell = [](void*) {};
  table.size = offsetof(ModuleTable, on_doorbell);

  EXPECT_EQ(check_module_table(table).value().on_doorbell, nullptr);
}

TEST(ModuleImage, SaysWhichFileIsNoSharedObject) {
  const UniqueFd file(memfd_create("text", MFD_CLOEXEC));
  ASSERT_EQ(write(file.get(), "hello", 5), 5);

  const auto loaded = load_module({"web", "/usr/lib/web.so", "", file.get()});

  ASSERT_FALSE(loaded.ok());
  EXPECT_THAT(loaded.error().message(), HasSubstr("module web (/usr/lib/web.so): "));
}

TEST(ModuleImage, SaysWhichObjectExportsNoModule) {
  Dl_info library_info{};  // a shared object that is certainly here
  ASSERT_NE(dladdr(reinterpret_cast<void*>(&event_base_new), &library_info), 0);
  const UniqueFd library(open(library_info.dli_fname, O_RDONLY));

  const auto loaded = load_module({"event", "libevent.so", "", library.get()});

  ASSERT_FALSE(loaded.ok());
  EXPECT_THAT(loaded.error().message(),
              HasSubstr("module event (libevent.so): exports no drover_module"));
}

TEST(ModuleImage, DescribesItselfInOneLine) {
  const std::string path = DROVER_BUILD_DIR "/modules/echo.so";
  // A number that no test before had: libevent, which is never unloaded, may bear the name of
  // theirs.
  const UniqueFd file(fcntl(UniqueFd(open(path.c_str(), O_RDONLY)).get(), F_DUPFD, 200));

  const auto line = describe_module({"echo", path, "ab12", file.get()});

  ASSERT_TRUE(line.ok()) << line.error().message();
  EXPECT_EQ(line.value(), "echo 1.0 abi=1 build-id=ab12 file=" + path + "\n");
}

}  // namespace
}  // namespace drover
