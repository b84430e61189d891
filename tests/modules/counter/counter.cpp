// A counter in the zone "counter" that all workers share, one command a line:
//   add      counts, answers the new value, and has it announced to all who watch
//   get      answers the value
//   watch    answers the value, and "=VALUE" whenever it is announced
//   who      answers "SLOT/SLOTS"
//   ends     answers how many workers that had the zone ended badly
//   take MS, keep MS, give    lease 1, for tests: answers 1 or 0
//   garbage  writes over all of the zone that it can reach, Drover's header too
// Announcing is the work of one worker, the holder of lease 0: who counts either has it, or rings
// the one who has. COUNTER_NAME and COUNTER_LAYOUT make modules that may not share the zone.
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <set>

#include "modules/sdk/module.hpp"
#include "tests/modules/lines.hpp"

#ifndef COUNTER_NAME
#define COUNTER_NAME "counter"
#define COUNTER_LAYOUT 1
#endif

namespace {

constexpr std::uint32_t kAnnouncing = 0;
constexpr std::uint32_t kPlain = 1;
constexpr std::chrono::milliseconds kTenure{500};

struct Shared {
  std::atomic<std::uint64_t> value{0};
  std::atomic<std::uint64_t> announced{0};
  std::atomic<std::uint32_t> announcer{0};  // slot of the holder of the lease
};

class Counter {
 public:
  explicit Counter(drover::Host host)
      : host_(host), zone_(host.zone<Shared>("counter", COUNTER_LAYOUT)) {}

  std::size_t on_data(drover_conn conn, std::string_view bytes) {
    return for_each_line(bytes, [&](std::string_view line) { obey(conn, line); });
  }
  void on_doorbell() {
    if (zone_->value != zone_->announced) announce();
    const std::uint64_t value = zone_->announced;
    if (value == pushed_) return;
    pushed_ = value;
    for (const drover_conn conn : watching_) answer(conn, "=" + std::to_string(value));
  }
  void on_close(drover_conn conn, drover_close_reason /*reason*/) { watching_.erase(conn); }

 private:
  void obey(drover_conn conn, std::string_view line) {
    if (line == "add") return add(conn);
    if (line == "get") return answer(conn, std::to_string(zone_->value));
    if (line == "watch") return watch(conn);
    if (line == "who") {
      return answer(conn, std::to_string(host_.slot()) + "/" + std::to_string(host_.slots()));
    }
    if (line == "ends") return answer(conn, std::to_string(zone_.unclean_ends()));
    if (line.starts_with("take "))
      return answer(conn, zone_.take(kPlain, length(line)) ? "1" : "0");
    if (line.starts_with("keep "))
      return answer(conn, zone_.keep(kPlain, length(line)) ? "1" : "0");
    if (line == "give") {
      zone_.give_back(kPlain);
      return answer(conn, "1");
    }
    if (line == "garbage") return spoil(conn);
    answer(conn, "?");
  }
  static std::chrono::milliseconds length(std::string_view line) {
    return std::chrono::milliseconds(std::atoi(std::string(line.substr(5)).c_str()));
  }
  void answer(drover_conn conn, const std::string& text) { host_.write(conn, text + "\n"); }

  void add(drover_conn conn) {
    answer(conn, std::to_string(++zone_->value));
    announce();
  }
  void watch(drover_conn conn) {
    watching_.insert(conn);
    answer(conn, std::to_string(zone_->value));
  }
  // The value is counted before the announcer is asked, so that it is announced by somebody.
  void announce() {
    if (!zone_.take(kAnnouncing, kTenure)) return host_.ring(zone_->announcer);
    zone_->announcer = host_.slot();
    zone_->announced = zone_->value.load();
    for (std::uint32_t slot = 0; slot < host_.slots(); ++slot) host_.ring(slot);
  }
  void spoil(drover_conn conn) {
    auto* memory = reinterpret_cast<char*>(&*zone_);
    std::memset(memory - 4096, 0xa5, 4096);  // Drover's header lies in front
    answer(conn, "1");
  }

  drover::Host host_;
  drover::Zone<Shared> zone_;
  std::set<drover_conn> watching_;
  std::uint64_t pushed_ = 0;
};

}  // namespace

DROVER_MODULE(Counter, COUNTER_NAME, "1.0");
