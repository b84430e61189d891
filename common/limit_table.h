// Exact limits over all workers: how many connections a key (a server, or a server and an address)
// has now. Totals lie in shared memory in shards, each under a lock that is its owner's pid; what
// each process has taken stands in its ledger. A process killed at any instruction leaves a shard
// that is busy and whose total may be off by one: the master, when it has reaped the process, frees
// its locks and counts all shards again from the ledgers of the living. Nobody ever blocks on a
// shard: a worker that cannot have the lock within a few milliseconds refuses the connection. What
// lies here holds no pointer, and every walk through it is bounded, because any worker may write
// it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "common/connection_ledger.h"

namespace drover {

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
  // Frees the shards that this process had locked when it died, and those locked in the name of
  // nobody. Master, after it reaped the process and before it forks the next (a pid may come back).
  void release_locks_of(int pid);
  // Counts every shard again from these ledgers. False: a shard was busy, try again later. Master,
  // after release_locks_of().
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
