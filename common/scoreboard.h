// Counters shared by master and children: one shared mapping for the master's life, made before the
// first fork and seen by every child, and, by its descriptor, by the master's successor. A *seat*
// is one live process's record; a slot's next process gets another seat, and the master adds a dead
// seat's counters to its slot's totals. A *board* is what the processes of one generation share.
// The owner writes its seat; everybody reads. The master range-checks whatever it reads: a child
// may have written anything.
#pragma once

#include <sys/types.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>

#include "common/result.h"
#include "common/settings.h"
#include "common/unique_fd.h"

namespace drover {

inline constexpr int kMaxSeats = 2048;
inline constexpr int kBoards = 32;  // generations alive at once, a ring by generation number
inline constexpr int kMaxBoardServers = 128;
inline constexpr int kCrashFrames = 48;
inline constexpr int kCrashModules = 16;

enum class SeatState : std::uint8_t { kFree, kStarting, kReady, kServing, kDraining };

// Monotonic counts since the process was born; each is written by one process only.
struct SlotCounters {
  std::atomic<std::uint64_t> accepted{
      0};  // connections taken by this process: accept4 or passed by the acceptor
  std::atomic<std::uint64_t> empty_wakeups{0};  // woken by a listener and found nothing: the herd
  std::atomic<std::uint64_t> steered{0};   // taken from the queue of a slot that was hung or dead
  std::atomic<std::uint64_t> outgoing{0};  // connections that modules began
  std::atomic<std::uint64_t> streams_opened{0};  // connections inside of others
  std::atomic<std::uint64_t> closed{0};          // == accepted + outgoing - live, for sockets
  std::atomic<std::uint64_t> refused_limit{0};   // max_connections, limit_per_ip
  std::atomic<std::uint64_t> refused_access{0};  // deny, or a PROXY header that is not acceptable
  std::atomic<std::uint64_t> accept_pauses{0};   // EMFILE, ENFILE, worker_connections reached
  std::atomic<std::uint64_t> drained_cut{0};     // closed at worker_shutdown_timeout
  std::atomic<std::uint64_t> stale_handles{0};   // calls of modules on connections that were gone
  std::atomic<std::uint64_t> bytes_in{0};
  std::atomic<std::uint64_t> bytes_out{0};
};

// Where a module lies in a worker's memory, for the frames of a crash: its file's name, and its
// own, which servers name as their protocol. Each may fill its array without a NUL.
struct ModuleRange {
  using Name = std::array<char, 48>;
  std::uint64_t start = 0;
  std::uint64_t end = 0;
  Name file{};
  Name module{};
};

// Written by the fatal-signal handler of a dying process, but for the modules, which are written
// before READY; `signal` is stored last.
struct CrashReport {
  std::atomic<std::int32_t> signal{0};
  std::int32_t frame_count = 0;
  std::uint64_t fault_address = 0;
  std::array<std::uint64_t, kCrashFrames> frames{};
  std::int32_t module_count = 0;
  std::array<ModuleRange, kCrashModules> modules{};
};

struct alignas(64) Seat {
  std::atomic<SeatState> state{SeatState::kFree};
  std::atomic<bool> is_acceptor{false};
  std::atomic<std::int32_t> slot{
      -1};  // -1: not a worker; what an acceptor takes is counted again by workers
  std::atomic<std::uint32_t> generation{0};
  std::atomic<std::int32_t> pid{0};
  std::atomic<std::int64_t> heartbeat_ms{0};  // CLOCK_MONOTONIC, each loop turn and every 250 ms
  std::atomic<std::uint32_t> live{0};         // connections with a socket now
  std::atomic<std::uint32_t> streams{0};      // connections inside of others now
  std::atomic<std::uint64_t> turns{0};        // of the loop, over; counted after `live` was stored
  std::atomic<std::uint32_t> capacity{0};     // worker_connections in force
  std::atomic<std::uint32_t> loop_max_us{0};  // longest turn of the loop in the last minute
  std::atomic<std::uint32_t> loop_p99_us{0};  // what 99 of 100 turns did not exceed
  std::atomic<std::int32_t> running{
      -1};  // the server whose module's code runs now, by index; -1: none
  SlotCounters counters;
  CrashReport crash;
};

// Who may accept for a server with accept = mutex: holder slot + 1 in the upper 16 bits (0:
// nobody), deadline in CLOCK_MONOTONIC milliseconds in the lower 48. Changed by compare-and-swap
// only.
using AcceptLease = std::atomic<std::uint64_t>;

struct Board {
  std::atomic<std::uint32_t> generation{0};
  std::atomic<std::uint32_t> slots{0};
  // Bit per slot that is hung, dead or in back-off: others take its queues. Master writes.
  std::array<std::atomic<std::uint64_t>, kMaxSlots / 64> steered_around{};
  // The seat that serves a slot now, -1: none. Master writes.
  std::array<std::atomic<std::int32_t>, kMaxSlots> seat_of_slot{};
  std::array<AcceptLease, kMaxBoardServers> leases{};

