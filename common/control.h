// The control socket, as all its ends know it: a unix stream on which one command line comes in and
// an answer goes out, "0" or "1" (the exit status) and a newline, then text up to the end of the
// stream. Only root and the daemon's own user are answered.
#pragma once

#include <sys/socket.h>

#include <cstddef>
#include <string_view>

namespace drover {

inline constexpr std::size_t kMaxControlLine = 4096;

// A new master asks for the heritage. A living master says who it is; an orphan answers "0" with
// one descriptor beside it, a Channel's end on which the heritage comes.
inline constexpr std::string_view kAdoptCommand = "adopt";

// Of accept(2)'s errors: nobody waits any more, and nothing is wrong.
[[nodiscard]] bool is_nobody_there(int error);

// Of a connected unix socket (unix(7), SO_PEERCRED); of one that was connected to, who listened.
[[nodiscard]] ucred peer_of(int fd);
[[nodiscard]] bool may_control(const ucred& peer);

}  // namespace drover
