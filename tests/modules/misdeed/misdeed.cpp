// Echoes, and does wrong what it is asked to: one command a line, "throw HOOK", "answer N",
// "write_after_close", "stale", "foreign", "timers N", "hoard", "block MS", "flood N", "miscount",
// "crash".
#include <time.h>

#include <charconv>
#include <stdexcept>

#include "modules/sdk/module.hpp"
#include "tests/modules/crash.hpp"

namespace {

void block_for(std::int64_t milliseconds) {
  timespec left{milliseconds / 1000, milliseconds % 1000 * 1'000'000};
  while (nanosleep(&left, &left) != 0) {
  }
}

class Misdeed {
 public:
  static constexpr drover::Metric kMetrics[] = {{.name = "wrongs", .kind = DROVER_COUNTER}};

  struct State {
    bool hoards = false;
  };

  explicit Misdeed(drover::Host host) : host_(host) {}

  void on_open(drover_conn /*conn*/, State& /*state*/) { throw_if("open"); }
  std::size_t on_data(drover_conn conn, State& state, std::string_view bytes) {
    const std::size_t end = bytes.find('\n');
    if (state.hoards) return 0;
    if (end == std::string_view::npos || !misbehave(conn, state, bytes.substr(0, end)))
      return echo(conn, bytes);
    if (nonsense_ != 0) return static_cast<std::size_t>(nonsense_);
    return end + 1 + (state.hoards ? 0 : echo(conn, bytes.substr(end + 1)));
  }
  void on_eof(drover_conn conn, State& /*state*/) {
    throw_if("eof");
    host_.half_close(conn);
  }
  void on_drain(drover_conn /*conn*/, State& /*state*/) { throw_if("drain"); }
  void on_timer(drover_conn /*conn*/, State& /*state*/) { throw_if("timer"); }
  void on_writable(drover_conn /*conn*/, State& /*state*/) { throw_if("writable"); }
  void on_close(drover_conn conn, State& /*state*/, drover_close_reason /*reason*/) {
    gone_ = conn;
    throw_if("close");
  }
  void on_worker_timer(std::uint64_t /*tag*/) { throw_if("worker_timer"); }
  void on_doorbell() { throw_if("doorbell"); }
  void on_batch_end() { throw_if("batch_end"); }
  void on_connect_failed(std::uint64_t /*tag*/, int /*error*/) { throw_if("connect_failed"); }

 private:
  static std::int64_t number(std::string_view text) {
    std::int64_t value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
  }

  std::size_t echo(drover_conn conn, std::string_view bytes) {
    host_.write(conn, bytes);
    return bytes.size();
  }

  // False: it was no command.
  bool misbehave(drover_conn conn, State& state, std::string_view line) {
    const std::size_t blank = std::min(line.find(' '), line.size());
    const std::string_view word = line.substr(0, blank);
    const std::string_view argument = line.substr(std::min(blank + 1, line.size()));
    if (word == "throw") return arm(conn, argument), true;
    if (word == "answer") return nonsense_ = number(argument), true;
    if (word == "write_after_close") return write_after_close(conn), true;
    if (word == "stale") return host_.write(gone_, "nobody"), true;
    if (word == "foreign") return write_to_all_but(conn), true;
    if (word == "timers") return start_timers(conn, number(argument)), true;
    if (word == "hoard") return state.hoards = true;
    if (word == "block") return block_for(number(argument)), true;
    if (word == "flood") return flood(conn, number(argument)), true;
    if (word == "miscount") return host_.count(7), host_.gauge(0, 1), true;
    if (word == "crash") return crash(), true;
    return false;
  }

  void throw_if(std::string_view hook) {
    if (armed_ != hook) return;
    armed_.clear();
    throw std::runtime_error("asked to throw in " + std::string(hook));
  }
  // The hook throws when it is called next; those that nobody outside can cause are called soon.
  void arm(drover_conn conn, std::string_view hook) {
    armed_ = hook;
    throw_if("data");
    if (hook == "timer") host_.set_timer(conn, std::chrono::milliseconds(1));
    if (hook == "worker_timer") host_.start_timer(std::chrono::milliseconds(1));
    if (hook == "doorbell") host_.ring(host_.slot());
    if (hook == "connect_failed") host_.connect("unix:/nobody/listens", std::chrono::seconds(1), 0);
    if (hook == "writable") host_.write(conn, std::string(DROVER_HIGH_WATER * 32, 'w'));
  }
  void write_after_close(drover_conn conn) {
    host_.write(conn, "before");
    host_.close(conn);
    host_.write(conn, "after");
    host_.half_close(conn);
    host_.set_timer(conn, std::chrono::milliseconds(1));
  }
  // The handles of a young worker are easily guessed.
  void write_to_all_but(drover_conn conn) {
    for (drover_conn generation = 0; generation < 4; ++generation) {
      for (drover_conn index = 1; index < 16; ++index) {
        const drover_conn other = generation << 32 | index;
        if (other != conn) host_.write(other, "from a stranger");
      }
    }
  }
  void start_timers(drover_conn conn, std::int64_t wanted) {
    std::int64_t started = 0;
    for (std::int64_t i = 0; i < wanted; ++i)
      started += host_.start_timer(std::chrono::hours(1)) != 0 ? 1 : 0;
    host_.write(conn, std::to_string(started) + "\n");
  }
  void flood(drover_conn conn, std::int64_t mebibytes) {
    for (std::int64_t i = 0; i < mebibytes; ++i) host_.write(conn, std::string(1 << 20, 'f'));
  }

  drover::Host host_;
  std::string armed_;  // the hook that is to throw
  drover_conn gone_ = 0;
  std::int64_t nonsense_ = 0;  // what on_data answers from now on
};

}  // namespace

DROVER_MODULE(Misdeed, "misdeed", "1.0");
