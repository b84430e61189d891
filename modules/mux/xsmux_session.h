// A session of xtaci/smux, version 1 or 2: the first frame of the client has told which. Version 2
// has a window for each stream, version 1 none: its peers are only stopped by not reading them.
//
// Its clients lose what they have not read when our FIN comes after theirs, so that is sent late.
// One that has said FIN may have gone: a window that stays shut then is waited for only so long.
//
// There is no word for refusal. A FIN looks like an empty answer, so only a limit refuses, and a
// session that drains serves what is opened meanwhile and is kDone when no stream is open. The FIN
// of a refusal is late, too: xtaci/smux 1.5.16 knows its stream only after the SYN has left, and
// what comes earlier is lost on it.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "modules/mux/base_session.h"
#include "modules/mux/wire/frame_reader.h"
#include "modules/mux/wire/xsmux.h"

namespace mux {

class XsmuxSession final : public BaseSession {
 public:
  // `version` is 1 or 2.
  XsmuxSession(std::uint8_t version, Role role, const Limits& limits, Worker& worker,
               Listener& listener, Time now);

 private:
  // A stream that was refused, and when its FIN is due.
  struct Refusal {
    Time due;
    std::uint32_t id;
  };

  friend class wire::FrameReader<xsmux::kHeadBytes>;
  std::uint32_t on_head(std::string_view bytes);
  void on_body(std::string_view part, bool is_last);
  [[nodiscard]] bool goes_on() const { return ending() == Ending::kNone; }

  void parse(std::string_view bytes) override { reader_.read(bytes, *this); }
  void append_turn(Stream& stream, std::string_view payload, bool ends, std::string& out) override;
  [[nodiscard]] std::uint64_t peer_room(const Stream& stream) const override;
  [[nodiscard]] Turn turn_of(const Stream& stream) const override;
  void announce(Stream& stream) override { say(xsmux::Command::kSyn, stream.id); }
  void abort(Stream& stream) override;
  [[nodiscard]] bool is_forgettable(const Stream& stream) const override { return stream.is_ended; }
  [[nodiscard]] bool is_grant_due(const Stream& stream) const override;
  void grant(Stream& stream, std::uint32_t delta_bytes) override;
  void keep_alive() override;
  // Some switch their keepalive off; they are not missed.
  [[nodiscard]] bool must_speak() const override { return has_kept_alive_; }
  void changed(Stream& stream) override;
  void deadline_passed(Stream& stream) override;
  [[nodiscard]] std::optional<Time> own_wake_at() const override;
  void own_wake() override;
  // What is still late when the session ends leaves with it.
  [[nodiscard]] bool has_urgent() const override { return !refusals_.empty() && !goes_on(); }
  void append_urgent(std::string& out) override;

  [[nodiscard]] const char* fault_of(const xsmux::Head& head) const;
  // A frame without a payload, or with none left.
  void on_syn(std::uint32_t id);
  void on_fin(std::uint32_t id);
  void on_data(const xsmux::Head& head);
  void on_update(std::uint32_t id, const xsmux::Update& update);
  void refuse_stream(std::uint32_t id);
  // The end of the session, and of every stream.
  void refuse(const char* error);
  // All will have been sent but the FIN after so many bytes more, and the peer, whose own came
  // first, has perhaps not read it.
  [[nodiscard]] bool waits_for_reader(const Stream& stream, std::size_t more_bytes = 0) const;
  void say(xsmux::Command command, std::uint32_t id);

  const std::uint8_t version_;
  const Role role_;
  wire::FrameReader<xsmux::kHeadBytes> reader_;
  xsmux::Head frame_;             // of the frame that comes
  bool has_receiver_ = false;     // ... for its data, unless it has gone meanwhile
  std::string update_;            // what has come of it
  std::deque<Refusal> refusals_;  // in time; at most max_streams
  bool has_kept_alive_ = false;
};

}  // namespace mux
