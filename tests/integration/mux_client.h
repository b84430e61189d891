// A daemon that serves streams, and a client of all their protocols: a socket around a session in
// the client's role. What a sound client never sends is written by hand, as frames.
#pragma once

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "modules/mux/protocol.h"
#include "tests/support/client.h"
#include "tests/support/daemon.h"
#include "tests/support/proc.h"

namespace drover::test {

struct MuxServers {
  std::string mux = {};     // more lines of the server that carries streams
  std::string inner = {};   // ... of the one that serves them
  std::string drover = {};  // ... of [drover]
  int workers = 1;
  std::string protocol = "echo";  // of the inner one
};

inline std::string mux_config(const MuxServers& servers = {}) {
  return config("workers = " + std::to_string(servers.workers) +
                    "\nworking_directory = {dir}\nload = " + built("modules/mux.so") + "\n" +
                    servers.drover,
                "\n[server inner]\nprotocol = " + servers.protocol + "\n" + servers.inner +
                    "\n[server streams]\nlisten = 127.0.0.1:{port}\nprotocol = mux\n"
                    "mux.serve = inner\n" +
                    servers.mux);
}

inline std::int64_t mux_number(Daemon& daemon, const std::string& name) {
  return daemon.status().metric("streams", name);
}
inline bool wait_for_mux_number(Daemon& daemon, const std::string& name, std::int64_t least) {
  return daemon.wait_for_status(
      [&](const DaemonStatus& now) { return now.metric("streams", name) >= least; });
}

// Bytes that differ from place to place and from stream to stream.
inline std::string random_bytes(std::size_t size, std::uint32_t seed) {
  std::minstd_rand numbers(seed + 1);
  std::string bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>(numbers() >> 8);
  return bytes;
}

// Frames, as mux.md lays them out.
inline std::string big(std::uint64_t value, int size_bytes) {
  std::string out;
  while (size_bytes-- > 0) out += static_cast<char>(value >> (8 * size_bytes));
  return out;
}
inline std::string little(std::uint64_t value, int size_bytes) {
  std::string out;
  for (int i = 0; i < size_bytes; ++i) out += static_cast<char>(value >> (8 * i));
  return out;
}
inline std::string smux_frame(std::uint32_t id, bool ends, const std::string& bytes) {
  return big(bytes.size(), 2) + big(0, 1) + big(ends ? 1 : 0, 1) + big(id, 4) + bytes;
}
enum XsmuxCommand : std::uint8_t { kSyn, kFin, kPsh, kNop, kUpd };
inline std::string xsmux_frame(int version, XsmuxCommand command, std::uint32_t id,
                               const std::string& bytes = "") {
  return little(static_cast<std::uint64_t>(version), 1) + little(command, 1) +
         little(bytes.size(), 2) + little(id, 4) + bytes;
}
enum YamuxType : std::uint8_t { kYamuxData, kYamuxWindow, kYamuxPing, kYamuxGoAway };
enum YamuxFlag : std::uint16_t { kYamuxSyn = 1, kYamuxAck = 2, kYamuxFin = 4, kYamuxRst = 8 };
inline std::string yamux_head(YamuxType type, unsigned flags, std::uint32_t id,
                              std::uint32_t length) {
  return big(0, 1) + big(type, 1) + big(flags, 2) + big(id, 4) + big(length, 4);
}
inline std::string yamux_data(unsigned flags, std::uint32_t id, const std::string& bytes) {
  return yamux_head(kYamuxData, flags, id, static_cast<std::uint32_t>(bytes.size())) + bytes;
}

// One stream of a client, from its side.
struct MuxStream {
  mux::Stream* stream = nullptr;  // null: it is over
  std::string to_send;
  std::size_t sent = 0;
  bool ends = true;   // behind what is to be sent
  bool reads = true;  // false: takes what comes, and never says that it used it
  std::string received;
  std::size_t unused = 0;  // bytes received that were not said to be used
  bool has_ended = false;  // the server has
  bool is_broken = false;
  bool wants_push = false;  // the session takes more
};

class MuxClient final : private mux::Listener {
 public:
  MuxClient(Daemon& daemon, mux::Protocol protocol, const std::string& source = "")
      : MuxClient(Client(Endpoint::v4(daemon.port()), source), protocol) {}
  MuxClient(Client client, mux::Protocol protocol)
      : client_(std::move(client)),
        session_(mux::make_session(protocol, mux::Role::kClient, limits_, worker_, *this, now())) {}
  ~MuxClient() { session_.reset(); }

  // How many bytes a call of send may have; all: 0.
  void dribble(std::size_t bytes) { most_at_once_ = bytes; }

  // Null: the session opens no more. Lives as long as the client.
  MuxStream* open(std::string bytes, bool ends = true) {
    mux::Stream* stream = session_->open(now());
    if (stream == nullptr) return nullptr;
    MuxStream& mine = *streams_.emplace_back(std::make_unique<MuxStream>());
    mine.stream = stream;
    mine.to_send = std::move(bytes);
    mine.ends = ends;
    stream->owner = &mine;
    push(mine);
    return &mine;
  }
  void end(MuxStream& mine) {
    mine.ends = true;
    push(mine);
  }
  // Sends more on a stream that was opened without an end.
  void say(MuxStream& mine, const std::string& bytes) {
    mine.to_send += bytes;
    push(mine);
  }
  void close(MuxStream& mine, bool is_in_order = true) {
    if (mine.stream != nullptr)
      session_->close(*std::exchange(mine.stream, nullptr), is_in_order, now());
  }
  // Of one that is over: a client that opens thousands must not keep them.
  void forget(MuxStream& mine) {
    close(mine);
    std::erase_if(streams_, [&](const auto& one) { return one.get() == &mine; });
  }
  // Of one that does not read by itself.
  void use(MuxStream& mine, std::size_t size_bytes) {
    const std::size_t used = std::min(size_bytes, mine.unused);
    mine.unused -= used;
    if (mine.stream != nullptr) session_->consumed(*mine.stream, used, now());
  }
  void use_all(MuxStream& mine) {
    mine.reads = true;
    if (mine.stream != nullptr)
      session_->consumed(*mine.stream, std::exchange(mine.unused, 0), now());
  }

