// The build id by which a module's copy is told from another build of it: the NT_GNU_BUILD_ID note
// of a 64-bit ELF file (elf(5)). The file is whatever somebody configured as a module, so nothing
// in it is believed.
#pragma once

#include <string>
#include <string_view>

namespace drover {

// As hex; empty when there is none or the file is not well-formed.
[[nodiscard]] std::string build_id_in(std::string_view image);
// The same of an open file, which must not shrink meanwhile.
[[nodiscard]] std::string build_id_of(int fd);

}  // namespace drover
