// DROVER_CHECK(condition): an invariant. When it does not hold the process stops (SIGABRT) with
// file and line; the master starts another. Check freely: a worker that stops is better than one
// that goes on wrong.
#pragma once

namespace drover {
[[noreturn]] void check_failed(const char* condition, const char* file, int line) noexcept;
}

#define DROVER_CHECK(condition) \
  ((condition) ? static_cast<void>(0) : ::drover::check_failed(#condition, __FILE__, __LINE__))
