// A session of monochromegane/smux. Its protocol has two words, data and end, and clients that lose
// what comes too early or in too many frames: so an answer waits until its request has ended, and
// leaves in ten frames if it can.
//
// Nothing can be refused in it but by an end, and nobody can be asked to leave: a server that
// drains serves what still comes, and is never kDone before cut(). Its clients hang when the
// connection is closed under them, so silence ends no session either.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_set>

#include "modules/mux/base_session.h"
#include "modules/mux/wire/frame_reader.h"
#include "modules/mux/wire/smux.h"

namespace mux {

class SmuxSession final : public BaseSession {
 public:
  SmuxSession(Role role, const Limits& limits, Worker& worker, Listener& listener, Time now);

 private:
  friend class wire::FrameReader<smux::kHeadBytes>;
  std::uint32_t on_head(std::string_view bytes);
  void on_body(std::string_view part, bool is_last);
  [[nodiscard]] bool goes_on() const { return ending() == Ending::kNone; }

  void parse(std::string_view bytes) override { reader_.read(bytes, *this); }
  void append_turn(Stream& stream, std::string_view payload, bool ends, std::string& out) override;
  [[nodiscard]] Turn turn_of(const Stream& stream) const override;
  [[nodiscard]] std::size_t most_pending(const Stream& stream) const override;
  void announce(Stream& /*stream*/) override {}  // the first data do
  void abort(Stream& stream) override;
  [[nodiscard]] bool is_forgettable(const Stream& stream) const override { return stream.is_ended; }
  void forgotten(const Stream& stream) override;
  [[nodiscard]] bool must_speak() const override { return false; }

  [[nodiscard]] Stream* stream_of(const smux::Head& head);
  void end_frame();
  [[nodiscard]] bool may_send(const Stream& stream) const;
  [[nodiscard]] bool may_answer(const Stream& stream) const;
  [[nodiscard]] std::size_t longest_frame(const Stream& stream) const;
  void skip(std::uint32_t id);
  void say_end(std::uint32_t id);
  // The end of the session, and of every stream.
  void refuse(const char* error);

  const Role role_;
  wire::FrameReader<smux::kHeadBytes> reader_;
  smux::Head frame_;           // of the frame that comes
  bool has_receiver_ = false;  // ... for its payload and its end, unless it has gone meanwhile
  // We have ended these, and the peer has not: as many as there may be streams.
  std::unordered_set<std::uint32_t, IdHash> skipped_;
};

}  // namespace mux
