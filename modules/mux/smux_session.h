// A session of monochromegane/smux. Its protocol has two words, data and end, and clients that lose
// what comes too early or in too many frames: so an answer waits until its request has ended, and
// leaves in ten frames if it can.
//
// Nothing can be refused in it but by an end, and nobody can be asked to leave: a server that
// drains serves what still comes, and is never kDone before cut(). Its clients hang when the
// connection is closed under them, so silence ends no session either.
#pragma once

#include <unordered_set>

#include "modules/mux/framed_session.h"
#include "modules/mux/wire/smux.h"

namespace mux {

class SmuxSession final : public FramedSession {
 public:
  SmuxSession(Role role, const Limits& limits, Worker& worker, Listener& listener, Time now);

 private:
  std::size_t begin_frame(std::string_view head) override;
  void take_payload(std::string_view bytes) override;
  void end_frame() override;
  [[nodiscard]] bool may_send(const Stream& stream) const override;
  [[nodiscard]] bool may_answer(const Stream& stream) const;
  void append_frame(std::string& out, Stream& stream) override;
  void say_end(std::uint32_t id) override;
  void say_open(Stream& /*stream*/) override {}  // the first data do
  [[nodiscard]] std::size_t output_limit(const Stream& stream) const override;
  void on_forgotten_early(std::uint32_t id) override;
  // Two streams of a server's own stop its client for good.
  [[nodiscard]] bool may_open_own() const override { return role_ == Role::kClient; }
  [[nodiscard]] bool is_done_when_drained() const override { return role_ == Role::kClient; }
  [[nodiscard]] bool serves_while_drained() const override { return true; }

  [[nodiscard]] Stream* stream_of(const smux::Head& head);
  [[nodiscard]] std::size_t longest_frame(const Stream& stream) const;
  void skip(std::uint32_t id);

  smux::Head frame_;  // of the frame that comes
  // We have ended these, and the peer has not: as many as there may be streams.
  std::unordered_set<std::uint32_t> skipped_;
};

}  // namespace mux
