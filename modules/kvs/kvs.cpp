// The key-value module: KV1's sessions on Drover's connections, over a store in a zone. Here is
// when a session goes on; what it says is in kv1/, what it says it of in store/.
#include <time.h>

#include <algorithm>
#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "modules/kvs/config.h"
#include "modules/kvs/connection_queue.h"
#include "modules/kvs/kv1/session.h"
#include "modules/kvs/maintenance.h"
#include "modules/kvs/metrics.h"
#include "modules/kvs/zone_store.h"
#include "modules/sdk/module.hpp"

namespace {

using kvs::ConnectionQueue;
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
    bool is_held_back = false;  // by the worker, until most of what was written has left
    std::optional<kvs::kv1::Time> timer_at;
    ConnectionQueue::Place in_turns = 0;
    ConnectionQueue::Place in_writing = 0;
    ConnectionQueue::Place in_slow = 0;
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
    note_pending(conn, state);
    if (state.session->wait() == Wait::kOutput) run(conn, state, &Session::resume);
  }
  void on_close(drover_conn conn, State& state, drover_close_reason reason);
  void on_timer(drover_conn conn, State& state);
  void on_doorbell();
  void on_batch_end();
  void on_worker_timer(std::uint64_t tag);

 private:
  enum Tag : std::uint64_t { kMaintenance, kSlow };
  // A worker may have ten thousand of them: each is looked at twice in a second at least.
  static constexpr milliseconds kSlowEvery{10};
  static constexpr std::size_t kSlowEachTime = 256;

  Kvs(drover::Host host, const kvs::Config& config);
  Kvs(const Kvs&) = delete;

  template <class Call>
  void run(drover_conn conn, State& state, Call call);
  void begin_turn();
  void resume(drover_conn conn);
  void settle(drover_conn conn, State& state);
  void note_pending(drover_conn conn, State& state);
  void look_at_output(drover_conn conn, State& state);
  void look_at_slow();
  void maintain();
  void pause(drover_conn conn, State& state, bool is_paused);
  void set_timer(drover_conn conn, State& state);

  drover::Host host_;
  kvs::ZoneStore zone_store_;
  kvs::kv1::Service service_;
  kvs::Maintenance maintenance_{zone_store_};
  kvs::Metrics metrics_{host_};
  std::string written_;             // by the session that runs
  ConnectionQueue writing_;         // output that counts, in this batch
  ConnectionQueue slow_;            // who had such output at the end of one
  ConnectionQueue turns_;           // who waits for a turn
  ConnectionQueue::Place ready_{};  // the others wait for the next one
  bool has_slow_timer_ = false;
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
  host_.start_timer(kvs::Maintenance::kEvery, kMaintenance);
}

void Kvs::on_close(drover_conn /*conn*/, State& state, drover_close_reason /*reason*/) {
  turns_.leave(state.in_turns);
  writing_.leave(state.in_writing);
  slow_.leave(state.in_slow);
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
  constexpr std::size_t kMostKept = std::size_t{5} << 18;  // for a value of 1 MiB
  if (!written_.empty()) host_.write(conn, written_);
  if (host_.pending_output(conn) > DROVER_HIGH_WATER) state.is_held_back = true;
  if (written_.capacity() > kMostKept) std::string().swap(written_);
  if (state.session->has_counted_output()) writing_.push(conn, state.in_writing);
  if (state.session->is_over()) return host_.close(conn);
  const Wait wait = state.session->wait();
  if (wait == Wait::kNextTurn) turns_.push(conn, state.in_turns);
  pause(conn, state, wait != Wait::kNothing);
  set_timer(conn, state);
}

void Kvs::pause(drover_conn conn, State& state, bool is_paused) {
  if (state.is_paused == is_paused) return;
  state.is_paused = is_paused;
  is_paused ? host_.pause_reading(conn) : host_.resume_reading(conn);
}

