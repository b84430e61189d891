// The configuration reader and everything behind it, on any bytes. What is accepted must be printed
// in a form that is accepted again and means the same.
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/check.h"
#include "common/config.h"
#include "common/config_file.h"

namespace {

// A file that exists in memory only.
class MemoryFile {
 public:
  explicit MemoryFile(std::string_view content) : fd_(memfd_create("config", MFD_CLOEXEC)) {
    DROVER_CHECK(fd_ >= 0);
    DROVER_CHECK(write(fd_, content.data(), content.size()) ==
                 static_cast<ssize_t>(content.size()));
  }
  ~MemoryFile() { close(fd_); }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;
  [[nodiscard]] std::string path() const { return "/proc/self/fd/" + std::to_string(fd_); }

 private:
  int fd_;
};

drover::ConfigResult load(std::string_view content) {
  const MemoryFile file(content);
  return drover::load_config({file.path(), "/", {}});
}

bool fits_its_lines(const std::string& text) {
  std::size_t start = 0;
  for (std::size_t end = 0; (end = text.find('\n', start)) != std::string::npos; start = end + 1) {
    if (end - start > drover::kLongestConfigLine) return false;
  }
  return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view content(reinterpret_cast<const char*>(data), size);
  // An include could read any file of the machine, which is not what is tested here.
  if (size > 65'536 || content.find("include") != std::string_view::npos) return 0;

  const MemoryFile file(content);
  (void)drover::scan_control_paths({file.path(), "/", {}});
  const drover::ConfigResult result = load(content);
  if (!result.ok()) return 0;
  const std::string dump = drover::dump_settings(result.settings);
  if (!fits_its_lines(dump)) return 0;
  const drover::ConfigResult again = load(dump);
  DROVER_CHECK(again.ok());
  DROVER_CHECK(drover::dump_settings(again.settings) == dump);
  return 0;
}
