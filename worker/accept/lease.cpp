#include "worker/accept/lease.h"

namespace drover {
namespace {

constexpr int kDeadlineBits = 48;
constexpr std::uint64_t kDeadlineMask = (std::uint64_t{1} << kDeadlineBits) - 1;

}  // namespace

Lease Lease::unpack(std::uint64_t word) {
  return {static_cast<int>(word >> kDeadlineBits) - 1,
          Millis{static_cast<std::int64_t>(word & kDeadlineMask)}};
}

std::uint64_t Lease::pack() const {
  return static_cast<std::uint64_t>(holder + 1) << kDeadlineBits |
         (static_cast<std::uint64_t>(deadline.count()) & kDeadlineMask);
}

void Tenure::count(int accepts, Millis now) {
  if (accepts_ == 0) first_ = now;
  accepts_ += accepts;
}

bool Tenure::is_over(Millis now) const {
  return accepts_ >= kTenureAccepts || (accepts_ > 0 && now - first_ >= kTenureLength);
}

}  // namespace drover
