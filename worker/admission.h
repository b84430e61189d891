// Who may connect to a server, and how many at once: allow/deny by address (first match wins,
// default allow), then the limits that are exact over all workers.
#pragma once

#include <cstdint>
#include <span>

#include "common/limit_table.h"
#include "common/settings.h"

namespace drover {

[[nodiscard]] bool is_allowed(std::span<const AccessRule> rules, const PeerAddress& peer);

class Admission {
 public:
  enum class Verdict { kAdmitted, kDenied, kAtLimit };

  // `limits` and `ledger` may be null (no server has limits): nothing is counted. All must outlive
  // this.
  Admission(const ServerSettings& settings, LimitTable* limits, ConnectionLedger* ledger);

  // Whether a balancer at this address may send a PROXY header.
  [[nodiscard]] bool may_send_proxy_header(const PeerAddress& peer) const;
  // Admitted: the limits' share is held under `index` until give_back(index).
  [[nodiscard]] Verdict admit(const PeerAddress& peer, std::uint32_t index);
  // False: a shard of the table was busy; try again later, the index must not be reused before.
  [[nodiscard]] bool give_back(std::uint32_t index);

 private:
  [[nodiscard]] bool take_share(const PeerAddress& peer, LedgerEntry& entry);

  const ServerSettings& settings_;
  LimitTable* limits_;
  ConnectionLedger* ledger_;
  bool is_limited_;
};

}  // namespace drover
