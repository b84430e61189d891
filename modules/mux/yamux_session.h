// A session of hashicorp/yamux, in either role.
//
// Where its peers differ from each other or from what one would expect:
//   - A stream that we take is acknowledged once, before anything else of it, and soon: clients
//     open only so many that are not, but wait for no single one.
//   - FIN travels in a frame of its own after the data: the Go receiver wakes its reader by the
//     flag, before it has the payload.
//   - The peer opens numbers of its own parity only. Go does not look; we end the session, for a
//     stream of our parity would sooner or later be one that open() makes.
//   - Pings that wait to be answered are at most kMostPongs; the oldest go, whose askers have most
//     likely given up.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

#include "modules/mux/base_session.h"
#include "modules/mux/wire/frame_reader.h"
#include "modules/mux/wire/yamux.h"

namespace mux {

class YamuxSession final : public BaseSession {
 public:
  static constexpr std::size_t kMostPongs = 16;

  YamuxSession(Role role, const Limits& limits, Worker& worker, Listener& listener, Time now);

 private:
  friend class wire::FrameReader<yamux::kHeadBytes>;
  std::uint32_t on_head(std::string_view bytes);
  void on_body(std::string_view part, bool is_last);
  [[nodiscard]] bool goes_on() const { return ending() == Ending::kNone; }

  void parse(std::string_view bytes) override { reader_.read(bytes, *this); }
  void append_turn(Stream& stream, std::string_view payload, bool ends, std::string& out) override;
  [[nodiscard]] std::uint64_t peer_room(const Stream& stream) const override;
  void announce(Stream& stream) override;
  void accepted(Stream& stream) override;
  void abort(Stream& stream) override;
  void grant(Stream& stream, std::uint32_t delta_bytes) override;
  void keep_alive() override;
  void announce_drain() override;
  [[nodiscard]] bool has_urgent() const override { return !pongs_.empty(); }
  void append_urgent(std::string& out) override;

  // A frame of a stream: the stream of it, opened if it says so, or null when there is none (any
  // more) and the payload is skipped.
  Stream* stream_of(const yamux::Head& head);
  Stream* opened_by(const yamux::Head& head);
  [[nodiscard]] bool may_open(const yamux::Head& head);
  std::uint32_t on_data(const yamux::Head& head);
  void on_window_update(const yamux::Head& head);
  void on_ping(const yamux::Head& head);
  void on_go_away(const yamux::Head& head);
  // GoAway, and the end of the session.
  void refuse(const char* error);
  [[nodiscard]] static std::string frame_of(yamux::Type type, std::uint16_t flags, std::uint32_t id,
                                            std::uint32_t length);
  void say(yamux::Type type, std::uint16_t flags, std::uint32_t id, std::uint32_t length);

  const Role role_;
  wire::FrameReader<yamux::kHeadBytes> reader_;
  std::uint32_t body_id_ = 0;  // the stream whose payload comes; 0: skipped
  bool body_ends_ = false;     // ... and then is at its end
  std::deque<std::uint32_t> pongs_;
  std::uint32_t next_ping_ = 0;
};

}  // namespace mux
