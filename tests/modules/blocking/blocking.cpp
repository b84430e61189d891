// Breaks the rule that a module never blocks: "block 2000\n" stops the loop for two seconds, then
// is echoed like anything else.
#include <time.h>

#include <cstdlib>
#include <string>

#include "modules/sdk/module.hpp"

namespace {

constexpr std::string_view kCommand = "block ";

void block_for(long milliseconds) {
  timespec left{milliseconds / 1000, milliseconds % 1000 * 1'000'000};
  while (nanosleep(&left, &left) != 0) {
  }
}

class Blocking {
 public:
  explicit Blocking(drover::Host host) : host_(host) {}

  std::size_t on_data(drover_conn conn, std::string_view bytes) {
    const std::size_t line = bytes.find('\n');
    if (bytes.starts_with(kCommand)) {
      if (line == std::string_view::npos) return 0;
      block_for(
          std::atol(std::string(bytes.substr(kCommand.size(), line - kCommand.size())).c_str()));
    }
    host_.write(conn, bytes);
    return bytes.size();
  }

 private:
  drover::Host host_;
};

}  // namespace

DROVER_MODULE(Blocking, "blocking", "1.0");
