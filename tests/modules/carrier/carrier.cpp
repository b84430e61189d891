// Carries streams in length-prefixed frames; each is a connection of the server `carrier.serve`.
// A frame: stream (4 bytes, big-endian), type (1), length (3), so many bytes. A stream begins with
// its first frame. Each side may send 64 KiB of a stream, and as many again as the other has
// credited (4 bytes, big-endian).
#include <algorithm>
#include <array>
#include <map>
#include <vector>

#include "modules/sdk/module.hpp"

namespace {

enum class Type : std::uint8_t { kData, kEnd, kReset, kCredit };

constexpr std::size_t kHeader = 8;
constexpr std::size_t kWindow = 65'536;
constexpr std::size_t kLongestFrame = 16'384;

std::uint32_t number(std::string_view bytes) {
  std::uint32_t value = 0;
  for (const char byte : bytes) value = value << 8 | static_cast<std::uint8_t>(byte);
  return value;
}

std::string bytes_of(std::uint32_t value, int size) {
  std::string out;
  while (size-- > 0) out += static_cast<char>(value >> (8 * size));
  return out;
}

class Carried;

struct Session {
  drover_conn conn = 0;
  std::map<std::uint32_t, Carried*> streams;
  const drover_server* server = nullptr;
  bool retries = false;    // opens a stream that was broken off once more
  bool is_ending = false;  // takes no new streams, and goes with the last
};

void send(const drover::Host& host, drover_conn conn, std::uint32_t stream, Type type,
          std::string_view bytes) {
  host.write(conn, bytes_of(stream, 4) + static_cast<char>(type) +
                       bytes_of(static_cast<std::uint32_t>(bytes.size()), 3));
  host.write(conn, bytes);
}

class Carried final : public drover::Stream {
 public:
  Carried(const drover::Host& host, Session& session, std::uint32_t id)
      : host_(host), session_(session), id_(id) {}

  drover_conn child = 0;

  // From the peer.
  void give(std::string_view bytes) {
    if (bytes.size() > window_) return host_.child_reset(child);
    window_ -= bytes.size();
    host_.child_data(child, bytes);
  }
  void credit(std::size_t size_bytes) {
    credit_ += size_bytes;
    host_.child_writable(child);
  }

  std::size_t write(std::span<const drover_slice> slices) override {
    std::size_t taken = 0;
    for (const drover_slice& slice : slices) {
      const std::string_view bytes(static_cast<const char*>(slice.data), slice.size);
      taken += write_some(bytes);
    }
    return taken;
  }
  void half_close() override { say(Type::kEnd, {}); }
  void consumed(std::size_t size_bytes) override {
    window_ += size_bytes;
    say(Type::kCredit, bytes_of(static_cast<std::uint32_t>(size_bytes), 4));
  }
  void closed(drover_close_reason /*reason*/, bool is_in_order) override {
    if (!is_in_order) say(Type::kReset, {});
    if (!is_in_order && session_.retries) {  // as a pool would; refused where the session ends
      auto again = std::make_unique<Carried>(host_, session_, id_);
      again->child = host_.open_child(session_.conn, session_.server, *again);
      if (again->child != 0) session_.streams[id_] = again.release();
    }
    if (is_in_order && !has_ended_) say(Type::kEnd, {});
    const auto mine = session_.streams.find(id_);
    if (mine != session_.streams.end() && mine->second == this) session_.streams.erase(mine);
    if (session_.is_ending && session_.streams.empty()) host_.close(session_.conn);
    delete this;
  }

 private:
  // Nothing while the connection is behind: it is asked again in on_writable.
  std::size_t write_some(std::string_view bytes) {
    std::size_t taken = 0;
    while (host_.pending_output(session_.conn) <= DROVER_HIGH_WATER) {
      const std::string_view part = bytes.substr(taken, std::min(credit_, kLongestFrame));
      if (part.empty()) break;
      say(Type::kData, part);
      credit_ -= part.size();
      taken += part.size();
    }
    return taken;
  }
  void say(Type type, std::string_view bytes) {
    if (type == Type::kEnd) has_ended_ = true;
    send(host_, session_.conn, id_, type, bytes);
  }

