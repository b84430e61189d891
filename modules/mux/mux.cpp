// The stream module: sessions of three multiplexers on Drover's connections, each stream of which
// is a connection that another server serves. Here is when connections take their turn; what
// becomes of one is in carrier_connection.h, what a session says in session.h and behind it.
#include <cstdint>
#include <optional>
#include <random>
#include <utility>

#include "modules/mux/carrier_connection.h"
#include "modules/sdk/module.hpp"

namespace {

class Mux {
 public:
  static constexpr auto& kDirectives = mux::kDirectives;
  static constexpr auto& kMetrics = mux::kMetrics;
  struct State {
    std::optional<mux::CarrierConnection> connection;
  };

  static void validate(drover::Host /*host*/, drover::Config config) {
    mux::check_config(mux::read_config(config));
  }

  Mux(drover::Host host, drover::Config config)
      : service_{.host = host, .config = mux::read_config(config)} {
    service_.inner = host.server(service_.config.serve.c_str());
    std::random_device random;
    service_.worker.id_seed = std::uint64_t{random()} << 32U | random();
    service_.worker.memory_limit = service_.config.memory_budget;
    service_.worker.window_limit = service_.config.window_budget;
  }

  void on_open(drover_conn conn, State& state) { state.connection.emplace(service_, conn); }
  void on_data(drover_conn /*conn*/, State& state, std::string_view bytes) {
    state.connection->receive(bytes);
  }
  void on_eof(drover_conn /*conn*/, State& state) { state.connection->peer_ended(); }
  void on_drain(drover_conn /*conn*/, State& state) { state.connection->drain(); }
  void on_timer(drover_conn /*conn*/, State& state) { state.connection->on_timer(); }

  void on_doorbell() {
    for (mux::CarrierConnection* connection : std::exchange(service_.next_turn, {}))
      connection->go_on();
  }
  void on_worker_timer(std::uint64_t /*tag*/) {
    has_timer_ = false;
    for (mux::CarrierConnection* connection : std::exchange(service_.slow, {}))
      connection->try_again();
  }

  // Whoever has more to send than its share goes on at once, but behind all others; whose socket is
  // full, in a moment.
  void on_batch_end() {
    for (mux::CarrierConnection* connection : std::exchange(service_.touched, {}))
      connection->settle();
    service_.metrics.tell(service_.worker);
    if (!service_.next_turn.empty()) service_.host.ring(service_.host.slot());
    if (!service_.slow.empty() && !std::exchange(has_timer_, true))
      service_.host.start_timer(kSlowEvery);
  }

 private:
  static constexpr std::chrono::milliseconds kSlowEvery{5};

  mux::Service service_;
  bool has_timer_ = false;
};

}  // namespace

DROVER_MODULE(Mux, "mux", "1.0");
