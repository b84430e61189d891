// Connects each client to `relay.to` and passes on what either says, no faster than the other
// reads.
#include "modules/sdk/module.hpp"

namespace {

class Relay {
 public:
  static constexpr drover::Directive kDirectives[] = {
      {.name = "to", .type = DROVER_TEXT, .help = "address of the server behind"},
      {.name = "timeout",
       .type = DROVER_DURATION,
       .default_text = "5s",
       .min = 1,
       .max = 600'000,
       .help = "time to connect to it"}};

  struct State {
    drover_conn other = 0;
  };

  Relay(drover::Host host, drover::Config config)
      : host_(host), to_(config.text("to")), timeout_(config.duration("timeout")) {}

  void on_open(drover_conn conn, State& state) {
    const drover_conn client = host_.tag(conn);
    client == 0 ? call(conn, state) : bridge(client, conn, state);
  }

  void on_data(drover_conn conn, State& state, std::string_view bytes) {
    host_.write(state.other, bytes);
    if (host_.pending_output(state.other) > DROVER_HIGH_WATER) host_.pause_reading(conn);
  }
  void on_writable(drover_conn /*conn*/, State& state) { host_.resume_reading(state.other); }
  void on_eof(drover_conn /*conn*/, State& state) { host_.half_close(state.other); }
  void on_close(drover_conn /*conn*/, State& state, drover_close_reason /*reason*/) {
    if (state.other != 0) host_.close(state.other);
  }
  void on_connect_failed(std::uint64_t client, int /*error*/) { host_.close(client); }

 private:
  // What the client says meanwhile waits in the kernel.
  void call(drover_conn client, State& state) {
    host_.pause_reading(client);
    state.other = host_.connect(to_, timeout_, client);
    if (state.other == 0) host_.close(client);
  }
  void bridge(drover_conn client, drover_conn server, State& state) {
    if (host_.state_of<State>(client) == nullptr) return host_.close(server);  // it did not wait
    state.other = client;
    host_.resume_reading(client);
  }

  drover::Host host_;
  std::string to_;
  std::chrono::milliseconds timeout_;
};

}  // namespace

DROVER_MODULE(Relay, "relay", "1.0");
