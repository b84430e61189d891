// A connected socket, or one that is being connected.
#pragma once

#include "common/event.h"
#include "common/unique_fd.h"
#include "worker/connection.h"
#include "worker/transport.h"

namespace drover {

class SocketTransport final : public Transport {
 public:
  // Non-blocking. With `quickack` every read is acknowledged at once.
  explicit SocketTransport(UniqueFd fd, bool quickack = false)
      : fd_(std::move(fd)), quickack_(quickack) {}

  ssize_t receive(std::span<char> buffer) override;
  ssize_t send(std::span<iovec> slices, bool more_follows) override;
  ssize_t send_file(int file, std::uint64_t offset, std::size_t size_bytes) override;
  bool end_output() override;
  void close(drover_close_reason reason, bool is_in_order) override;
  void watch(event_base* base, short what, Connection* connection) override;
  [[nodiscard]] bool is_reset(bool peer_ended) const override;
  [[nodiscard]] int connect_error() const override;

 private:
  UniqueFd fd_;
  bool quickack_;
  Event<&Connection::on_event> event_;
};

static_assert(sizeof(SocketTransport) <= kTransportRoom);

}  // namespace drover
