#include "worker/stream_lists.h"

namespace drover {

void StreamLists::add(std::uint32_t parent, std::uint32_t stream) {
  const std::uint32_t older = links_[parent].last;
  links_[stream].older = older;
  links_[stream].newer = 0;
  if (older != 0) links_[older - 1].newer = stream + 1;
  links_[parent].last = stream + 1;
  ++size_;
}

void StreamLists::remove(std::uint32_t parent, std::uint32_t stream) {
  const auto [last, older, newer] = links_[stream];
  if (older != 0) links_[older - 1].newer = newer;
  (newer != 0 ? links_[newer - 1].older : links_[parent].last) = older;
  --size_;
}

}  // namespace drover
