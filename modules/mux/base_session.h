// What the sessions of all three protocols share: the table of streams, whose turn it is to send,
// what waits in either direction and what of it is allowed, windows, timers, drain and cut. A
// protocol derives from it, reads frames (parse) and writes them (the hooks below).
//
// What always holds:
//   input_  == the sum of received - consumed of all streams
//   output_ == the sum of pending_size() of all streams
//   worker.memory_used and worker.window_used contain this session's part until it goes.
//   A stream is in the ring exactly when turn_of() has something for it.
//
// After an ending there are no more events; the streams that are left go with the session.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <limits>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "modules/mux/control_queue.h"
#include "modules/mux/id_hash.h"
#include "modules/mux/limits.h"
#include "modules/mux/open_rate.h"
#include "modules/mux/session.h"
#include "modules/mux/stream.h"

namespace mux {

// What makes one protocol's session different from another's, in numbers.
struct Traits {
  std::uint32_t first_own_id = 0;  // of the streams that we open, in steps of two
  std::uint32_t last_own_id = 0;
  bool has_windows = false;  // of single streams: what goes over memory is broken off
  // False where a peer cannot be asked to open no more: it is served until cut().
  bool is_done_when_drained = true;
  // Where there is no word for refusal: what is opened during a drain is served, not refused.
  bool serves_while_drained = false;
  bool keeps_alive = true;  // keep_alive() has something to say
};

class BaseSession : public Session {
 public:
  ~BaseSession() override;
  BaseSession(const BaseSession&) = delete;
  BaseSession& operator=(const BaseSession&) = delete;

  void receive(std::string_view bytes, Time now) final;
  void send(std::string& out, std::size_t room, Time now) final;
  [[nodiscard]] bool has_output() const final;
  std::size_t write(Stream& stream, std::string_view bytes) final;
  void end(Stream& stream) final;
  void consumed(Stream& stream, std::size_t size_bytes, Time now) final;
  void close(Stream& stream, bool is_in_order, Time now) final;
  Stream* open(Time now) final;
  void input_ended() final { is_heard_ = false; }
  void drain(Time now) final;
  void cut(Time now) final;
  [[nodiscard]] bool reads() const final;
  [[nodiscard]] std::optional<Time> wake_at() const final;
  void wake(Time now) final;
  [[nodiscard]] Ending ending() const final { return ending_; }
  [[nodiscard]] const char* error() const final { return error_; }
  [[nodiscard]] std::size_t streams() const final { return streams_.size() + detached_.size(); }

 protected:
  static constexpr std::uint64_t kUnlimited = std::numeric_limits<std::uint64_t>::max();

  // What a stream would send in one turn.
  struct Turn {
    std::size_t payload_bytes = 0;
    bool ends = false;  // the end follows the payload
    [[nodiscard]] bool is_something() const { return payload_bytes > 0 || ends; }
  };

  BaseSession(const Traits& traits, const Limits& limits, Worker& worker, Listener& listener,
              Time now);

  // The hooks. They append frames to `out`, or queue them with control().

  // Until ending() is something or the bytes are used up.
  virtual void parse(std::string_view bytes) = 0;
  // One turn of a stream: pending's first bytes, at least one if there are any, then the end.
  virtual void append_turn(Stream& stream, std::string_view payload, bool ends,
                           std::string& out) = 0;
  // How many bytes of payload the peer takes now, beyond what was sent.
  [[nodiscard]] virtual std::uint64_t peer_room(const Stream& stream) const;
  // By default up to kLargestDataFrame of what waits and peer_room() allows, and the end with the
  // last byte. What a stream may send must not change but by calls that lead to update_ready().
  [[nodiscard]] virtual Turn turn_of(const Stream& stream) const;
  // How much write() takes for one stream.
  [[nodiscard]] virtual std::size_t most_pending(const Stream& stream) const;
  // A stream that open() has made.
  virtual void announce(Stream& stream) = 0;
  // A stream of the peer's that the listener has taken.
  virtual void accepted(Stream&) {}
  // Breaks the stream off towards the peer; neither end may have been said. It is forgotten then:
  // late frames are told apart.
  virtual void abort(Stream& stream) = 0;
  // Whether granted should be told anew; by default when half of the window was consumed.
  [[nodiscard]] virtual bool is_grant_due(const Stream& stream) const;
  // Whether one that the owner has closed may go: by default when both ends are said. Where late
  // frames are told apart from a new stream's, when ours is.
  [[nodiscard]] virtual bool is_forgettable(const Stream& stream) const { return is_over(stream); }
  // It goes now. Not called from the destructor.
  virtual void forgotten(const Stream&) {}
  // Something of it has changed that turn_of() may depend on: a chance to set its deadline.
  virtual void changed(Stream&) {}
  // granted has risen by so much: queue the frame. Only where there are windows.
  virtual void grant(Stream&, std::uint32_t /*delta_bytes*/) {}
  virtual void keep_alive() {}
  // Whether silence says that the peer is gone; not where a sound one may have nothing to say.
  [[nodiscard]] virtual bool must_speak() const { return true; }
  virtual void announce_drain() {}
  // stream.deadline has come, and is unset. By default the linger's: an orphan is broken off.
  virtual void deadline_passed(Stream& stream);
  // A timer of the protocol's own.
  [[nodiscard]] virtual std::optional<Time> own_wake_at() const { return std::nullopt; }
  virtual void own_wake() {}
  // Frames that the protocol keeps itself and that overtake all else.
  [[nodiscard]] virtual bool has_urgent() const { return false; }
  virtual void append_urgent(std::string& /*out*/) {}  // all of them: they are bounded

