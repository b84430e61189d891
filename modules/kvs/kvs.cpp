// The key-value module: KV1's sessions on Drover's connections, over a store in a zone. Here is
// when a session goes on; what it says is in kv1/, what it says it of in store/.
#include <time.h>

#include <algorithm>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "modules/kvs/config.h"
#include "modules/kvs/kv1/session.h"
#include "modules/kvs/maintenance.h"
#include "modules/kvs/metrics.h"
#include "modules/kvs/zone_store.h"
#include "modules/sdk/module.hpp"

namespace {

using kvs::kv1::Output;
using kvs::kv1::Session;
using kvs::kv1::Wait;
using std::chrono::milliseconds;

static_assert(kvs::kv1::kWatchedOutput == DROVER_HIGH_WATER);

// Does not jump, and is the same for all processes until the machine is started again.
std::uint64_t boot_time_ms() {
  timespec now{};
  clock_gettime(CLOCK_BOOTTIME, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000 +
         static_cast<std::uint64_t>(now.tv_nsec) / 1'000'000;
}

class Kvs {
 public:
  static constexpr auto& kDirectives = kvs::kDirectives;
  static constexpr auto& kMetrics = kvs::kMetrics;
  struct State {
    std::optional<Session> session;
    bool is_paused = false;
    bool has_timer = false;
    bool is_waiting = false;  // in waiting_ or ready_
  };

  static void validate(drover::Host /*host*/, drover::Config config) {
    kvs::check_config(kvs::read_config(config));
  }

  Kvs(drover::Host host, drover::Config config) : Kvs(host, kvs::read_config(config)) {}

  void on_open(drover_conn /*conn*/, State& state) { state.session.emplace(service_); }
  void on_data(drover_conn conn, State& state, std::string_view bytes) {
    run(conn, state, [&](Session& session, Output& output) { session.receive(bytes, output); });
  }
  void on_eof(drover_conn conn, State& state) { run(conn, state, &Session::end); }
  void on_drain(drover_conn conn, State& state) { run(conn, state, &Session::drain); }
  void on_writable(drover_conn conn, State& state) {
    state.session->set_pending(host_.pending_output(conn));
    if (state.session->wait() == Wait::kOutput) run(conn, state, &Session::resume);
  }
  void on_close(drover_conn conn, State& state, drover_close_reason /*reason*/) {
    if (!state.is_waiting) return;
    std::erase(waiting_, conn);
    std::erase(ready_, conn);
  }
  void on_timer(drover_conn conn, State& state);
  void on_doorbell();
  void on_batch_end();
  void on_worker_timer(std::uint64_t tag);

 private:
  Kvs(drover::Host host, const kvs::Config& config);
  Kvs(const Kvs&) = delete;

  template <class Call>
  void run(drover_conn conn, State& state, Call call);
  void begin_turn();
  void resume(drover_conn conn);
  void settle(drover_conn conn, State& state);
  void tell_what_is_pending();
  void go_on_next_turn(drover_conn conn, State& state);
  void pause(drover_conn conn, State& state, bool is_paused);
  void set_timer(drover_conn conn, State& state);

  drover::Host host_;
  kvs::ZoneStore zone_store_;
  kvs::kv1::Service service_;
  kvs::Maintenance maintenance_{zone_store_};
  kvs::Metrics metrics_{host_};
  std::string written_;               // by the session that runs
  std::vector<drover_conn> writing_;  // much, in this batch
  std::deque<drover_conn> waiting_;   // for the next turn, since this one
  std::deque<drover_conn> ready_;     // whose next turn this is
  bool is_in_turn_ = false;
  unsigned ticks_ = 0;
};

Kvs::Kvs(drover::Host host, const kvs::Config& config)
    : host_(host),
      zone_store_(host, config.zone, config.store),
      service_(zone_store_.store(), config.limits) {
  service_.match = config.match;
  service_.eviction = config.store.eviction;
  service_.token = config.token;
  host_.start_timer(kvs::Maintenance::kEvery);
}

// The first hook of a batch of events.
void Kvs::begin_turn() {
  if (is_in_turn_) return;
  is_in_turn_ = true;
  service_.store.set_now(boot_time_ms());
  service_.work_time.begin_turn();
}

template <class Call>
void Kvs::run(drover_conn conn, State& state, Call call) {
  if (state.session->is_over()) return;
  begin_turn();
  written_.clear();  // of one that threw
  Output output{written_, host_.pending_output(conn)};
  std::invoke(call, *state.session, output);
  settle(conn, state);
}

void Kvs::settle(drover_conn conn, State& state) {
  constexpr std::size_t kMostKept = std::size_t{1} << 20;
  if (!written_.empty()) host_.write(conn, written_);
  if (written_.capacity() > kMostKept) std::string().swap(written_);
  if (state.session->is_over()) return host_.close(conn);
  if (state.session->has_large_output()) writing_.push_back(conn);
  const Wait wait = state.session->wait();
  if (wait == Wait::kNextTurn) go_on_next_turn(conn, state);
  pause(conn, state, wait != Wait::kNothing);
  set_timer(conn, state);
}

void Kvs::go_on_next_turn(drover_conn conn, State& state) {
  if (!std::exchange(state.is_waiting, true)) waiting_.push_back(conn);
}

void Kvs::pause(drover_conn conn, State& state, bool is_paused) {
  if (state.is_paused == is_paused) return;
  state.is_paused = is_paused;
  is_paused ? host_.pause_reading(conn) : host_.resume_reading(conn);
}

// One timer for two: who waits for a shard has no frame that is awaited. One that runs is left
// alone, and looks again when it rings.
void Kvs::set_timer(drover_conn conn, State& state) {
  const auto deadline = state.session->frame_deadline();
  if (state.session->wait() == Wait::kShortly) {
    host_.set_timer(conn, kvs::kv1::kBusyGlance);
    state.has_timer = true;
  } else if (deadline && !state.has_timer) {
    const auto left = std::chrono::ceil<milliseconds>(*deadline - service_.clock());
    host_.set_timer(conn, std::max(left, milliseconds(1)));
    state.has_timer = true;
  }
}

// Above DROVER_HIGH_WATER the worker does not read, and nobody can send the rest of a frame.
void Kvs::on_timer(drover_conn conn, State& state) {
  state.has_timer = false;
  const bool is_read = host_.pending_output(conn) <= DROVER_HIGH_WATER;
  if (!is_read) state.session->prolong_frame();
  const auto deadline = state.session->frame_deadline();
  if (state.session->wait() == Wait::kShortly) {
    run(conn, state, &Session::resume);
  } else if (is_read && deadline && *deadline <= service_.clock()) {
    run(conn, state, &Session::time_out);
  } else {
    set_timer(conn, state);
  }
}

// Rung by ourselves, in on_batch_end(). They have the turn's time for work together; who gets none
// of it is the first in the next turn.
void Kvs::on_doorbell() {
  begin_turn();
  service_.work_time.begin_turn();
  while (!ready_.empty()) {
    const drover_conn conn = ready_.front();
    ready_.pop_front();
    resume(conn);
    if (service_.work_time.is_over(service_.clock())) break;
  }
}

// What a session throws here would cost its connection in a hook of its own; the hook that runs has
// none, and the log line is the module edge's.
void Kvs::resume(drover_conn conn) {
  State* state = host_.state_of<State>(conn);
  if (state == nullptr) return;
  state->is_waiting = false;
  try {
    run(conn, *state, &Session::resume);
  } catch (...) {
    host_.close(conn);
    throw;
  }
}

// From here on the views into the store are good no more.
void Kvs::on_batch_end() {
  service_.store.end_batch();
  is_in_turn_ = false;
  metrics_.tell(service_);
  tell_what_is_pending();
  ready_.insert(ready_.end(), waiting_.begin(), waiting_.end());
  waiting_.clear();
  if (!ready_.empty()) host_.ring(host_.slot());
}

// What was written in the batch has left now, as far as the clients take it. What stays above
// DROVER_HIGH_WATER is told by on_writable() when it has left; less is not counted, nor waited for.
void Kvs::tell_what_is_pending() {
  for (const drover_conn conn : std::exchange(writing_, {})) {
    State* state = host_.state_of<State>(conn);
    if (state == nullptr) continue;
    const std::size_t pending = host_.pending_output(conn);
    const bool is_told = pending > DROVER_HIGH_WATER;
    state->session->set_pending(is_told ? pending : 0);
    if (!is_told && state->session->wait() == Wait::kOutput) go_on_next_turn(conn, *state);
  }
}

// The next one comes whatever this one throws.
void Kvs::on_worker_timer(std::uint64_t /*tag*/) {
  host_.start_timer(kvs::Maintenance::kEvery);
  begin_turn();
  maintenance_.tick();
  constexpr unsigned kTicksEachSecond = milliseconds(1'000) / kvs::Maintenance::kEvery;
  if (ticks_++ % kTicksEachSecond == 0) {
    metrics_.tell_store(service_.store, maintenance_.is_mine());
  }
}

}  // namespace

DROVER_MODULE(Kvs, "kvs", "1.0");
