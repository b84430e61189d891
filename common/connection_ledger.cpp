#include "common/connection_ledger.h"

#include <sys/mman.h>

#include <algorithm>
#include <atomic>

#include "common/check.h"
#include "common/fault.h"

namespace drover {

// Pages that no connection touches cost nothing.
Result<std::unique_ptr<ConnectionLedger>> make_ledger(std::size_t capacity) {
  using Head = ConnectionLedger::Head;
  if (fault("ledger")) return Error::from_errno("mmap of a ledger of limits", ENOMEM);
  void* memory = mmap(nullptr, sizeof(Head) + capacity * sizeof(LedgerEntry),
                      PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) return Error::from_errno("mmap of a ledger of limits");
  return std::unique_ptr<ConnectionLedger>(
      new ConnectionLedger(static_cast<Head*>(memory), capacity));
}

ConnectionLedger::~ConnectionLedger() {
  munmap(head_, sizeof(Head) + capacity_ * sizeof(LedgerEntry));
}

// The mark moves before the entry is written, and the entry before its shard's lock is let go: who
// has the lock sees all that was taken under it.
LedgerEntry& ConnectionLedger::at(std::size_t index) {
  DROVER_CHECK(index < capacity_);
  const std::atomic_ref used(head_->used);
  if (used.load(std::memory_order_relaxed) <= index)
    used.store(index + 1, std::memory_order_relaxed);
  return entries()[index];
}

std::span<LedgerEntry> ConnectionLedger::used() const {
  const std::uint64_t claimed = std::atomic_ref(head_->used).load(std::memory_order_relaxed);
  return {entries(), std::min<std::uint64_t>(claimed, capacity_)};
}

}  // namespace drover
