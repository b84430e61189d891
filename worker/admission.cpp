#include "worker/admission.h"

#include <algorithm>

namespace drover {

bool is_allowed(std::span<const AccessRule> rules, const PeerAddress& peer) {
  const auto rule =
      std::ranges::find_if(rules, [&](const AccessRule& r) { return r.cidr.contains(peer); });
  return rule == rules.end() || rule->allow;
}

Admission::Admission(const ServerSettings& settings, LimitTable* limits, ConnectionLedger* ledger)
    : settings_(settings),
      limits_(limits),
      ledger_(ledger),
      is_limited_(limits != nullptr && ledger != nullptr && settings.has_limits()) {}

bool Admission::may_send_proxy_header(const PeerAddress& peer) const {
  return std::ranges::any_of(settings_.proxy_from,
                             [&](const Cidr& cidr) { return cidr.contains(peer); });
}

Admission::Verdict Admission::admit(const PeerAddress& peer, std::uint32_t index) {
  if (!is_allowed(settings_.access, peer)) return Verdict::kDenied;
  if (!is_limited_) return Verdict::kAdmitted;
  return take_share(peer, ledger_->at(index)) ? Verdict::kAdmitted : Verdict::kAtLimit;
}

bool Admission::take_share(const PeerAddress& peer, LedgerEntry& entry) {
  using enum LimitTable::Verdict;
  const auto take = [this](std::uint64_t key, std::int64_t limit, std::uint64_t& held) {
    return limit == 0 || limits_->take(key, static_cast<std::uint64_t>(limit), held) == kGranted;
  };
  // A refusal of the second leaves the first share in the ledger; give_back() returns both. For
  // that moment others see one more, so the address comes first: one at its own limit must not cost
  // another its place, while a server that is full is full for everybody.
  const bool has_address = peer.family != AF_UNIX && peer.family != 0;
  if (has_address &&
      !take(limits_->key(settings_.name, peer.ip), settings_.limit_per_ip, entry.ip_key)) {
    return false;
  }
  return take(limits_->key(settings_.name), settings_.max_connections, entry.server_key);
}

bool Admission::give_back(std::uint32_t index) {
  if (!is_limited_) return true;
  LedgerEntry& entry = ledger_->at(index);
  const bool server_done = limits_->give_back(entry.server_key);
  return limits_->give_back(entry.ip_key) && server_done;
}

}  // namespace drover
