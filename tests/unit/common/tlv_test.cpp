#include "common/tlv.h"

#include <gtest/gtest.h>

namespace drover {
namespace {

TEST(Tlv, ReadsWhatItWrote) {
  TlvWriter out;
  out.put(1, "text");
  out.put_number(2, 77);
  out.put(3, "");

  const auto records = parse_tlv(out.bytes());

  ASSERT_TRUE(records.ok());
  ASSERT_EQ(records.value().size(), 3U);
  EXPECT_EQ(records.value()[0].value, "text");
  EXPECT_EQ(records.value()[1].number().value(), 77U);
  EXPECT_EQ(records.value()[2].type, 3);
  EXPECT_EQ(records.value()[2].value, "");
}

TEST(Tlv, RefusesWhatIsCutOffAtAnyByte) {
  TlvWriter out;
  out.put(1, "text");
  for (std::size_t size = 1; size < out.bytes().size(); ++size)
    EXPECT_FALSE(parse_tlv(std::string_view(out.bytes()).substr(0, size)).ok()) << size;
}

TEST(Tlv, RefusesANumberOfAnotherLength) {
  const TlvRecord record{7, "123"};
  EXPECT_EQ(record.number().error().message(), "record 7 has 3 bytes, not a number's");
}

}  // namespace
}  // namespace drover
