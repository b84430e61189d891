// Timers and ends of batches: "after MS\n" is answered by "rang\n" when that time has passed,
// "cancel\n" takes it back, "every MS\n" has all connections told "tick\n" by a timer of the
// worker, "batches\n" is answered by how many batches have ended.
#include <charconv>
#include <set>

#include "modules/sdk/module.hpp"
#include "tests/modules/lines.hpp"

namespace {

std::chrono::milliseconds number_after(std::string_view line, std::string_view word) {
  long number = 0;
  line.remove_prefix(word.size());
  std::from_chars(line.data(), line.data() + line.size(), number);
  return std::chrono::milliseconds(number);
}

class Ticking {
 public:
  explicit Ticking(drover::Host host) : host_(host) {}

  void on_open(drover_conn conn) { all_.insert(conn); }
  void on_close(drover_conn conn, drover_close_reason /*reason*/) { all_.erase(conn); }

  std::size_t on_data(drover_conn conn, std::string_view bytes) {
    return for_each_line(bytes, [&](std::string_view line) { obey(conn, line); });
  }
  void on_timer(drover_conn conn) { host_.write(conn, "rang\n"); }
  void on_worker_timer(std::uint64_t interval_ms) {
    for (const drover_conn conn : all_) host_.write(conn, "tick\n");
    host_.start_timer(std::chrono::milliseconds(interval_ms), interval_ms);
  }
  void on_batch_end() { ++batches_; }

 private:
  void obey(drover_conn conn, std::string_view line) {
    if (line.starts_with("after ")) host_.set_timer(conn, number_after(line, "after "));
    if (line == "cancel") host_.cancel_timer(conn);
    if (line.starts_with("every ")) {
      const auto interval = number_after(line, "every ");
      host_.start_timer(interval, static_cast<std::uint64_t>(interval.count()));
    }
    if (line == "batches") host_.write(conn, std::to_string(batches_) + "\n");
  }

  drover::Host host_;
  std::set<drover_conn> all_;
  long batches_ = 0;
};

}  // namespace

DROVER_MODULE(Ticking, "ticking", "1.0");
