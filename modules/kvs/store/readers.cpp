#include "modules/kvs/store/readers.h"

#include <algorithm>

namespace kvs {
namespace {

void raise_to(std::atomic<std::uint32_t>& word, std::uint32_t value) {
  std::uint32_t old = word.load(std::memory_order_relaxed);
  while (old < value && !word.compare_exchange_weak(old, value, std::memory_order_relaxed)) {
  }
}

}  // namespace

// Somebody may just be looking whether the holder of the last free one has died: it is his for an
// instant then.
ReaderSlot* Readers::join() {
  constexpr std::size_t kTries = 3;
  for (std::size_t i = 0; i < kTries * slots_.size(); ++i) {
    ReaderSlot& slot = slots_[i % slots_.size()];
    if (!take_if_free(slot)) continue;
    raise_to(globals_.readers_used, static_cast<std::uint32_t>(&slot - slots_.data()) + 1);
    return &slot;
  }
  return nullptr;
}

void Readers::leave(ReaderSlot& slot) {
  clear(slot);
  slot.life.unlock();
}

void Readers::enter(ReaderSlot& slot) const {
  // Acquire: with the increment of advance(), and so with what was unlinked before it. Release: who
  // sees this epoch, and not that the one before was left, must see what was done before that.
  slot.epoch.store(globals_.epoch.load(std::memory_order_acquire), std::memory_order_release);
  std::atomic_thread_fence(std::memory_order_seq_cst);  // with those of the two below
}

Epoch Readers::retire_epoch() const {
  std::atomic_thread_fence(std::memory_order_seq_cst);  // with that of enter()
  return globals_.epoch.load(std::memory_order_relaxed);
}

Epoch Readers::begin_safe_epoch() {
  Epoch oldest = advance();
  std::atomic_thread_fence(std::memory_order_seq_cst);  // with that of enter()
  for (ReaderSlot& slot : used_slots()) {
    // Acquire: with exit(). What was read in an epoch was read before it was left.
    const Epoch epoch = slot.epoch.load(std::memory_order_acquire);
    if (epoch != kNotReading && epoch < oldest && !clear_if_dead(slot)) oldest = epoch;
  }
  return oldest;
}

bool Readers::is_oldest(const ReaderSlot& slot) const {
  const Epoch own = slot.epoch.load(std::memory_order_relaxed);
  const auto slots = used_slots();
  return std::none_of(slots.begin(), slots.end(), [own](const ReaderSlot& other) {
    const Epoch epoch = other.epoch.load(std::memory_order_relaxed);
    return epoch != kNotReading && epoch < own;
  });
}

const std::vector<HoldWord>& Readers::held() {
  held_.clear();
  for (ReaderSlot& slot : used_slots()) {
    const std::size_t before = held_.size();
    for (const auto& hold : slot.holds) {
      const HoldWord word = hold.load(std::memory_order_acquire);
      if (word != 0) held_.push_back(word);
    }
    if (held_.size() > before && clear_if_dead(slot)) held_.resize(before);
  }
  return held_;
}

// The latest epoch counts: two may abandon at a time. Release: with who collects.
void Readers::abandon(std::uint8_t shard) {
  auto& abandoned = globals_.abandoned[shard % kMostShards];
  const Epoch epoch = retire_epoch();
  Epoch before = abandoned.load(std::memory_order_relaxed);
  while (!abandoned.compare_exchange_weak(before, std::max(before, epoch),
                                          std::memory_order_acq_rel, std::memory_order_relaxed)) {
  }
}

// A slot beyond these was never entered, as far as who reclaims need know: see the fences.
std::span<ReaderSlot> Readers::used_slots() const {
  const std::size_t used = globals_.readers_used.load(std::memory_order_relaxed);
  return slots_.first(std::min(used, slots_.size()));
}

bool Readers::take_if_free(ReaderSlot& slot) {
  const LockResult life = slot.life.try_lock();
  if (life == LockResult::kOwnerDied) {
    clear(slot);
    slot.life.make_consistent();
  }
  return life != LockResult::kBusy;
}

bool Readers::clear_if_dead(ReaderSlot& slot) {
  if (!take_if_free(slot)) return false;
  slot.life.unlock();
  return true;
}

void Readers::clear(ReaderSlot& slot) {
  exit(slot);
  for (auto& hold : slot.holds) {
    if (hold.load(std::memory_order_relaxed) != 0) let_go(hold);
  }
}

// Each hold is cleared when its shard knows: who dies in the middle leaves the rest to the next.
// And before it knows, the hold says that it is none: a collection that takes up this word of a
// cell sees that, and one that has begun before leaves the word to the next.
void Readers::let_go(std::atomic<HoldWord>& hold) {
  const HoldWord word = hold.load(std::memory_order_relaxed);
  const auto place = pages_.place_of(held_units(word));
  const std::uint8_t shard = place ? pages_.use_of(place->page).shard : 0;
  hold.store(word | kLetGo, std::memory_order_release);
  if (place) abandon(shard);
  hold.store(0, std::memory_order_release);
}

}  // namespace kvs
