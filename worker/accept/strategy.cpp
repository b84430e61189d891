#include "worker/accept/strategy.h"

#include <algorithm>
#include <iterator>

#include "common/check.h"
#include "worker/accept/strategies.h"

namespace drover {
namespace {

struct Row {
  AcceptStrategy name;
  std::unique_ptr<Strategy> (*make)(AcceptHost& host, std::uint16_t server);
};

constexpr Row kStrategies[] = {
    {AcceptStrategy::kShared, make_shared_strategy},
    {AcceptStrategy::kExclusive, make_exclusive_strategy},
    {AcceptStrategy::kMutex, make_mutex_strategy},
    {AcceptStrategy::kAcceptor, make_acceptor_strategy},
    {AcceptStrategy::kReuseport, make_reuseport_strategy},
};

}  // namespace

std::unique_ptr<Strategy> make_strategy(AcceptHost& host, std::uint16_t server) {
  const AcceptStrategy wanted = host.heritage().settings->servers.at(server).accept;
  const auto* row = std::ranges::find(kStrategies, wanted, &Row::name);
  DROVER_CHECK(row != std::end(kStrategies));
  return row->make(host, server);
}

}  // namespace drover