  // True as soon as `done` holds; false at the deadline or when the connection has ended.
  template <class Done>
  bool run_until(Done done, Millis patience = kPatience) {
    const auto end = Clock::now() + patience;
    while (!done()) {
      if (has_ended_ || Clock::now() >= end) return done();
      turn(Millis{20});
    }
    return true;
  }
  bool run_until_ended(const MuxStream& mine, Millis patience = kPatience) {
    return run_until([&] { return mine.has_ended || mine.is_broken; }, patience);
  }
  // Waits at most so long for what happens, once.
  void turn(Millis at_most) {
    flush();
    pollfd entry{client_.fd(), static_cast<short>(POLLIN | (out_.empty() ? 0 : POLLOUT)), 0};
    if (::poll(&entry, 1, static_cast<int>(at_most.count())) > 0 && (entry.revents & ~POLLOUT) != 0)
      receive();
    const auto wake_at = session_->wake_at();
    if (wake_at && *wake_at <= now()) session_->wake(now());
    serve_streams();
    flush();
    serve_streams();
  }
  bool wait_for_end(Millis patience = kPatience) {
    run_until([] { return false; }, patience);
    return has_ended_;
  }

  // Of the connection: what the session would still say (windows, for one) is dropped.
  void half_close() {
    flush();
    client_.half_close();
    is_half_closed_ = true;
  }

  [[nodiscard]] bool has_ended() const { return has_ended_; }
  [[nodiscard]] mux::Session& session() { return *session_; }
  [[nodiscard]] Client& socket() { return client_; }

 private:
  static mux::Time now() {
    return std::chrono::duration_cast<mux::Time>(Clock::now().time_since_epoch());
  }
  static MuxStream& of(mux::Stream& stream) { return *static_cast<MuxStream*>(stream.owner); }

  void push(MuxStream& mine) {
    if (mine.stream == nullptr) return;
    mine.sent += session_->write(*mine.stream, std::string_view(mine.to_send).substr(mine.sent));
    if (mine.sent == mine.to_send.size() && mine.ends && !mine.stream->is_ending)
      session_->end(*mine.stream);
  }
  void flush() {
    if (out_.size() < 65'536 && session_->has_output()) session_->send(out_, 262'144, now());
    if (is_half_closed_) out_.clear();
    while (!out_.empty() && !has_ended_) {
      const std::string_view all(out_);
      const std::string_view part = most_at_once_ == 0 ? all : all.substr(0, most_at_once_);
      const ssize_t sent =
          ::send(client_.fd(), part.data(), part.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
      if (sent < 0 && errno != EAGAIN) has_ended_ = true;
      if (sent <= 0) return;
      out_.erase(0, static_cast<std::size_t>(sent));
    }
  }
  void receive() {
    std::string bytes(262'144, '\0');
    const ssize_t count = ::recv(client_.fd(), bytes.data(), bytes.size(), MSG_DONTWAIT);
    if (count == 0 || (count < 0 && errno != EAGAIN)) has_ended_ = true;
    if (count <= 0) return;
    bytes.resize(static_cast<std::size_t>(count));
    session_->receive(bytes, now());
  }
  void serve_streams() {
    for (const auto& mine : streams_) {
      if (mine->stream == nullptr) continue;
      if (mine->reads && mine->unused > 0)
        session_->consumed(*mine->stream, std::exchange(mine->unused, 0), now());
      if (std::exchange(mine->wants_push, false)) push(*mine);
    }
  }

  bool opened(mux::Stream& /*stream*/) override { return false; }
  void data(mux::Stream& stream, std::string_view bytes) override {
    of(stream).received.append(bytes);
    of(stream).unused += bytes.size();
  }
  void ended(mux::Stream& stream) override { of(stream).has_ended = true; }
  void broken(mux::Stream& stream) override {
    of(stream).is_broken = true;
    of(stream).stream = nullptr;
  }
  void writable(mux::Stream& stream) override { of(stream).wants_push = true; }

  Client client_;
  mux::Limits limits_{};
  mux::Worker worker_{};
  std::unique_ptr<mux::Session> session_;
  std::vector<std::unique_ptr<MuxStream>> streams_;
  std::string out_;
  std::size_t most_at_once_ = 0;
  bool has_ended_ = false;
  bool is_half_closed_ = false;
};

// Of a row of tests.
inline std::string protocol_name(const testing::TestParamInfo<mux::Protocol>& row) {
  constexpr std::array kNames{"Smux", "Xsmux1", "Xsmux2", "Yamux"};
  return kNames.at(static_cast<std::size_t>(row.param));
}

inline std::size_t ended(const std::vector<MuxStream*>& streams) {
  return static_cast<std::size_t>(
      std::ranges::count_if(streams, [](const MuxStream* one) { return one->has_ended; }));
}

inline void expect_echo(MuxClient& client, const std::string& bytes) {
  MuxStream* stream = client.open(bytes);
  ASSERT_NE(stream, nullptr);
  EXPECT_TRUE(client.run_until_ended(*stream));
  EXPECT_TRUE(stream->has_ended);
  EXPECT_TRUE(stream->received == bytes) << stream->received.size() << " of " << bytes.size();
}

}  // namespace drover::test