// One timer for two: who waits for a shard has nothing that is awaited. One that rings no later is
// left alone, and looks again when it does.
void Kvs::set_timer(drover_conn conn, State& state) {
  const bool is_busy = state.session->wait() == Wait::kShortly;
  const auto deadline =
      is_busy ? service_.clock() + kvs::kv1::kBusyGlance : state.session->deadline();
  if (!deadline || (state.timer_at && *state.timer_at <= *deadline)) return;
  const auto left = std::chrono::ceil<milliseconds>(*deadline - service_.clock());
  host_.set_timer(conn, std::max(left, milliseconds(1)));
  state.timer_at = deadline;
}

// Nobody can send the rest of a frame while the worker does not read.
void Kvs::on_timer(drover_conn conn, State& state) {
  state.timer_at.reset();
  const bool is_read = !state.is_held_back;
  if (!is_read) state.session->prolong();
  const auto deadline = state.session->deadline();
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
  while (turns_.has_before(ready_)) {
    resume(turns_.pop());
    if (service_.work_time.is_over(service_.clock())) break;
  }
}

// What a session throws here would cost its connection in a hook of its own; the hook that runs has
// none, and the log line is the module edge's.
void Kvs::resume(drover_conn conn) {
  State* state = host_.state_of<State>(conn);
  if (state == nullptr) return;
  state->in_turns = 0;
  try {
    run(conn, *state, &Session::resume);
  } catch (...) {
    host_.close(conn);
    throw;
  }
}

// From here on the views into the store are good no more. Who is in a list is there: on_close()
// takes him out.
void Kvs::on_batch_end() {
  service_.store.end_batch();
  is_in_turn_ = false;
  metrics_.tell(service_);
  while (!writing_.empty()) {
    const drover_conn conn = writing_.pop();
    State& state = *host_.state_of<State>(conn);
    state.in_writing = 0;
    look_at_output(conn, state);
  }
  ready_ = turns_.end();
  if (!slow_.empty() && !std::exchange(has_slow_timer_, true)) host_.start_timer(kSlowEvery, kSlow);
  if (!turns_.empty()) host_.ring(host_.slot());
}

// Above DROVER_HIGH_WATER the worker stops reading, and begins again below a quarter of it: what
// was awaited of the client has all its time from then on.
void Kvs::note_pending(drover_conn conn, State& state) {
  const std::size_t pending = host_.pending_output(conn);
  state.session->set_pending(pending);
  if (pending > DROVER_HIGH_WATER) state.is_held_back = true;
  if (pending < DROVER_HIGH_WATER / 4 && std::exchange(state.is_held_back, false))
    state.session->prolong();
}

// What was written in the batch has left now, as far as the client takes it. What stays counts, and
// is looked at again.
void Kvs::look_at_output(drover_conn conn, State& state) {
  note_pending(conn, state);
  if (state.session->may_go_on()) turns_.push(conn, state.in_turns);
  if (state.session->has_counted_output()) slow_.push(conn, state.in_slow);
}

void Kvs::on_worker_timer(std::uint64_t tag) { tag == kSlow ? look_at_slow() : maintain(); }

// Those who are still slow come last.
void Kvs::look_at_slow() {
  has_slow_timer_ = false;
  const ConnectionQueue::Place end = slow_.end();
  for (std::size_t left = kSlowEachTime; left > 0 && slow_.has_before(end); --left) {
    const drover_conn conn = slow_.pop();
    State& state = *host_.state_of<State>(conn);
    state.in_slow = 0;
    look_at_output(conn, state);
  }
}

// The next one comes whatever this one throws.
void Kvs::maintain() {
  host_.start_timer(kvs::Maintenance::kEvery, kMaintenance);
  begin_turn();
  maintenance_.tick();
  constexpr unsigned kTicksEachSecond = milliseconds(1'000) / kvs::Maintenance::kEvery;
  if (ticks_++ % kTicksEachSecond == 0) {
    metrics_.tell_store(service_.store, maintenance_.is_mine());
  }
}

}  // namespace

DROVER_MODULE(Kvs, "kvs", "1.0");
