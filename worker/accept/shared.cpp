// accept = shared: every worker waits at the same listening socket and all are woken for each
// connection: the thundering herd, kept honest as a baseline (see the counter empty_wakeups).
#include "worker/accept/queue_strategy.h"
#include "worker/accept/strategies.h"

namespace drover {
namespace {

class SharedStrategy final : public QueueStrategy {
 public:
  SharedStrategy(AcceptHost& host, std::uint16_t server) : QueueStrategy(host, server) {}

 protected:
  [[nodiscard]] int owner_of_active(const ListenerHeritage& /*listener*/) const override {
    return kEveryone;
  }
};

}  // namespace

std::unique_ptr<Strategy> make_shared_strategy(AcceptHost& host, std::uint16_t server) {
  return std::make_unique<SharedStrategy>(host, server);
}

}  // namespace drover
