// What a directive's text is as a number, as Drover reads it. Private to the kit, which is
// installed without Drover's own parsers.
#pragma once

#include <cstdint>
#include <string>

#include "../drover_module.h"

namespace drover::testkit {

// 0 of a type that has none. Throws std::logic_error with the directive's name.
[[nodiscard]] std::int64_t number_of(const drover_directive& row, const std::string& text);

}  // namespace drover::testkit
