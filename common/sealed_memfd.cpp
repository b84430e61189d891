#include "common/sealed_memfd.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace drover {
namespace {

constexpr int kSeals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;

}  // namespace

Result<UniqueFd> make_sealed_memfd(const char* name, std::size_t bytes) {
  UniqueFd fd(memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd.is_open()) return Error::from_errno("memfd_create");
  if (ftruncate(fd.get(), static_cast<off_t>(bytes)) != 0) return Error::from_errno("ftruncate");
  if (fcntl(fd.get(), F_ADD_SEALS, kSeals) != 0) return Error::from_errno("F_ADD_SEALS");
  return fd;
}

bool is_sealed_memfd(int fd, std::size_t bytes) {
  const auto size = size_of_sealed_memfd(fd);
  return size.ok() && size.value() == bytes;
}

Result<std::size_t> size_of_sealed_memfd(int fd) {
  struct stat status {};
  const int seals = fcntl(fd, F_GET_SEALS);
  if (seals < 0 || (seals & kSeals) != kSeals) return Error("it is no sealed memory");
  if (fstat(fd, &status) != 0) return Error::from_errno("fstat");
  return static_cast<std::size_t>(status.st_size);
}

}  // namespace drover
