// A session of streams between any peer and any owner: the first bytes choose the protocol, the
// role and the limits, the others are what peer and owner do. Whatever that is: no limit is passed,
// no window, nothing follows an end, and nothing stays counted.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "modules/mux/protocol.h"
#include "modules/mux/wire/smux.h"
#include "modules/mux/wire/xsmux.h"
#include "modules/mux/wire/yamux.h"

namespace {

using Kind = mux::Protocol;
using mux::Ending;
using mux::Role;
using mux::Session;
using mux::Stream;
using mux::Time;

void check(bool holds) {
  if (!holds) __builtin_trap();
}

class Script {
 public:
  explicit Script(std::string_view bytes) : bytes_(bytes) {}
  [[nodiscard]] bool is_over() const { return bytes_.empty(); }
  std::uint8_t byte() {
    if (bytes_.empty()) return 0;
    const auto byte = static_cast<std::uint8_t>(bytes_.front());
    bytes_.remove_prefix(1);
    return byte;
  }
  std::string_view take(std::size_t size) {
    const auto part = bytes_.substr(0, size);
    bytes_.remove_prefix(part.size());
    return part;
  }

 private:
  std::string_view bytes_;
};

class Owner final : public mux::Listener {
 public:
  bool opened(Stream& stream) override {
    check(!is_over);
    has_ended.erase(stream.id);
    fresh.insert(stream.id);
    if (++opens % 7 == 0) return false;
    add(stream);
    return true;
  }
  void data(Stream& stream, std::string_view bytes) override {
    check(!is_over && !bytes.empty() && owns(stream) && !ended_by_peer.contains(&stream));
  }
  void ended(Stream& stream) override {
    check(!is_over && owns(stream) && ended_by_peer.insert(&stream).second);
  }
  void broken(Stream& stream) override {
    check(owns(stream));
    forget(stream);
  }
  void writable(Stream& stream) override { check(!is_over && owns(stream)); }

  void add(Stream& stream) { streams.push_back(&stream); }
  void forget(Stream& stream) {
    std::erase(streams, &stream);
    ended_by_peer.erase(&stream);
  }
  [[nodiscard]] bool owns(const Stream& stream) const {
    return std::find(streams.begin(), streams.end(), &stream) != streams.end();
  }
  // A live one. Null: there is none.
  Stream* pick(std::uint8_t byte) {
    return streams.empty() ? nullptr : streams[byte % streams.size()];
  }

  std::vector<Stream*> streams;
  std::set<Stream*> ended_by_peer;
  std::set<std::uint32_t> has_ended;  // numbers whose end we have sent
  // Opened since all was sent: the end of one that had the number before may still be queued.
  std::set<std::uint32_t> fresh;
  std::size_t opens = 0;
  bool is_over = false;  // the session has ended: no more is told
};

class Run {
 public:
  explicit Run(Script script) : script_(script) {
    kind_ = static_cast<Kind>(script_.byte() % 4);
    version_ = kind_ == Kind::kXsmux1 ? 1 : 2;
    role_ = script_.byte() % 4 == 0 ? Role::kClient : Role::kServer;
    set_limits(script_.byte());
    session_ = mux::make_session(kind_, role_, limits_, worker_, owner_, now_);
  }

  void all() {
    while (!script_.is_over()) {
      step();
      look();
    }
    session_.reset();
    check(worker_.memory_used == 0 && worker_.window_used == 0);
  }

 private:
  void set_limits(std::uint8_t choice) {
    limits_.max_streams = choice % 2 == 0 ? 5 : 100;
    limits_.opens_per_second = choice / 2 % 2 == 0 ? 0 : 3;
    limits_.max_session_input = choice / 4 % 2 == 0 ? 1'000 : 20'000;
    limits_.max_session_output = choice / 8 % 2 == 0 ? 1'000 : 30'000;
    limits_.max_stream_output = choice / 16 % 2 == 0 ? 500 : 20'000;
    limits_.max_held_answer = choice / 32 % 2 == 0 ? 500 : 20'000;
    limits_.max_window = choice / 64 % 2 == 0 ? 1'000 : 1'000'000;
    limits_.fin_delay = Time{choice / 64 % 2 == 0 ? 0 : 20};
    worker_.memory_limit = choice / 128 % 2 == 0 ? 2'000 : 50'000;
    worker_.window_limit = 600'000;
  }

  void step() {
    const std::uint8_t action = script_.byte() % 16;
    if (action < 5) return frame();
    if (action == 5) return receive(script_.take(script_.byte()));
    if (action == 6) return open();
    if (action < 10) return send(script_.byte());
    if (action == 10) return pass(Time{script_.byte() * script_.byte()});
    if (action == 11) return finish(script_.byte());
    if (Stream* stream = owner_.pick(script_.byte())) use(*stream, action);
  }

