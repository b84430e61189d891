// A session of xtaci/smux, version 1 or 2: the first frame of the client has told which. Version 2
// has a window for each stream, version 1 none: its peers are only stopped by not reading them.
//
// Its clients lose what they have not read when our FIN comes after theirs, so that is sent late.
// One that has said FIN may have gone: a window that stays shut then is waited for only so long.
#pragma once

#include "modules/mux/framed_session.h"
#include "modules/mux/wire/xsmux.h"

namespace mux {

class XsmuxSession final : public FramedSession {
 public:
  // `version` is 1 or 2.
  XsmuxSession(std::uint8_t version, Role role, const Limits& limits, Worker& worker,
               Listener& listener, Time now);

 private:
  std::size_t begin_frame(std::string_view head) override;
  void take_payload(std::string_view bytes) override;
  void end_frame() override;
  [[nodiscard]] bool may_send(const Stream& stream) const override;
  void append_frame(std::string& out, Stream& stream) override;
  void say_end(std::uint32_t id) override { say(xsmux::Command::kFin, id); }
  void say_open(Stream& stream) override { say(xsmux::Command::kSyn, stream.id); }
  void say_alive() override { say(xsmux::Command::kNop, 0); }
  [[nodiscard]] std::size_t output_limit(const Stream& /*stream*/) const override {
    return limits_.max_stream_output;
  }
  void on_consumed(Stream& stream) override;
  void set_wait(Stream& stream) override;
  bool end_wait(Stream& stream) override;
  // Some switch their keepalive off; they are not missed.
  [[nodiscard]] bool expects_life() const override { return has_kept_alive_; }
  [[nodiscard]] bool keeps_alive() const override { return true; }

  [[nodiscard]] const char* fault_of(const xsmux::Head& head) const;
  [[nodiscard]] Stream* receiver_of(const xsmux::Head& head);
  void take_update(const xsmux::Update& update);
  [[nodiscard]] std::size_t window_of(const Stream& stream) const;
  [[nodiscard]] bool waits_for_reader(const Stream& stream) const;
  void say(xsmux::Command command, std::uint32_t id, std::uint16_t length = 0);

  const std::uint8_t version_;
  xsmux::Head frame_;   // of the frame that comes
  std::string update_;  // what has come of it
  bool has_kept_alive_ = false;
};

}  // namespace mux
