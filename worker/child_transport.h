// A stream that a module carries inside of another connection. What its peer has sent waits in an
// inbox until the end of the batch, or where the carrier was given it until its hook has returned
// (lent_input.h): no module's hook runs inside of another module's call. What the connection writes
// goes to the carrier's transport table at once.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "worker/server.h"
#include "worker/transport.h"

namespace drover {

// Whose stream it is.
struct StreamCarrier {
  Server* server = nullptr;  // of the module that carries it
  drover_conn parent = 0;    // the connection it is a stream of
  drover_transport table{};
  void* argument = nullptr;
  int depth = 1;  // of a stream of a stream 2
};

class ChildTransport final : public Transport {
 public:
  // What the carrier may give before the connection has taken anything, bytes.
  static constexpr std::size_t kMaxInbox = std::size_t{1} << 20;
  static constexpr int kDeepest = DROVER_DEEPEST_STREAM;
  // Of what is smaller only the first piece is worth a call of its own: copied pieces are joined.
  static constexpr std::size_t kLeastLent = 1024;

  explicit ChildTransport(const StreamCarrier& carrier) : carrier_(carrier) {}

  [[nodiscard]] const StreamCarrier& carrier() const { return carrier_; }

  // From the carrier, which then has the connection take its turn. False: the inbox would be above
  // its limit, or the peer has ended before; nothing is kept.
  [[nodiscard]] bool put(std::string_view bytes);
  // The same of bytes that stay where they are until one of the next two is called, for each in the
  // order in which they were lent, while nothing is received. False also where they are to be put.
  [[nodiscard]] bool lend(std::size_t size_bytes);
  // They are used now, as received ones. False: others wait before them, or it is reset.
  [[nodiscard]] bool use_lent(std::size_t size_bytes);
  // They wait in the inbox, before what was put since they were lent.
  void keep_lent(std::string_view bytes);
  void put_end() { peer_ended_ = true; }
  void put_reset() { is_reset_ = true; }
  void set_writable() { is_writable_ = true; }
  [[nodiscard]] std::size_t waiting() const { return waiting_; }

  ssize_t receive(std::span<char> buffer) override;
  ssize_t send(std::span<iovec> slices, bool more_follows) override;
  ssize_t send_file(int file, std::uint64_t offset, std::size_t size_bytes) override;
  bool end_output() override;
  void close(drover_close_reason reason, bool is_in_order) override;
  void watch(event_base* base, short what, Connection* connection) override;
  [[nodiscard]] short ready() const override;
  [[nodiscard]] bool is_reset(bool peer_ended) const override;

 private:
  [[nodiscard]] bool has_room(std::size_t size_bytes) const {
    return !peer_ended_ && waiting_ + size_bytes <= kMaxInbox;
  }
  void append(std::string_view bytes);
  void return_lent(std::size_t size_bytes);
  void tell_consumed(std::size_t size_bytes);
  std::size_t take(std::span<char> buffer);
  template <class Hook, class... Args>
  auto call(Hook hook, Args... args);

  StreamCarrier carrier_;
  // What waits, in parts of some 16 KiB: one that grows would be copied again and again.
  std::vector<std::string> inbox_;
  std::uint32_t front_ = 0;       // the first that has bytes left
  std::uint32_t front_read_ = 0;  // bytes of it
  std::uint32_t waiting_ = 0;     // bytes of all, and what is lent
  std::uint32_t lent_ = 0;        // bytes, which go before all parts ...
  std::uint32_t kept_ = 0;        // ... but so many first ones, which were lent
  short watched_ = 0;
  bool is_writable_ = true;
  bool peer_ended_ = false;  // behind the inbox
  bool is_reset_ = false;
};

static_assert(sizeof(ChildTransport) <= kTransportRoom);

}  // namespace drover
