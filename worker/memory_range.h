// Whether bytes are a part of other bytes' memory.
#pragma once

#include <functional>
#include <string_view>

namespace drover {

[[nodiscard]] inline bool lies_in(std::string_view memory, std::string_view bytes) {
  const std::less_equal<> before;  // a total order also over unrelated pointers
  return before(memory.data(), bytes.data()) &&
         before(bytes.data() + bytes.size(), memory.data() + memory.size());
}

}  // namespace drover
