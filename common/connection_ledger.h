// What one process holds of the limits (LimitTable), by connection: the master counts from the
// ledgers of the living what is in use after a process died. The entries are memory that the worker
// and the master share; where they are and how many is private to each, so that a worker that has
// gone wild cannot lead the master elsewhere.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "common/result.h"

namespace drover {

// Written by the owner alone, under the lock of the key's shard.
struct LedgerEntry {
  std::uint64_t server_key = 0;  // 0: nothing held
  std::uint64_t ip_key = 0;
};

class ConnectionLedger;
// Maps a ledger for `capacity` connections, to be inherited by one child; unmapped when that has
// been reaped. An error when there is no memory for it. Master, before the fork.
[[nodiscard]] Result<std::unique_ptr<ConnectionLedger>> make_ledger(std::size_t capacity);

class ConnectionLedger {
 public:
  ConnectionLedger(const ConnectionLedger&) = delete;
  ConnectionLedger& operator=(const ConnectionLedger&) = delete;
  ~ConnectionLedger();

  // The entry of a connection, `index` < capacity; the owner's, who notes here how far it has got.
  [[nodiscard]] LedgerEntry& at(std::size_t index);
  // The entries that were ever used, and at most all. Any process.
  [[nodiscard]] std::span<LedgerEntry> used() const;

 private:
  friend Result<std::unique_ptr<ConnectionLedger>> make_ledger(std::size_t capacity);
  // Stands in front of the entries.
  struct Head {
    std::uint64_t used = 0;  // the largest index used + 1; it never falls
    std::uint64_t padding = 0;
  };
  ConnectionLedger(Head* head, std::size_t capacity) : head_(head), capacity_(capacity) {}
  [[nodiscard]] LedgerEntry* entries() const { return reinterpret_cast<LedgerEntry*>(head_ + 1); }

  Head* head_;
  std::size_t capacity_;
};

}  // namespace drover
