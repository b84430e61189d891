#include "modules/kvs/kv1/look_ahead.h"

#include <array>
#include <optional>
#include <span>

#include "modules/kvs/kv1/big_endian.h"
#include "modules/kvs/kv1/frame.h"

namespace kvs::kv1 {
namespace {

// A longer key costs more than it gains.
constexpr std::size_t kLongestKnown = 512;

// A frame is taken off `bytes`. None: it is not whole.
std::optional<Frame> take_frame(std::string_view& bytes) {
  if (bytes.size() < kHeadBytes) return std::nullopt;
  const std::size_t key = number_at<std::uint16_t>(bytes.substr(kHeadBytes - 2));
  const std::size_t values_length = kHeadBytes + key;
  const std::size_t value = values_length + kValueLengthBytes;
  if (bytes.size() < value) return std::nullopt;
  const std::size_t size = value + number_at<std::uint32_t>(bytes.substr(values_length));
  if (bytes.size() < size) return std::nullopt;
  const Frame frame{static_cast<std::uint8_t>(bytes[0]), 0, bytes.substr(kHeadBytes, key), {}};
  bytes.remove_prefix(size);
  return frame;
}

// The key of a longest-prefix search is seldom stored itself.
bool is_looked_for(const Frame& frame) {
  const bool is_prefix_search = frame.type == kLpm || frame.type == kLpmMeta;
  return !is_prefix_search && !frame.key.empty() && frame.key.size() <= kLongestKnown;
}

}  // namespace

std::size_t look_ahead(const Store& store, std::string_view bytes) {
  std::array<std::string_view, Store::kMostPrefetched> keys;
  std::size_t frames = 0;
  std::size_t count = 0;
  for (; frames < keys.size(); ++frames) {
    const auto frame = take_frame(bytes);
    if (!frame) break;
    if (is_looked_for(*frame)) keys[count++] = frame->key;
  }
  if (count > 1) store.prefetch(std::span(keys).first(count));
  return frames;
}

}  // namespace kvs::kv1
