// A counter in the zone "counter" that all workers share, one command a line:
//   add      counts, answers the new value, and has it announced to all who watch
//   quietly  the same, and tells nobody
//   get      answers the value
//   watch    answers the value, and "=VALUE" whenever it is announced
//   who      answers "SLOT/SLOTS"
//   ends     answers how many workers that had the zone ended badly
//   take MS, keep MS, give    lease 1, for tests: answers 1 or 0
//   garbage  writes over all of the zone that it can reach, Drover's header too
// Announcing is the work of one worker, the holder of lease 0: who counts either has it, or rings
// the one who has. With `counter.file` a helper keeps the value in that file (Helper).
// COUNTER_NAME and COUNTER_LAYOUT make modules that may not share the zone.
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <set>
#include <stdexcept>

#include "modules/sdk/module.hpp"
#include "tests/modules/counter/whole_file.h"
#include "tests/modules/lines.hpp"

#ifndef COUNTER_NAME
#define COUNTER_NAME "counter"
#define COUNTER_LAYOUT 1
#endif

namespace {

constexpr std::uint32_t kAnnouncing = 0;
constexpr std::uint32_t kPlain = 1;
constexpr std::uint32_t kWriting = 2;
constexpr std::chrono::milliseconds kTenure{500};

struct Shared {
  std::atomic<std::uint64_t> value{0};
  std::atomic<std::uint64_t> announced{0};
  std::atomic<std::uint32_t> announcer{0};  // slot of the holder of the lease
};

// Keeps the value in the file: when it is rung, every 100 ms for what another generation counted,
// and when it ends. One helper of all generations writes, the one that holds the lease.
class Writer {
 public:
  Writer(drover::Host host, drover::Config config)
      : host_(host),
        zone_(host.zone<Shared>("counter", COUNTER_LAYOUT)),
        file_(config.text("file")) {
    if (!file_.may_be_written()) throw std::runtime_error("cannot write to the folder of file");
    host_.start_timer(kEvery);
  }
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;
  // The one before may have been killed, and hold the lease for its time.
  ~Writer() {
    for (int i = 0; i < 75 && !write(); ++i) wait_a_moment();
  }
  void on_doorbell() { write(); }
  void on_timer(std::uint64_t /*tag*/) {
    write();
    host_.start_timer(kEvery);
  }

 private:
  static constexpr std::chrono::milliseconds kEvery{100};
  static constexpr std::chrono::milliseconds kTerm{1'000};

  // False when another has the lease. The file is asked each time what is in it: one that was
  // stopped while it wrote may wake up later and put an older value in its place.
  bool write() {
    if (!zone_.take(kWriting, kTerm)) return false;
    const std::string text = std::to_string(zone_->value) + "\n";
    if (file_.text() != text) file_.replace(text);
    return true;
  }

  drover::Host host_;
  drover::Zone<Shared> zone_;
  WholeFile file_;
};

class Counter {
 public:
  static constexpr drover::Directive kDirectives[] = {{.name = "file",
                                                       .type = DROVER_PATH,
                                                       .default_text = "",
                                                       .help = "keep the value in this file"}};
  using Helper = Writer;
  static void validate(drover::Host host, drover::Config config) {
    if (!config.text("file").empty()) host.want_helper("writer");
  }

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
    if (line == "quietly") return answer(conn, std::to_string(++zone_->value));
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
    host_.ring_helper("writer");
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
