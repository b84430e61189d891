// Memory that processes share and whose size nobody changes any more, so that no page of it can
// vanish under its reader (memfd_create(2); F_ADD_SEALS in fcntl(2)). What lies in it may be
// written.
#pragma once

#include <cstddef>

#include "common/result.h"
#include "common/unique_fd.h"

namespace drover {

// Zeroes, with close-on-exec. `name` is for /proc/PID/fd.
[[nodiscard]] Result<UniqueFd> make_sealed_memfd(const char* name, std::size_t bytes);

// Whether the descriptor, which may come from anybody, is such memory of that very size.
[[nodiscard]] bool is_sealed_memfd(int fd, std::size_t bytes);
// Its size in bytes; an error: nothing keeps it from shrinking.
[[nodiscard]] Result<std::size_t> size_of_sealed_memfd(int fd);

}  // namespace drover
