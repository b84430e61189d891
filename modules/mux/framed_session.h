// What the two protocols have in common whose frames are a head of 8 bytes and a payload of up to
// 65,535: smux and xsmux. How frames are taken apart, streams take turns and limits are kept is
// here; what a frame means, and when one may be sent, says the protocol.
#pragma once

#include <array>
#include <set>

#include "modules/mux/session.h"
#include "modules/mux/stream_table.h"

namespace mux {

class FramedSession : public Session {
 public:
  void receive(std::string_view bytes, Time now) final;
  void send(std::string& out, std::size_t room, Time now) final;
  [[nodiscard]] bool has_output() const final;
  std::size_t write(Stream& stream, std::string_view bytes) final;
  void end(Stream& stream) final;
  void consumed(Stream& stream, std::size_t size_bytes, Time now) final;
  void close(Stream& stream, bool is_in_order, Time now) final;
  Stream* open(Time now) final;
  void drain(Time now) final;
  void cut(Time now) final;
  [[nodiscard]] bool reads() const final;
  [[nodiscard]] std::optional<Time> wake_at() const final;
  void wake(Time now) final;
  [[nodiscard]] Ending ending() const final { return ending_; }
  [[nodiscard]] const char* error() const final { return error_; }
  [[nodiscard]] std::size_t streams() const final { return table_.size(); }

 protected:
  FramedSession(Role role, const Limits& limits, Worker& worker, Listener& listener, Time now,
                std::uint32_t next_id);

  // What a protocol says.
  static constexpr std::size_t kHeadBytes = 8;
  // A head has come: how long the payload is.
  virtual std::size_t begin_frame(std::string_view head) = 0;
  // A part of the payload, as it comes.
  virtual void take_payload(std::string_view bytes) = 0;
  virtual void end_frame() {}
  [[nodiscard]] virtual bool may_send(const Stream& stream) const = 0;
  // Of a stream that may send: one frame, or its end.
  virtual void append_frame(std::string& out, Stream& stream) = 0;
  // In the control queue, before all data.
  virtual void say_end(std::uint32_t id) = 0;
  virtual void say_open(Stream& stream) = 0;
  virtual void say_alive() {}
  [[nodiscard]] virtual bool may_open_own() const { return true; }
  [[nodiscard]] virtual std::size_t output_limit(const Stream& stream) const = 0;
  virtual void on_consumed(Stream& /*stream*/) {}
  // We have ended it and forget it, and the peer has not ended it.
  virtual void on_forgotten_early(std::uint32_t /*id*/) {}
  // Deadlines of its own. True: this was one, and not the end of the linger.
  virtual void set_wait(Stream& /*stream*/) {}
  virtual bool end_wait(Stream& /*stream*/) { return false; }
  [[nodiscard]] virtual bool is_done_when_drained() const { return true; }
  [[nodiscard]] virtual bool serves_while_drained() const { return false; }
  [[nodiscard]] virtual bool expects_life() const { return false; }
  [[nodiscard]] virtual bool keeps_alive() const { return false; }

  // What a protocol does with it.
  void fail(const char* error);
  // Null: it is refused, and the peer is told.
  Stream* accept(std::uint32_t id);
  void deliver(Stream& stream, std::string_view bytes);
  void end_by_peer(Stream& stream);
  // After anything has changed of it; it may be gone afterwards.
  void settle(Stream& stream);
  // Towards both.
  void break_off(Stream& stream);
  void append_data(std::string& out, Stream& stream, std::size_t size_bytes);
  [[nodiscard]] bool is_under_pressure() const {
    return !table_.has_input_room() || table_.output_room() == 0;
  }

  const Role role_;
  const Limits& limits_;
  Worker& worker_;
  Listener& listener_;
  StreamTable table_;
  std::string control_;     // frames that go before all data
  Stream* body_ = nullptr;  // whose payload comes, if it is one's
  Time now_;                // of the last call that said
  bool is_draining_ = false;

 private:
  void parse(std::string_view& bytes);
  void gather(std::string_view& bytes);
  void forget(Stream& stream);
  void abandon(Stream& stream);
  void tell_writable(Stream& stream);
  void tell_starved();
  // The first time of each pressure; who is stopped later is seen when it is.
  void relieve();
  void begin(Stream& stream) const;
  void finish();

  std::array<char, kHeadBytes> head_{};
  std::size_t head_size_ = 0;
  std::size_t payload_left_ = 0;
  // Those that the session or the worker had no room for, not themselves.
  std::set<Stream*> starved_;
  bool was_under_pressure_ = false;
  std::uint32_t next_id_;
  Time received_at_;
  Time sent_at_;
  Ending ending_ = Ending::kNone;
  const char* error_ = "";
};

}  // namespace mux