  void receive(std::string_view bytes) {
    const std::string copy(bytes);  // so that a look beyond is seen
    received_ += copy.size();
    session_->receive(copy, now_);
  }

  // One that is likely to mean something.
  void frame() {
    const std::uint32_t id = script_.byte() % 12;
    const std::size_t size = script_.byte() * (script_.byte() % 8 == 0 ? 17U : 1U);
    const std::uint8_t kind = script_.byte();
    std::string bytes;
    if (kind_ == Kind::kYamux) {
      bytes = yamux_frame(id, size, kind);
    } else if (kind_ == Kind::kSmux) {
      mux::smux::append_head(bytes, {.length = static_cast<std::uint16_t>(size),
                                     .flag = static_cast<std::uint8_t>(kind % 2),
                                     .id = id});
    } else {
      const auto command = static_cast<mux::xsmux::Command>(kind % 5);
      const bool is_data = command == mux::xsmux::Command::kPush;
      const bool is_update = command == mux::xsmux::Command::kUpdate && version_ == 2;
      const std::size_t length = is_data ? size : is_update ? 8 : 0;
      mux::xsmux::append_head(bytes, {.version = static_cast<std::uint8_t>(version_),
                                      .command = command,
                                      .length = static_cast<std::uint16_t>(length),
                                      .id = id});
      if (is_update) {
        const Stream* stream = owner_.pick(script_.byte());
        const auto sent = static_cast<std::uint32_t>(stream == nullptr ? 0 : stream->sent);
        mux::xsmux::append_update(
            bytes, {.consumed = sent - sent * (kind % 4) / 4, .window = script_.byte() * 1'000U});
      }
      bytes.append(is_data ? size : 0, 'd');
    }
    if (kind_ == Kind::kSmux) bytes.append(size, 'd');
    const std::size_t cut = kind % 9 == 0 ? script_.byte() : bytes.size();
    receive(std::string_view(bytes).substr(0, cut));
    receive(std::string_view(bytes).substr(std::min(cut, bytes.size())));
  }

  static std::string yamux_frame(std::uint32_t id, std::size_t size, std::uint8_t kind) {
    const auto type = static_cast<mux::yamux::Type>(kind % 8 == 7   ? 3
                                                    : kind % 8 == 6 ? 2
                                                                    : kind % 2);
    const auto flags = static_cast<std::uint16_t>(kind / 8 % 16);
    const bool is_data = type == mux::yamux::Type::kData;
    const auto length =
        static_cast<std::uint32_t>(type == mux::yamux::Type::kGoAway && kind < 128 ? 0 : size);
    std::string bytes;
    mux::yamux::append_head(bytes, {.type = type, .flags = flags, .id = id, .length = length});
    return bytes.append(is_data ? size : 0, 'd');
  }

  void open() {
    Stream* stream = session_->open(now_);
    if (stream == nullptr) return;
    owner_.has_ended.erase(stream->id);
    owner_.fresh.insert(stream->id);
    owner_.add(*stream);
  }

  void use(Stream& stream, std::uint8_t action) {
    if (action == 12) {
      const std::string bytes(script_.byte() * 40U, 'w');
      check(session_->write(stream, bytes) <= bytes.size());
    } else if (action == 13) {
      session_->end(stream);
    } else if (action == 14) {
      const auto waiting = static_cast<std::size_t>(stream.received - stream.consumed);
      session_->consumed(stream, waiting / (1 + script_.byte() % 3), now_);
    } else {
      owner_.forget(stream);
      session_->close(stream, script_.byte() % 3 != 0, now_);
    }
  }

  void send(std::size_t room) {
    std::map<const Stream*, std::uint64_t> most;
    for (const Stream* stream : owner_.streams)
      most[stream] = std::max(stream->allowed, stream->sent);
    const bool has_output = session_->has_output();
    std::string out;
    session_->send(out, room * 200, now_);
    check(has_output || has_only_notices(out));
    for (const Stream* stream : owner_.streams)
      check(!has_windows() || stream->sent <= most[stream]);
    read(out);
    if (out.size() >= room * 200) return;  // control frames may be left
    for (const std::uint32_t id : owner_.fresh) owner_.has_ended.erase(id);
    owner_.fresh.clear();
  }

  // What may wait, and is no output until it has.
  [[nodiscard]] bool has_only_notices(std::string_view out) const {
    while (!out.empty()) {
      if (kind_ == Kind::kYamux) {
        const auto head = mux::yamux::head_at(out);
        if (head.type != mux::yamux::Type::kWindowUpdate || head.flags != mux::yamux::kAck)
          return false;
        out.remove_prefix(mux::yamux::kHeadBytes);
      } else {
        const auto head = mux::xsmux::head_at(out);
        if (kind_ == Kind::kSmux || head.command != mux::xsmux::Command::kUpdate) return false;
        out.remove_prefix(mux::xsmux::kHeadBytes + head.length);
      }
    }
    return true;
  }

  void read(std::string_view out) {
    while (!out.empty()) {
      out.remove_prefix(kind_ == Kind::kYamux  ? read_yamux(out)
                        : kind_ == Kind::kSmux ? read_smux(out)
                                               : read_xsmux(out));
    }
  }

  void check_order(std::uint32_t id, bool has_data, bool is_end) {
    if (has_data && owner_.fresh.contains(id)) owner_.has_ended.erase(id);
    check(!has_data || !owner_.has_ended.contains(id));
    if (is_end) owner_.has_ended.insert(id);
  }

  std::size_t read_smux(std::string_view out) {
    check(out.size() >= mux::smux::kHeadBytes);
    const auto head = mux::smux::head_at(out);
    check(head.type == 0 && head.flag <= 1 && out.size() >= 8U + head.length);
    check(head.length > 0 || head.flag == 1);
    check_order(head.id, head.length > 0, head.flag == 1);
    return 8U + head.length;
  }

  std::size_t read_xsmux(std::string_view out) {
    check(out.size() >= mux::xsmux::kHeadBytes);
    const auto head = mux::xsmux::head_at(out);
    const bool is_data = head.command == mux::xsmux::Command::kPush;
    const bool is_update = head.command == mux::xsmux::Command::kUpdate;
    check(head.version == version_ && head.command <= mux::xsmux::Command::kUpdate);
    check(out.size() >= 8U + head.length && head.length <= mux::kLargestDataFrame);
    check(is_data ? head.length > 0 : head.length == (is_update ? 8 : 0));
    check(!is_update || version_ == 2);
    check_order(head.id, is_data, head.command == mux::xsmux::Command::kFin);
    return 8U + head.length;
  }

  std::size_t read_yamux(std::string_view out) {
    check(out.size() >= mux::yamux::kHeadBytes);
    const auto head = mux::yamux::head_at(out);
    const bool is_data = head.type == mux::yamux::Type::kData;
    const std::size_t size = mux::yamux::kHeadBytes + (is_data ? head.length : 0);
    check(head.version == 0 && static_cast<std::uint8_t>(head.type) <= mux::yamux::kLastType);
    check(out.size() >= size);
    check(!is_data || (head.flags == 0 && head.length > 0));
    check(!is_data || head.length <= mux::kLargestDataFrame);
    if (head.id > 0) check_order(head.id, is_data, head.has(mux::yamux::kFin | mux::yamux::kRst));
    return size;
  }

  [[nodiscard]] bool has_windows() const { return kind_ == Kind::kXsmux2 || kind_ == Kind::kYamux; }

  void pass(Time span) {
    now_ += span;
    if (session_->wake_at() && *session_->wake_at() <= now_) session_->wake(now_);
  }

  void finish(std::uint8_t choice) {
    if (choice % 16 == 0) {
      session_->cut(now_);
      check(session_->ending() != Ending::kNone);
    } else if (choice % 4 == 0) {
      session_->drain(now_);
    }
  }

  // The limit, one more frame in either direction, what a session may have of a full worker, and
  // where there are no windows what came in one piece before it was read no more.
  [[nodiscard]] std::size_t most_memory() const {
    return worker_.memory_limit + mux::kModestInput + 2 * mux::kLargestDataFrame +
           (has_windows() ? 0 : received_);
  }

  void look() {
    check(worker_.memory_used <= most_memory());
    check(worker_.window_used <= worker_.window_limit);
    check(session_->streams() <= limits_.max_streams);
    check(session_->streams() >= owner_.streams.size());
    const bool is_over = session_->ending() != Ending::kNone;
    check(is_over || !owner_.is_over);
    owner_.is_over = is_over;
    check(!is_over || (!session_->reads() && !session_->wake_at()));
  }

  Script script_;
  Kind kind_ = Kind::kSmux;
  std::uint8_t version_ = 1;  // of xsmux
  std::size_t received_ = 0;  // bytes
  Role role_ = Role::kServer;
  mux::Limits limits_;
  mux::Worker worker_;
  Owner owner_;
  Time now_{1'000};
  std::unique_ptr<Session> session_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Run(Script({reinterpret_cast<const char*>(data), size})).all();
  return 0;
}
