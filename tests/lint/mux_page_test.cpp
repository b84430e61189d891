// The tables of the stream module are the truth: man/drover-mux.7 describes every directive with
// its default and every number that is counted, and no other directive.
#include <gtest/gtest.h>

#include "modules/mux/config.h"
#include "modules/mux/metrics.h"
#include "tests/lint/module_page.h"

namespace mux {
namespace {

const std::string kPage = DROVER_SOURCE_DIR "/man/drover-mux.7";

TEST(MuxPage, DescribesEveryDirectiveWithItsDefaultAndNoOther) {
  drover::test::expect_directives(kPage, "mux.", kDirectives);
}

TEST(MuxPage, NamesEveryNumberThatIsCounted) { drover::test::expect_metrics(kPage, kMetrics); }

}  // namespace
}  // namespace mux
