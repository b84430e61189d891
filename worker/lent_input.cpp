#include "worker/lent_input.h"

#include <algorithm>

#include "worker/child_transport.h"
#include "worker/memory_range.h"

namespace drover {
namespace {

// A small part costs as much as one of this size.
std::size_t cost_of(std::string_view bytes) {
  return std::max(bytes.size(), ChildTransport::kLeastLent);
}

}  // namespace

bool LentInput::begin() {
  if (is_begun_) return false;
  is_begun_ = true;
  may_lend_ = ChildTransport::kDeepest * buffer_.size();
  return true;
}

std::optional<LentInput::Part> LentInput::next() {
  if (given_ < parts_.size()) return parts_[given_++];
  parts_.clear();
  given_ = 0;
  is_begun_ = false;
  return std::nullopt;
}

bool LentInput::can_lend(std::string_view bytes) const {
  return is_begun_ && !bytes.empty() && cost_of(bytes) <= may_lend_ && lies_in(buffer_, bytes);
}

void LentInput::lend(drover_conn child, std::string_view bytes) {
  may_lend_ -= cost_of(bytes);
  parts_.push_back({child, bytes});
}

}  // namespace drover
