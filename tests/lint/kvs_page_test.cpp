// The tables of the key-value module are the truth: man/drover-kvs.7 describes every directive with
// its default, every request with its code, every status and every number that is counted, and no
// other.
#include <gtest/gtest.h>

#include <set>

#include "modules/kvs/config.h"
#include "modules/kvs/kv1/requests.h"
#include "modules/kvs/metrics.h"
#include "tests/lint/module_page.h"

namespace kvs {
namespace {

const std::string kPage = DROVER_SOURCE_DIR "/man/drover-kvs.7";

using drover::test::items_marked;

std::string hex(unsigned code) {
  char text[3];
  std::snprintf(text, sizeof text, "%02X", code);
  return text;
}

TEST(KvsPage, DescribesEveryDirectiveWithItsDefaultAndNoOther) {
  drover::test::expect_directives(kPage, "kvs.", kDirectives);
}

TEST(KvsPage, DescribesEveryRequestWithItsCodeAndNoOther) {
  std::set<std::string> described;
  for (const auto& [line, text] : items_marked(kPage, ".It Cm ")) {
    const std::size_t code = line.find(" No ");
    if (code != std::string::npos) described.insert(line.substr(0, code) + line.substr(code + 3));
  }
  std::set<std::string> served;
  for (unsigned type = 0; type < 0x80; ++type) {
    const kv1::Row* row = kv1::row_of(static_cast<std::uint8_t>(type));
    if (row != nullptr) served.insert(std::string(row->name) + " " + hex(type));
  }
  EXPECT_EQ(described, served);
  EXPECT_GT(served.size(), 20U);
}

TEST(KvsPage, NamesEveryNumberThatIsCounted) { drover::test::expect_metrics(kPage, kMetrics); }

}  // namespace
}  // namespace kvs
