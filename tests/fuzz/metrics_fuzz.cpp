// What a validator says that a module counts: any bytes are refused with a reason, or give names
// that can be printed, and are read the same again.
#include <cstddef>
#include <cstdint>

#include "common/check.h"
#include "common/metrics.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto report = drover::decode_metrics({reinterpret_cast<const char*>(data), size});
  if (!report.ok()) {
    DROVER_CHECK(!report.error().message().empty());
    return 0;
  }
  DROVER_CHECK(drover::check_metrics(report.value().metrics).ok());
  const auto again = drover::decode_metrics(drover::encode_metrics(report.value()));
  DROVER_CHECK(again.ok() && again.value().module == report.value().module);
  DROVER_CHECK(again.value().metrics == report.value().metrics);
  return 0;
}
