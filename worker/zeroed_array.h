// An array with a place for every connection that a worker may ever have: zeroes, on pages that are
// not there until they are touched, for calloc(3) takes large blocks from the kernel as they come.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <memory>
#include <type_traits>

#include "common/check.h"

namespace drover {

struct FreeMemory {
  void operator()(void* memory) const { std::free(memory); }
};

template <class T>
using ZeroedArray = std::unique_ptr<T[], FreeMemory>;

template <class T>
[[nodiscard]] ZeroedArray<T> make_zeroed_array(std::size_t count) {
  static_assert(std::is_trivial_v<T>);
  // NOLINTNEXTLINE(bugprone-sizeof-expression): one array is of pointers
  ZeroedArray<T> array(static_cast<T*>(std::calloc(count, sizeof(T))));
  DROVER_CHECK(array != nullptr);
  return array;
}

}  // namespace drover
