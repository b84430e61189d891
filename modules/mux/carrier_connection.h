// One of Drover's connections as the carrier of streams: finds out what the client speaks, drives
// the session, and stands between its streams and the connections that Drover makes of them.
//
// Input goes to the session when it comes. All else is done once for a batch of events, in
// settle(): output is taken from the session, as little as keeps the socket busy, so that what the
// session puts first (a pong, a window) is not behind a long queue.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "modules/mux/detect.h"
#include "modules/mux/service.h"
#include "modules/mux/session.h"

namespace mux {

class CarriedStream;

class CarrierConnection final : private Listener {
 public:
  // Output that may wait for the socket, bytes. Far below DROVER_HIGH_WATER, above which Drover
  // would stop to read.
  static constexpr std::size_t kMostPending = std::size_t{128} << 10;
  // `service` outlives it.
  CarrierConnection(Service& service, drover_conn conn);
  CarrierConnection(const CarrierConnection&) = delete;
  CarrierConnection& operator=(const CarrierConnection&) = delete;
  // Drover has ended all streams before.
  ~CarrierConnection();

  // What happens to the connection.
  void receive(std::string_view bytes);
  void peer_ended();
  void drain();
  void on_timer();
  void go_on();      // what it had to wait for before it sends more is over
  void try_again();  // the same, when its socket was full: more seldom the longer it is
  // Has settle() called at the end of the batch.
  void touch();
  void settle();

  // What happens to its streams' connections (carrier_streams.cpp).
  std::size_t write(CarriedStream& carried, std::span<const drover_slice> slices);
  void half_close(CarriedStream& carried);
  void consumed(CarriedStream& carried, std::size_t size_bytes);
  void closed(CarriedStream& carried, drover_close_reason reason, bool is_in_order);

 private:
  // What the session tells of its streams (carrier_streams.cpp).
  bool opened(Stream& stream) override;
  void data(Stream& stream, std::string_view bytes) override;
  void ended(Stream& stream) override;
  void broken(Stream& stream) override;
  void writable(Stream& stream) override;

  void look_at_first(bool is_late);
  void begin(Protocol protocol);
  void refuse(Number why);
  void end_grace(Time now);
  void run_deadlines(Time now);
  void note_idleness(Time now);
  void note_end_of_input(Time now);
  void leave(Time now);
  void send(Time now);
  void finish(Time now);
  void log_ending();
  void set_reading();
  void set_timer(Time now);
  [[nodiscard]] std::optional<Time> next_deadline() const;

  void tell_used(Time now);
  void set_due(CarriedStream& carried);
  void link(CarriedStream& carried);
  void unlink(CarriedStream& carried);
  [[nodiscard]] Time now() const { return service_.host.now(); }

  Service& service_;
  drover_conn conn_;
  std::unique_ptr<Session> session_;  // null: not known yet what the client speaks
  std::string first_;                 // what has come until then
  CarriedStream* streams_ = nullptr;
  std::size_t carried_ = 0;          // how many
  std::vector<CarriedStream*> due_;  // what they have used is told at the end of the batch

  // Moments, when they are set.
  std::optional<Time> undecided_until_;  // the client must have shown what it speaks
  std::optional<Time> guess_at_;         // ... or is taken for what it looks like
  std::optional<Time> drain_at_;  // ... and who has not shown it when the worker drains, either
  std::optional<Time> cut_at_;    // ... and all its time
  std::optional<Time> idle_at_;   // without a stream for too long
  std::optional<Time> leave_at_;  // after the client's end of stream and the last stream
  std::optional<Time> timer_at_;  // Drover's timer rings

  unsigned slow_turns_ = 1;  // between two tries of one whose socket is full
  unsigned slow_turns_left_ = 0;
  bool is_paused_ = false;
  bool has_peer_ended_ = false;
  bool is_over_ = false;
  bool is_touched_ = false;
  bool is_waiting_ = false;  // in next_turn or slow
};

}  // namespace mux