  // What a protocol's parser and hooks do with streams. Where the comment says so the stream may
  // be gone afterwards.

  [[nodiscard]] Stream* find(std::uint32_t id);
  // A stream of the peer's, unless a limit, the drain or the listener refuses it (null, counted).
  Stream* admit(std::uint32_t id);
  // Payload of the peer: to the owner, or dropped when there is none any more. May break it off.
  void deliver(Stream& stream, std::string_view bytes);
  // The peer's end; a second one is nothing. May forget the stream.
  void peer_ended(Stream& stream);
  // The peer has broken it off. Forgets it.
  void peer_broke(Stream& stream);
  // Ours: tells both sides, and forgets it.
  void break_off(Stream& stream);
  // Both ends are said and the peer uses the number again; the owner has not closed it yet.
  void detach(Stream& stream);
  [[nodiscard]] static bool is_over(const Stream& stream) {
    return stream.is_ended && stream.is_ended_by_peer;
  }
  // After anything that turn_of() depends on.
  void update_ready(Stream& stream);
  void set_deadline(Stream& stream, Time when);
  void clear_deadline(Stream& stream);
  // Forgets an orphan that is_forgettable().
  void settle(Stream& stream);

  // abort() for all that are not over.
  void abort_all();
  // There is no room for more input or more output: what a protocol holds back should go. When this
  // begins, streams that want to be writable are looked at again.
  [[nodiscard]] bool is_under_pressure() const { return is_full_ || output_room() == 0; }

  // Queues one frame of at most 255 bytes ahead of all streams' data.
  void control(std::string_view frame);
  // The same, for one that the peer does not wait for.
  void notice(std::string_view frame);
  // Ends the session; only the first ending counts. `error` is a literal.
  void fail(Ending ending, const char* error);
  void no_more_opens() { may_open_ = false; }

  [[nodiscard]] Time now() const { return now_; }
  [[nodiscard]] const Limits& limits() const { return limits_; }
  [[nodiscard]] IdHash id_hash() const { return {worker_.id_seed}; }
  // Of what was delivered and not consumed, in bytes.
  [[nodiscard]] static std::size_t waiting_input(const Stream& stream) {
    return static_cast<std::size_t>(stream.received - stream.consumed);
  }
  [[nodiscard]] Counts& counts() { return worker_.counts; }
  [[nodiscard]] bool is_draining() const { return is_draining_; }

 private:
  using Streams = std::unordered_map<std::uint32_t, Stream, IdHash>;

  Stream& add(std::uint32_t id);
  // No longer found by its number; it is gone unless the node is kept.
  Streams::node_type take_out(std::uint32_t id);
  void forget(Stream& stream);
  void drop(Stream& stream);
  void drop_all();
  [[nodiscard]] std::optional<std::uint32_t> take_own_id();
  [[nodiscard]] bool asks_for_life() const;
  [[nodiscard]] bool watches_silence() const;
  void end_if_drained();
  // What the peer has sent before it knew of the drain may still come.
  [[nodiscard]] bool is_in_grace() const { return is_heard_ && now_ < grace_until_; }
  // The end of the grace ends the session.
  [[nodiscard]] bool is_drained_but_for_grace() const {
    return is_draining_ && traits_.is_done_when_drained && streams() == 0;
  }
  // Input
  [[nodiscard]] bool is_over_memory(std::size_t size_bytes) const;
  void account_input(Stream& stream, std::size_t size_bytes);
  void release_input(Stream& stream, std::size_t size_bytes);
  void update_reads();
  void renew_grant(Stream& stream);
  void grow_window(Stream& stream);
  // Output
  [[nodiscard]] std::size_t output_room() const;
  void append_streams(std::string& out, std::size_t room);
  void take_turn(Stream& stream, std::string& out);
  void drop_pending(Stream& stream, std::size_t size_bytes);
  // After something has left: little keeps no large buffer.
  void fit_buffer(Stream& stream);
  void leave_buffer(Stream& stream);
  void tell_writable(Stream& stream);
  void wait_for_room(Stream& stream);
  void tell_waiting();
  void relieve();
  void enter_ring(Stream& stream);
  void leave_ring(Stream& stream);
  // Timers
  [[nodiscard]] Time keepalive_due() const;
  void pass_deadlines();

  const Traits traits_;
  const Limits& limits_;
  Worker& worker_;
  Listener& listener_;

  Streams streams_;
  Stream* last_found_ = nullptr;  // in streams_: a stream's frames mostly come in a row
  // Streams whose number the peer uses again, by address.
  std::unordered_map<const Stream*, Streams::node_type> detached_;
  std::set<std::pair<Time, std::uint32_t>> deadlines_;  // of the streams that have one
  Stream* ready_ = nullptr;                             // whose turn it is next
  ControlQueue control_;
  std::deque<std::uint32_t> waiting_;  // for room in the session: streams that want writable()

  std::size_t input_ = 0;
  std::size_t output_ = 0;
  // Streams whose owner leaves kMostStreamInput: without windows nothing else stops their peer.
  std::size_t crowded_ = 0;
  bool is_full_ = false;  // of input; stays so until half of it is consumed
  bool was_under_pressure_ = false;

  OpenRate open_rate_;
  std::uint32_t next_own_id_;
  bool may_open_ = true;
  bool is_heard_ = true;
  bool is_parsing_ = false;
  bool is_draining_ = false;
  Time grace_until_{};  // of a drain
  Ending ending_ = Ending::kNone;
  const char* error_ = "";

  Time now_;
  Time heard_at_;
  Time sent_at_;
  Time asked_at_;  // the last keep_alive()
};

}  // namespace mux
