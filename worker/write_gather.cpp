#include "worker/write_gather.h"

#include <cstring>

#include "worker/memory_range.h"

namespace drover {

bool WriteGather::add(std::string_view bytes) {
  const char* data = bytes.data();
  if (!lies_in(stable_, bytes)) {
    if (bytes.size() > kArena - arena_used_) return false;
    char* copy = arena_.data() + arena_used_;
    std::memcpy(copy, bytes.data(), bytes.size());
    data = copy;
  }
  const iovec* last = count_ == 0 ? nullptr : &slices_[count_ - 1];
  const bool joins = last != nullptr && static_cast<char*>(last->iov_base) + last->iov_len == data;
  if (!joins && count_ == kMaxSlices) return false;
  if (joins) {
    slices_[count_ - 1].iov_len += bytes.size();
  } else {
    slices_[count_++] = {const_cast<char*>(data), bytes.size()};  // iovec is for reading too
  }
  if (data != bytes.data()) arena_used_ += bytes.size();
  size_bytes_ += bytes.size();
  return true;
}

void WriteGather::clear() {
  count_ = 0;
  size_bytes_ = 0;
  arena_used_ = 0;
}

}  // namespace drover