  drover::Host host_;
  Session& session_;
  std::uint32_t id_;
  std::size_t credit_ = kWindow;  // that we may send
  std::size_t window_ = kWindow;  // that the peer may send
  bool has_ended_ = false;
};

class Carrier {
 public:
  static constexpr drover::Directive kDirectives[] = {
      {.name = "serve", .type = DROVER_SERVER, .help = "server whose connections the streams are"},
      {.name = "retry",
       .type = DROVER_FLAG,
       .default_text = "off",
       .help = "open a stream that was broken off once more"}};

  using State = Session;
  static constexpr std::uint64_t kFreezeVersion = 1;

  Carrier(drover::Host host, drover::Config config)
      : host_(host),
        server_(host.server(std::string(config.text("serve")).c_str())),
        retries_(config.flag("retry")) {}

  void on_open(drover_conn conn, Session& session) {
    session.conn = conn;
    session.server = server_;
    session.retries = retries_;
  }

  std::size_t on_data(drover_conn conn, Session& session, std::string_view bytes) {
    std::size_t consumed = 0;
    while (bytes.size() - consumed >= kHeader) {
      const std::string_view header = bytes.substr(consumed, kHeader);
      const std::size_t length = number(header.substr(5));
      if (length > kWindow) {
        host_.close(conn);
        return bytes.size();
      }
      if (bytes.size() - consumed < kHeader + length) break;
      on_frame(session, number(header.substr(0, 4)), static_cast<Type>(header[4]),
               bytes.substr(consumed + kHeader, length));
      consumed += kHeader + length;
    }
    return consumed;
  }

  void on_writable(drover_conn /*conn*/, Session& session) {
    for (const auto& [id, stream] : session.streams) host_.child_writable(stream->child);
  }
  void on_eof(drover_conn conn, Session& session) {
    for (const auto& [id, stream] : session.streams) host_.child_end(stream->child);
    end(conn, session);
  }
  void on_drain(drover_conn conn, Session& session) { end(conn, session); }

  // Only without streams, which stay where they are; then there is nothing to take along.
  std::optional<std::string> freeze(drover_conn /*conn*/, Session& /*session*/) { return ""; }
  bool thaw(drover_conn conn, Session& session, std::uint64_t /*version*/,
            std::string_view /*blob*/) {
    on_open(conn, session);
    return true;
  }

 private:
  void on_frame(Session& session, std::uint32_t id, Type type, std::string_view bytes) {
    const auto found = session.streams.find(id);
    Carried* stream = found == session.streams.end() ? nullptr : found->second;
    const bool begins = type == Type::kData || type == Type::kEnd;
    if (stream == nullptr && begins) stream = open(session, id);
    if (stream == nullptr) return;
    switch (type) {
      case Type::kData:
        return stream->give(bytes);
      case Type::kEnd:
        return host_.child_end(stream->child);
      case Type::kReset:
        return host_.child_reset(stream->child);
      case Type::kCredit:
        return stream->credit(number(bytes));
    }
  }

  Carried* open(Session& session, std::uint32_t id) {
    auto stream = std::make_unique<Carried>(host_, session, id);
    if (!session.is_ending) stream->child = host_.open_child(session.conn, server_, *stream);
    if (stream->child == 0) {
      send(host_, session.conn, id, Type::kReset, {});
      return nullptr;
    }
    return session.streams[id] = stream.release();
  }

  void end(drover_conn conn, Session& session) {
    session.is_ending = true;
    if (session.streams.empty()) host_.close(conn);
  }

  drover::Host host_;
  const drover_server* server_;
  bool retries_;
};

}  // namespace

DROVER_MODULE(Carrier, "carrier", "1.0");