  [[nodiscard]] bool is_steered_around(int slot) const {
    const auto index = static_cast<unsigned>(slot);
    return (steered_around[index / 64].load(std::memory_order_relaxed) >> (index % 64) & 1U) != 0;
  }
  [[nodiscard]] bool any_steered_around() const {
    for (const auto& word : steered_around) {
      if (word.load(std::memory_order_relaxed) != 0) return true;
    }
    return false;
  }
  void set_steered_around(int slot, bool value) {
    const auto index = static_cast<unsigned>(slot);
    const std::uint64_t bit = std::uint64_t{1} << (index % 64);
    if (value) {
      steered_around[index / 64].fetch_or(bit);
    } else {
      steered_around[index / 64].fetch_and(~bit);
    }
  }
};

// What is said between a master, its children and its successor, who may be of another version:
// this struct never changes but by growing into `reserved`.
inline constexpr std::size_t kScoreboardHead = 1024;
inline constexpr std::size_t kMostRetired = 48;
struct ScoreboardHead {
  std::array<char, 8> magic{'d', 'r', 'v', 'b', 'o', 'a', 'r', 'd'};
  std::uint32_t layout = 0;  // of what follows the head; who has another does not read it
  std::atomic<std::int32_t> master_pid{0};  // whose scoreboard it is; 0 when it has left in order
  // The process that has been given the heritage and does not serve yet. No other gets it while
  // this one lives.
  std::atomic<std::int32_t> heir_pid{0};
  // Written by a successor that serves: be gone by then (CLOCK_MONOTONIC milliseconds; 0: go on).
  // For a master that has handed over, and for the orphans of one that is dead.
  std::atomic<std::int64_t> leave_by_ms{0};
  // Which orphan answers the control socket: an AcceptLease whose holder is a seat.
  std::atomic<std::uint64_t> orphan_lease{0};
  // Counters of processes that are gone, and of all that was before this master; in the order of
  // master/totals.h. Written by the master for its successor, and never read by itself.
  std::array<std::atomic<std::uint64_t>, kMostRetired> retired{};
  // Written by a successor when nobody is left, before it adds what was counted here to its own
  // `retired` and its metrics: who comes after that one does not count it again. If it is killed
  // between the two, that is lost.
  std::atomic<bool> is_counted{false};
};
static_assert(sizeof(ScoreboardHead) <= kScoreboardHead);

struct Scoreboard {
  ScoreboardHead head;
  std::array<char, kScoreboardHead - sizeof(ScoreboardHead)> reserved{};
  std::array<Seat, kMaxSeats> seats;
  std::array<Board, kBoards> boards;

  Board& board_of(std::uint32_t generation) { return boards[generation % kBoards]; }
};

struct ScoreboardUnmap {
  void operator()(Scoreboard* board) const;
};
using ScoreboardMapping = std::unique_ptr<Scoreboard, ScoreboardUnmap>;

struct SharedScoreboard {
  UniqueFd fd;  // a sealed memfd
  ScoreboardMapping mapping;
};

// Shared by all processes forked afterwards; untouched pages cost nothing.
[[nodiscard]] SharedScoreboard make_scoreboard();
// Another master's. An error when it is none, or of another layout.
[[nodiscard]] Result<ScoreboardMapping> map_scoreboard(int fd);

// The head alone, whatever follows it: another version's scoreboard. An error when it is none.
struct HeadUnmap {
  void operator()(ScoreboardHead* head) const;
};
using HeadMapping = std::unique_ptr<ScoreboardHead, HeadUnmap>;
[[nodiscard]] Result<HeadMapping> map_scoreboard_head(int fd);

// Tells the processes of a scoreboard to be gone by then. A later call may only shorten the time.
void tell_to_leave(ScoreboardHead& head, Millis deadline);

// By which its processes are known (has_mapped()).
[[nodiscard]] ino_t inode_of_scoreboard(int fd);

// Whether somebody lives who has taken the seat and is of this scoreboard. What a seat says is its
// process's own word, and may be of long ago.
[[nodiscard]] bool is_alive(const Seat& seat, ino_t inode);
// Whether workers of a later generation serve.
[[nodiscard]] bool has_later_generation(const Scoreboard& board, std::uint32_t generation,
                                        ino_t inode);

static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

}  // namespace drover
