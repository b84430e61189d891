// accept = reuseport: one SO_REUSEPORT socket per slot, among which the kernel spreads new
// connections. A worker waits at the members of its slot only; the master keeps all of them, so a
// dead slot's queue waits for its successor, and others take from it while the slot is steered
// around.
#include "worker/accept/queue_strategy.h"
#include "worker/accept/strategies.h"

namespace drover {
namespace {

class ReuseportStrategy final : public QueueStrategy {
 public:
  ReuseportStrategy(AcceptHost& host, std::uint16_t server) : QueueStrategy(host, server) {}

 protected:
  // The remainder matters only when a group has more members than this generation has slots.
  [[nodiscard]] int owner_of_active(const ListenerHeritage& listener) const override {
    return listener.member % heritage().slots;
  }
};

}  // namespace

std::unique_ptr<Strategy> make_reuseport_strategy(AcceptHost& host, std::uint16_t server) {
  return std::make_unique<ReuseportStrategy>(host, server);
}

}  // namespace drover
