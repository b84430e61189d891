#include "worker/lent_input.h"

#include <utility>

#include "worker/memory_range.h"

namespace drover {

bool LentInput::begin() { return !std::exchange(is_begun_, true); }

const LentInput::Part* LentInput::next() {
  if (given_ == parts_.size()) {
    parts_.clear();
    given_ = 0;
    is_begun_ = false;
    return nullptr;
  }
  part_ = parts_[given_++];
  return &part_;
}

bool LentInput::can_lend(std::string_view bytes) const {
  return is_begun_ && !bytes.empty() && lies_in(buffer_, bytes);
}

}  // namespace drover
