// A worker's accepting: the strategies of its servers, and when all of them must hold still because
// the worker is full, out of descriptors or draining.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "common/heritage.h"
#include "worker/accept/strategy.h"
#include "worker/connection_core.h"
#include "worker/server.h"

namespace drover {

class Accepting final : public AcceptHost {
 public:
  // All must outlive this. `servers` are in the order of Settings::servers.
  Accepting(const Heritage& heritage, ConnectionCore& core,
            std::span<const std::unique_ptr<Server>> servers);

  // kServe: from here on strategies listen whenever there is room.
  void begin();
  // Draining: takes what waits at the listeners that go away, as far as there is room, and closes
  // all.
  void end(const std::vector<std::uint32_t>& removed);
  void close_listener(std::uint32_t listener_id);
  // All that the server listens on, at once; `server` is its index.
  void close_listeners_of(std::size_t server);
  // Nothing waits at a listener that goes away.
  [[nodiscard]] bool is_finished() const { return is_finished_; }

  void on_heartbeat();
  void on_doorbell();
  // Connections may have ended: there may be room again.
  void on_batch_end();

  event_base* base() override { return core_.base(); }
  const Heritage& heritage() const override { return heritage_; }
  bool has_room() const override;
  int budget() const override;
  std::uint32_t live() const override;
  std::uint32_t capacity() const override;
  void on_accepted(Accepted connection) override;
  void on_descriptors_exhausted(int error_number) override;
  void ring(int slot) override;

 private:
  void update();
  void finish();
  void take_stranded();
  void on_exhaustion_over();

  const Heritage& heritage_;
  ConnectionCore& core_;
  std::span<const std::unique_ptr<Server>> servers_;
  std::vector<std::unique_ptr<Strategy>> strategies_;  // by server
  bool may_accept_ = false;                            // from begin() on
  bool is_serving_ = false;                            // between begin() and end()
  bool is_exhausted_ = false;                          // descriptors ran out a moment ago
  bool is_listening_ = false;                          // strategies are resumed
  bool is_finished_ = true;
  std::size_t live_when_exhausted_ = 0;
  RateLimit exhaustion_log_{1, Millis{10'000}};
  Timer<&Accepting::on_exhaustion_over> exhaustion_over_;
};

}  // namespace drover
