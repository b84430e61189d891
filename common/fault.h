// The fault switch of test builds. DROVER_FAULT=fork:2,enfile:3,ready:timeout makes named error
// branches happen; DROVER_PAUSE=acceptor.accepted:3 stops a process (SIGSTOP to itself) the third
// time it passes a named line. "@path" instead of rules is a file of them: a test writes it while
// the daemon runs, and a changed text starts the counts anew. The daemon that ships links
// fault_none.cpp, in which all this does nothing.
#pragma once

#include <string_view>

namespace drover {

// True when the point is to fail now: "name:N" fails N times in this process, "name:M+N" after M
// times that do not fail, "name" always.
[[nodiscard]] bool fault(std::string_view point) noexcept;

// The word after the colon for a point that has one ("ready:timeout" -> "timeout"), else empty.
[[nodiscard]] std::string_view fault_mode(std::string_view point) noexcept;

// Stops the calling process here when DROVER_PAUSE names the point, until somebody sends SIGCONT.
void pause_point(std::string_view point) noexcept;

}  // namespace drover
