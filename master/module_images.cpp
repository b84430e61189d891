#include "master/module_images.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "common/fault.h"
#include "master/build_id.h"

namespace drover {
namespace {

constexpr off_t kLargestModule = 256 << 20;

Status copy_bytes(int from, int to) {
  std::vector<char> buffer(1 << 16);
  while (true) {
    const ssize_t count = read(from, buffer.data(), buffer.size());
    if (count < 0) return Error::from_errno("read");
    if (count == 0) return Done{};
    if (write(to, buffer.data(), static_cast<std::size_t>(count)) != count)
      return Error::from_errno("copy to memory");
  }
}

Result<UniqueFd> open_module(const std::string& path) {
  UniqueFd file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file.is_open()) return Error::from_errno(path);
  struct stat status {};
  if (fstat(file.get(), &status) != 0) return Error::from_errno(path);
  if (!S_ISREG(status.st_mode)) return Error(path + ": not a regular file");
  if (status.st_size > kLargestModule) return Error(path + ": larger than 256 MiB");
  return file;
}

}  // namespace

Result<ModuleImage> copy_module(const std::string& load, const std::string& module_dir) {
  const bool is_path = load.find('/') != std::string::npos;
  ModuleImage image;
  image.path = is_path ? load : module_dir + "/" + load + ".so";
  const std::string file_name = image.path.substr(image.path.rfind('/') + 1);
  image.name = file_name.substr(0, file_name.find(".so"));
  if (fault("module_copy")) return Error(image.path + ": fault");
  DROVER_TRY(UniqueFd file, open_module(image.path));
  image.fd = UniqueFd(memfd_create(file_name.c_str(), MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!image.fd.is_open()) return Error::from_errno("memfd_create");
  if (Status copied = copy_bytes(file.get(), image.fd.get()); !copied)
    return std::move(copied).error().in(image.path);
  const int seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
  if (fcntl(image.fd.get(), F_ADD_SEALS, seals) != 0) return Error::from_errno("F_ADD_SEALS");
  image.build_id = build_id_of(image.fd.get());
  return image;
}

Result<std::vector<ModuleImage>> copy_modules(const Settings& settings) {
  std::vector<ModuleImage> images;
  for (const std::string& load : settings.load) {
    Result<ModuleImage> image = copy_module(load, settings.module_dir);
    if (!image) return std::move(image).error().in("load = " + load);
    images.push_back(std::move(image).value());
  }
  return images;
}

}  // namespace drover
