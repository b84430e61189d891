// Answers each line with FRAGILE_VERSION and how many lines there have been, counted in the zone
// "fragile"; but v2 dies of "break". Two shared objects of one name: the release before and the one
// that should not have been.
#include <atomic>
#include <string>

#include "modules/sdk/module.hpp"
#include "tests/modules/crash.hpp"
#include "tests/modules/lines.hpp"

namespace {

constexpr std::string_view kVersion = FRAGILE_VERSION;

struct Shared {
  std::atomic<std::uint64_t> lines{0};
};

class Fragile {
 public:
  explicit Fragile(drover::Host host) : host_(host), zone_(host.zone<Shared>("fragile", 1)) {}

  std::size_t on_data(drover_conn conn, std::string_view bytes) {
    return for_each_line(bytes, [&](std::string_view line) {
      if (line == "break" && kVersion == "v2") crash();
      const std::uint64_t lines = ++zone_->lines;
      host_.write(conn, std::string(kVersion) + " " + std::to_string(lines) + "\n");
    });
  }

 private:
  drover::Host host_;
  drover::Zone<Shared> zone_;
};

}  // namespace

DROVER_MODULE(Fragile, "fragile", FRAGILE_VERSION);
