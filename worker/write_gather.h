// What a module writes to the connection whose hook is running, gathered so that it leaves in one
// system call when the hook returns. Bytes that lie in the worker's read buffer are kept by
// reference (the buffer is not touched before the flush); others are copied, because a module's
// memory is its own again when write() returns.
#pragma once

#include <sys/uio.h>

#include <array>
#include <cstddef>
#include <span>
#include <string_view>

#include "modules/sdk/drover_module.h"

namespace drover {

class WriteGather {
 public:
  static constexpr std::size_t kMaxSlices = 64;

  // `stable` is the read buffer.
  explicit WriteGather(std::string_view stable) : stable_(stable) {}

  // Between begin() and end() writes to this connection are gathered; 0: nobody's.
  void begin(drover_conn owner) { owner_ = owner; }
  void end() { owner_ = 0; }
  [[nodiscard]] bool is_for(drover_conn conn) const { return owner_ == conn; }

  // False when there is no room: the caller sends what has gathered first.
  bool add(std::string_view bytes);
  void clear();
  [[nodiscard]] std::span<const iovec> slices() const { return {slices_.data(), count_}; }
  [[nodiscard]] std::size_t size() const { return size_bytes_; }

 private:
  static constexpr std::size_t kArena = std::size_t{32} * 1024;

  std::string_view stable_;
  drover_conn owner_ = 0;
  std::size_t count_ = 0;
  std::size_t size_bytes_ = 0;
  std::size_t arena_used_ = 0;
  std::array<iovec, kMaxSlices> slices_;
  std::array<char, kArena> arena_;
};

}  // namespace drover
