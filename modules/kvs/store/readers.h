// Who is reading, so that nobody's memory is used again under him (quiescent-state-based
// reclamation). Every process has a slot. While it reads it announces the epoch in which it began;
// what was unlinked in an epoch is free when all that read have begun in a later one.
//
//   a reader            announce the epoch      | fence | read slot words
//   who unlinks         change the slot word    | fence | read the epoch: the cell retires in it
//   who reclaims        (under the same lock)   | fence | look at all announcements
//
// Either who reclaims sees a reader's announcement, or that reader sees the changed slot word: the
// fences are sequentially consistent and in one order. And who announces a later epoch than the
// cell's has read it after who unlinked read the earlier one, so sees the change as well.
//
// A slot's *life* is a robust mutex, held as long as its process lives. That one is stopped is no
// reason to take its slot: reclaiming waits. That one died shows by its mutex, and whoever finds
// that clears the slot.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "modules/kvs/store/layout.h"
#include "modules/kvs/store/pages.h"
#include "modules/kvs/store/robust_mutex.h"

namespace kvs {

using Epoch = std::uint64_t;
inline constexpr Epoch kNotReading = 0;

// Cells that a process keeps beyond its batch: *reserved* ones, which it fills before they are
// published, and *pinned* ones, which it sends in pieces. A word of units, and the kind. Each kind
// has its own, so that who writes does not keep anybody from sending.
inline constexpr std::size_t kPinsPerReader = 16;         // the first of a slot's holds
inline constexpr std::size_t kReservationsPerReader = 8;  // the others
inline constexpr std::size_t kHoldsPerReader = kPinsPerReader + kReservationsPerReader;
using HoldWord = std::uint64_t;
inline constexpr HoldWord kReserved = HoldWord{1} << 63;
// It is let go by who does not hold the shard's lock: no collection counts it in any more.
inline constexpr HoldWord kLetGo = HoldWord{1} << 62;
constexpr HoldWord reserved(Units units) { return units | kReserved; }
constexpr HoldWord pinned(Units units) { return units; }
constexpr Units held_units(HoldWord hold) { return hold & ~(kReserved | kLetGo); }

struct alignas(128) ReaderSlot {
  RobustMutex life;
  std::atomic<Epoch> epoch;
  std::array<std::atomic<HoldWord>, kHoldsPerReader> holds;  // 0: none
};
static_assert(sizeof(ReaderSlot) == 256);

struct Globals {
  alignas(64) std::atomic<Epoch> epoch;
  alignas(64) std::atomic<std::uint32_t> readers_used;  // slots from here on were never joined
  alignas(64) PageHints pages;
  // For each shard: the epoch in which cells of it were last abandoned, of which nobody keeps a
  // note (a process died, a list was full). 0: none. They are found by who collects garbage.
  alignas(64) std::array<std::atomic<Epoch>, kMostShards> abandoned;
};

class Readers {
 public:
  Readers(std::span<ReaderSlot> slots, Globals& globals, const PageMap& pages)
      : slots_(slots), globals_(globals), pages_(pages) {
    held_.reserve(slots.size() * kHoldsPerReader);
  }

  // A slot for the calling thread, as long as that lives; null: all are taken.
  [[nodiscard]] ReaderSlot* join();
  void leave(ReaderSlot& slot);

  // Around all lock-free reads. What was read may be used until exit().
  void enter(ReaderSlot& slot) const;
  static void exit(ReaderSlot& slot) { slot.epoch.store(kNotReading, std::memory_order_release); }

  // Of what was unlinked just now, by whoever calls.
  [[nodiscard]] Epoch retire_epoch() const;
  // What has retired so far does so earlier than all who begin to read from now on.
  Epoch advance() { return globals_.epoch.fetch_add(1, std::memory_order_acq_rel) + 1; }
  // All that retired in an earlier epoch than this one is out of every reader's reach, but for what
  // is held. Begins an epoch, and clears the slots of the dead that are in the way.
  [[nodiscard]] Epoch begin_safe_epoch();
  // Nobody else reads who began in an earlier epoch. A hint.
  [[nodiscard]] bool is_oldest(const ReaderSlot& slot) const;
  // What living processes hold. Valid until the next call. To be asked for after the safe epoch:
  // who had read a cell before that, and pins it, has said so by then.
  [[nodiscard]] const std::vector<HoldWord>& held();

  // Has the garbage of a shard collected: something in it belongs to nobody any more.
  void abandon(std::uint8_t shard);

 private:
  [[nodiscard]] std::span<ReaderSlot> used_slots() const;
  // Nobody who lives has it: it is locked afterwards, and clear.
  bool take_if_free(ReaderSlot& slot);
  // The slot of a process that has died is clear afterwards.
  bool clear_if_dead(ReaderSlot& slot);
  void clear(ReaderSlot& slot);
  void let_go(std::atomic<HoldWord>& hold);

  std::span<ReaderSlot> slots_;
  Globals& globals_;
  const PageMap& pages_;
  std::vector<HoldWord> held_;
};

}  // namespace kvs
