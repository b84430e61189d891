// What a carrier gives its streams out of the worker's read buffer while its on_data runs. It is
// not copied: the streams are offered it where it lies as soon as the hook has returned, before
// anything else is read into the buffer.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

#include "modules/sdk/drover_module.h"

namespace drover {

class LentInput {
 public:
  struct Part {
    drover_conn child;
    std::string_view bytes;
  };

  // `buffer` is the read buffer.
  explicit LentInput(std::string_view buffer) : buffer_(buffer) {}

  // An on_data is about to run with bytes of the buffer. False inside of another: what is lent is
  // given out when the outer one is over.
  [[nodiscard]] bool begin();
  // Until next() has said that it was all, the buffer is not to be overwritten.
  [[nodiscard]] bool is_begun() const { return is_begun_; }
  // The next to be given out, in the order in which they were lent, if that was not all. Those whom
  // it is given to may lend of it again.
  [[nodiscard]] std::optional<Part> next();

  // Whether bytes can be lent now: they lie in the buffer, and will until they are given out. Only
  // so much in all as a carrier and the carriers among its streams would lend: modules that give
  // each other what they are given would not end.
  [[nodiscard]] bool can_lend(std::string_view bytes) const;
  void lend(drover_conn child, std::string_view bytes);

 private:
  std::string_view buffer_;
  std::vector<Part> parts_;
  std::size_t given_ = 0;  // of parts_
  std::size_t may_lend_ = 0;
  bool is_begun_ = false;
};

}  // namespace drover
