// Requests that came together are looked through before they are served one by one, so that what
// they will need from memory comes for all of them at once: a request is a wait or two for memory,
// and little else.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "modules/kvs/store/store.h"

namespace kvs::kv1 {

class LookAhead {
 public:
  // `bytes` begin with a frame. It stops where a frame has not come to its end, and judges none.
  void look(const Store& store, std::string_view bytes);
  // Whether all frames that were looked at have been taken.
  [[nodiscard]] bool is_over() const { return taken_ == frames_; }
  // The next frame is taken: the hash of its key, if it has been made.
  [[nodiscard]] std::optional<std::uint64_t> take();

 private:
  static constexpr std::uint8_t kNone = 0xFF;

  Store::Hashes hashes_;
  std::array<std::uint8_t, Store::kMostPrefetched> which_;  // of the hashes, by frame
  std::size_t frames_ = 0;
  std::size_t taken_ = 0;
};

}  // namespace kvs::kv1
