#include "modules/kvs/kv1/look_ahead.h"

#include <span>

#include "modules/kvs/kv1/frame.h"

namespace kvs::kv1 {
namespace {

// A longer key costs more than it gains.
constexpr std::size_t kLongestKnown = 512;

// The key of a longest-prefix search is seldom stored itself.
bool is_looked_for(const Frame& frame) {
  const bool is_prefix_search = frame.type == kLpm || frame.type == kLpmMeta;
  return !is_prefix_search && !frame.key.empty() && frame.key.size() <= kLongestKnown;
}

}  // namespace

void LookAhead::look(const Store& store, std::string_view bytes) {
  std::array<std::string_view, Store::kMostPrefetched> keys;
  std::size_t count = 0;
  taken_ = 0;
  for (frames_ = 0; frames_ < keys.size(); ++frames_) {
    const auto whole = whole_frame_at(bytes);
    if (!whole) break;
    bytes.remove_prefix(whole->size_bytes);
    const bool is_known = is_looked_for(whole->frame);
    which_[frames_] = is_known ? static_cast<std::uint8_t>(count) : kNone;
    if (is_known) keys[count++] = whole->frame.key;
  }
  if (count > 1) {
    hashes_ = store.prefetch(std::span(keys).first(count));
  } else {
    which_.fill(kNone);
  }
}

std::optional<std::uint64_t> LookAhead::take() {
  if (is_over()) return std::nullopt;
  const std::uint8_t which = which_[taken_++];
  return which == kNone ? std::nullopt : std::optional(hashes_[which]);
}

}  // namespace kvs::kv1
