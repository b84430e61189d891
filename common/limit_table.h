// Exact limits over all workers: how many connections a key (a server, or a server and an address)
// has now. Totals lie in shared memory under robust process-shared mutexes, one per shard; what
// each process has taken stands in its ledger. A process killed at any instruction leaves a shard
// whose total may be off by one: the master, when it reaps the process, counts all shards again
// from the ledgers of the living. Nobody ever blocks on a shard: a worker that cannot have the lock
// within a few milliseconds (its holder was stopped) refuses the connection and counts it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

namespace drover {

// What one process holds, indexed by connection; written by it alone, under the shard's lock. Made
// by the master before the fork, unmapped when the process has been reaped.
struct LedgerEntry {
  std::uint64_t server_key = 0;  // 0: nothing held
  std::uint64_t ip_key = 0;
};
struct ConnectionLedger {
  std::size_t capacity = 0;
  LedgerEntry* entries = nullptr;
};

struct LedgerUnmap {
  void operator()(ConnectionLedger* ledger) const;
};
using LedgerMapping = std::unique_ptr<ConnectionLedger, LedgerUnmap>;
[[nodiscard]] LedgerMapping make_ledger(std::size_t capacity);

class LimitTable;
struct LimitTableUnmap {
  void operator()(LimitTable* table) const;
};
using LimitTableMapping = std::unique_ptr<LimitTable, LimitTableUnmap>;

// Shared by all processes forked afterwards. Sparse: pages that no key touches cost nothing.
[[nodiscard]] LimitTableMapping make_limit_table();

class LimitTable {
 public:
  enum class Verdict { kGranted, kAtLimit, kBusy };

  LimitTable(const LimitTable&) = delete;
  LimitTable& operator=(const LimitTable&) = delete;

  // Takes one of `limit` for `key`, and notes it in `held` (a field of this process's ledger).
  // Worker.
  [[nodiscard]] Verdict take(std::uint64_t key, std::uint64_t limit, std::uint64_t& held);
  // Gives back what `held` says and clears it; nothing held: no effect. False: the shard was busy,
  // nothing changed, the caller tries again later (its ledger entry must not be reused before).
  // Worker.
  [[nodiscard]] bool give_back(std::uint64_t& held);
  // Counts every shard again from these ledgers. False: a shard was busy, try again later. Master,
  // after a process died.
  [[nodiscard]] bool recount(std::span<ConnectionLedger* const> ledgers);
  // How many the key has now. Any process.
  [[nodiscard]] std::uint64_t count(std::uint64_t key);
  // The key of a server (by name, so that it is the same over generations), or with `ip` of one of
  // its client addresses. Keyed with a secret of this table, so that clients cannot choose
  // collisions. Never 0.
  [[nodiscard]] std::uint64_t key(std::string_view server,
                                  std::span<const std::uint8_t> ip = {}) const;

 private:
  friend LimitTableMapping make_limit_table();
  friend struct LimitTableUnmap;
  LimitTable() = default;
  struct Shard;
  Shard& shard_of(std::uint64_t key);
  static constexpr std::size_t kShards = 16;
  // The shards follow this object in the mapping.
};

}  // namespace drover
