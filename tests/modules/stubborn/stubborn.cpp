// Never takes a no: when a connection of its ends it connects to `stubborn.to`, when that is given
// up it tries again, and at its end it connects and sets a timer once more. Dies of "crash".
#include <cerrno>

#include "modules/sdk/module.hpp"
#include "tests/modules/crash.hpp"
#include "tests/modules/lines.hpp"

namespace {

using namespace std::chrono_literals;

class Stubborn {
 public:
  static constexpr drover::Directive kDirectives[] = {
      {.name = "to", .type = DROVER_TEXT, .help = "address to connect to"}};

  Stubborn(drover::Host host, drover::Config config) : host_(host), to_(config.text("to")) {}
  Stubborn(const Stubborn&) = delete;
  Stubborn& operator=(const Stubborn&) = delete;
  ~Stubborn() {
    again();
    host_.start_timer(1ms, 0);
  }

  std::size_t on_data(drover_conn conn, std::string_view bytes) {
    return for_each_line(bytes, [&](std::string_view line) {
      if (line == "crash") crash();
      host_.write(conn, std::string(line) + "\n");
    });
  }
  void on_close(drover_conn /*conn*/, drover_close_reason /*reason*/) { again(); }
  void on_connect_failed(std::uint64_t /*tag*/, int error) {
    ++failures_;
    if (error == ECANCELED) again();
  }
  void on_worker_timer(std::uint64_t /*tag*/) { ++failures_; }

 private:
  void again() { host_.connect(to_, 1s, 0); }

  drover::Host host_;
  std::string to_;
  long failures_ = 0;
};

}  // namespace

DROVER_MODULE(Stubborn, "stubborn", "1.0");
