// Requests and answers of a size that the configuration says, as a protocol module: what the bench
// of the multiplexer has its streams ask. `rr.request` bytes, or all until the end, are answered by
// `rr.answer` bytes after `rr.delay`, and that is the end.
#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "modules/sdk/module.hpp"

namespace {

constexpr std::size_t kBlock = std::size_t{64} * 1024;

class RequestResponse {
 public:
  static constexpr std::int64_t kMost = std::int64_t{1} << 40;
  static constexpr drover::Directive kDirectives[] = {
      {.name = "request",
       .type = DROVER_SIZE,
       .default_text = "2727",
       .max = kMost,
       .help = "bytes of a request, or 0: all until its end"},
      {.name = "answer",
       .type = DROVER_SIZE,
       .default_text = "207",
       .min = 1,
       .max = kMost,
       .help = "bytes of an answer"},
      {.name = "delay",
       .type = DROVER_DURATION,
       .default_text = "0",
       .max = 60'000,
       .help = "time before the answer"}};
  struct State {
    std::size_t received = 0;
    std::size_t left = 0;  // of the answer
    bool is_asked = false;
  };

  RequestResponse(drover::Host host, drover::Config config)
      : host_(host),
        request_(config.size("request")),
        answer_(config.size("answer")),
        delay_(config.duration("delay")),
        block_(std::make_shared<const std::string>(std::min(answer_, kBlock), 'd')) {}

  void on_data(drover_conn conn, State& state, std::string_view bytes) {
    state.received += bytes.size();
    if (request_ != 0 && state.received >= request_) ask(conn, state);
  }
  void on_eof(drover_conn conn, State& state) { ask(conn, state); }
  void on_timer(drover_conn conn, State& state) { answer(conn, state); }
  void on_writable(drover_conn conn, State& state) {
    if (state.left > 0) go_on(conn, state);
  }

 private:
  void ask(drover_conn conn, State& state) {
    if (std::exchange(state.is_asked, true)) return;
    delay_.count() > 0 ? host_.set_timer(conn, delay_) : answer(conn, state);
  }
  void answer(drover_conn conn, State& state) {
    state.left = answer_;
    go_on(conn, state);
  }
  void go_on(drover_conn conn, State& state) {
    while (state.left > 0 && host_.pending_output(conn) <= DROVER_HIGH_WATER) {
      const std::size_t size = std::min(state.left, block_->size());
      // As the Go servers do, a large answer is sent from where it lies.
      if (size == kBlock) {
        host_.write_shared(conn, block_);
      } else {
        host_.write(conn, std::string_view(*block_).substr(0, size));
      }
      state.left -= size;
    }
    if (state.left == 0) host_.close(conn);
  }

  drover::Host host_;
  std::size_t request_;
  std::size_t answer_;
  std::chrono::milliseconds delay_;
  std::shared_ptr<const std::string> block_;
};

}  // namespace

DROVER_MODULE(RequestResponse, "rr", "1.0");
