// The shards: linear probing in a fixed array, an entry removed by moving its followers back, so
// that no tombstones pile up. Damage by a killed process costs accuracy only, and only until the
// master has counted again. A robust mutex would do for the killed ones, but its unlock writes
// through pointers that lie in the mutex itself: a worker that has been taken over would write
// where it likes in the master. So the lock is a word.
#include "common/limit_table.h"

#include <sched.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <bit>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <new>
#include <optional>

#include "common/check.h"
#include "common/event.h"

namespace drover {
namespace {

constexpr std::size_t kPage = 4096;
constexpr std::size_t kEntries =
    65'536;  // a shard: a million keys in all, 16 MiB if every page is touched
constexpr std::size_t kFull = kEntries / 8 * 7;
// An entry lies no farther from its home: a full shard seldom needs half of that, and a worker that
// piles its keys up cannot keep the others, or the master, searching.
constexpr std::size_t kLongestProbe = 2048;
constexpr Millis kLongestWait{20};
constexpr Millis kMasterWait{2};  // for each of all shards, and it can try again

// SipHash-2-4 (Aumasson, Bernstein 2012), fed in pieces.
class SipHash {
 public:
  explicit SipHash(const std::array<std::uint64_t, 2>& secret)
      : v_{secret[0] ^ 0x736f6d6570736575U, secret[1] ^ 0x646f72616e646f6dU,
           secret[0] ^ 0x6c7967656e657261U, secret[1] ^ 0x7465646279746573U} {}

  void add(std::uint8_t byte) {
    word_ |= std::uint64_t{byte} << (8 * (length_ % 8));
    if (++length_ % 8 == 0) compress();
  }

  std::uint64_t finish() {
    word_ |= (length_ & 0xff) << 56;
    compress();
    v_[2] ^= 0xff;
    for (int i = 0; i < 4; ++i) round();
    return v_[0] ^ v_[1] ^ v_[2] ^ v_[3];
  }

 private:
  void compress() {
    v_[3] ^= word_;
    round();
    round();
    v_[0] ^= word_;
    word_ = 0;
  }
  void round() {
    v_[0] += v_[1];
    v_[1] = std::rotl(v_[1], 13) ^ v_[0];
    v_[0] = std::rotl(v_[0], 32);
    v_[2] += v_[3];
    v_[3] = std::rotl(v_[3], 16) ^ v_[2];
    v_[0] += v_[3];
    v_[3] = std::rotl(v_[3], 21) ^ v_[0];
    v_[2] += v_[1];
    v_[1] = std::rotl(v_[1], 17) ^ v_[2];
    v_[2] = std::rotl(v_[2], 32);
  }

  std::array<std::uint64_t, 4> v_;
  std::uint64_t word_ = 0;
  std::uint64_t length_ = 0;
};

std::uint64_t load(std::uint64_t& word) {
  return std::atomic_ref(word).load(std::memory_order_relaxed);
}
void store(std::uint64_t& word, std::uint64_t value) {
  std::atomic_ref(word).store(value, std::memory_order_relaxed);
}

}  // namespace

struct alignas(kPage) LimitTable::Shard {
  struct Entry {
    std::uint64_t key;  // 0: free
    std::uint64_t count;
  };

  std::atomic<std::int32_t> owner;  // a pid, 0: not locked
  std::uint64_t used;
  alignas(kPage)
      std::array<Entry, kEntries> entries;  // its own pages, so that clear() can give them back

  bool lock(Millis longest);
  void unlock() { owner.store(0, std::memory_order_release); }
  void clear();
  static std::size_t home_of(std::uint64_t key) { return key % kEntries; }
  // The key's entry, or the free one where it belongs; none when others fill the way to it.
  std::optional<std::size_t> find(std::uint64_t key);
  bool add(std::uint64_t key);
  void subtract(std::uint64_t key);
  void remove(std::size_t hole);
};

namespace {

// Holds a shard for one block; owns() is false when it could not be had in time.
template <class Shard>
class ShardLock {
 public:
  explicit ShardLock(Shard& shard, Millis longest = kLongestWait)
      : shard_(shard), owns_(shard.lock(longest)) {}
  ShardLock(const ShardLock&) = delete;
  ShardLock& operator=(const ShardLock&) = delete;
  ~ShardLock() {
    if (owns_) shard_.unlock();
  }
  [[nodiscard]] bool owns() const { return owns_; }

 private:
  Shard& shard_;
  bool owns_;
};

// What stands at the front of the mapping, in the object's own page.
struct Secret {
  std::array<std::uint64_t, 2> words;
};

}  // namespace

bool LimitTable::Shard::lock(Millis longest) {
  const std::int32_t me = getpid();
  const auto attempt = [&] {
    std::int32_t expected = 0;
    return owner.compare_exchange_strong(expected, me, std::memory_order_acquire,
                                         std::memory_order_relaxed);
  };
  if (attempt()) return true;
  for (const Millis end = monotonic_now() + longest; monotonic_now() < end;) {
    sched_yield();
    if (attempt()) return true;
  }
  return false;
}

void LimitTable::Shard::clear() {
  used = 0;
  // Punches the pages out: writing zeroes would make every page of a sparse shard real.
  if (madvise(entries.data(), sizeof entries, MADV_REMOVE) != 0) {
    std::memset(static_cast<void*>(entries.data()), 0, sizeof entries);
  }
}

std::optional<std::size_t> LimitTable::Shard::find(std::uint64_t key) {
  std::size_t at = home_of(key);
  for (std::size_t probes = 0; probes < kLongestProbe; ++probes, at = (at + 1) % kEntries) {
    if (entries[at].key == key || entries[at].key == 0) return at;
  }
  return std::nullopt;
}

bool LimitTable::Shard::add(std::uint64_t key) {
  const auto at = find(key);
  if (!at) return false;
  Entry& entry = entries[*at];
  if (entry.key == 0) {
    if (used >= kFull) return false;
    ++used;
    entry = {key, 0};
  }
  ++entry.count;
  return true;
}

void LimitTable::Shard::subtract(std::uint64_t key) {
  const auto at = find(key);
  if (!at || entries[*at].key == 0)
    return;  // lost with a killed process; the recount puts it right
  if (entries[*at].count > 1) {
    --entries[*at].count;
  } else {
    remove(*at);
  }
}

void LimitTable::Shard::remove(std::size_t hole) {
  std::size_t next = hole;
  for (std::size_t probes = 1; probes < kEntries; ++probes) {
    next = (next + 1) % kEntries;
    if (entries[next].key == 0) break;
    const std::size_t from_home = (next - home_of(entries[next].key)) % kEntries;
    if (from_home < (next - hole) % kEntries) continue;  // it would move before its home
    entries[hole] = entries[next];
    hole = next;
  }
  entries[hole] = {};
  if (used > 0) --used;
}

LimitTable::Shard& LimitTable::shard_of(std::uint64_t key) {
  auto* shards = reinterpret_cast<Shard*>(reinterpret_cast<char*>(this) + kPage);
  return shards[(key >> 48) % kShards];
}

LimitTable::Verdict LimitTable::take(std::uint64_t key, std::uint64_t limit, std::uint64_t& held) {
  DROVER_CHECK(held == 0);
  Shard& shard = shard_of(key);
  const ShardLock lock(shard);
  if (!lock.owns()) return Verdict::kBusy;
  const auto at = shard.find(key);
  if (at && shard.entries[*at].key == key && shard.entries[*at].count >= limit)
    return Verdict::kAtLimit;
  if (limit == 0) return Verdict::kAtLimit;
  if (!shard.add(key)) return Verdict::kBusy;
  store(held, key);
  return Verdict::kGranted;
}

bool LimitTable::give_back(std::uint64_t& held) {
  if (held == 0) return true;
  Shard& shard = shard_of(held);
  const ShardLock lock(shard);
  if (!lock.owns()) return false;
  shard.subtract(held);
  store(held, 0);
  return true;
}

void LimitTable::release_locks_of(int pid) {
  // The caller is locking nothing now, so its own pid is as false as that of nobody.
  const auto is_dead = [pid](std::int32_t owner) {
    return owner == pid || owner < 0 || owner == getpid() ||
           (kill(owner, 0) != 0 && errno == ESRCH);
  };
  for (std::uint64_t i = 0; i < kShards; ++i) {
    std::atomic<std::int32_t>& word = shard_of(i << 48).owner;
    std::int32_t owner = word.load(std::memory_order_relaxed);
    if (owner != 0 && is_dead(owner))
      word.compare_exchange_strong(owner, 0, std::memory_order_acq_rel);
  }
}

// Shard by shard, although each pass reads all ledgers: to read them once all shards would have to
// be locked meanwhile, and the workers would refuse connections for it.
bool LimitTable::recount(std::span<ConnectionLedger* const> ledgers) {
  for (std::uint64_t i = 0; i < kShards; ++i) {
    Shard& shard = shard_of(i << 48);
    const ShardLock lock(shard, kMasterWait);
    if (!lock.owns()) return false;
    shard.clear();
    const auto count_in = [&](std::uint64_t& held) {
      // Another shard's key may be changing under us; it is not ours to count.
      const std::uint64_t key = load(held);
      if (key != 0 && &shard_of(key) == &shard) static_cast<void>(shard.add(key));
    };
    for (ConnectionLedger* ledger : ledgers) {
      for (LedgerEntry& entry : ledger->used()) {
        count_in(entry.server_key);
        count_in(entry.ip_key);
      }
    }
  }
  return true;
}

std::uint64_t LimitTable::count(std::uint64_t key) {
  Shard& shard = shard_of(key);
  // Not had: the number is read as it is, for it is only shown.
  const ShardLock lock(shard, kMasterWait);
  const auto at = shard.find(key);
  return at && shard.entries[*at].key == key ? shard.entries[*at].count : 0;
}

std::uint64_t LimitTable::key(std::string_view server, std::span<const std::uint8_t> ip) const {
  SipHash hash(reinterpret_cast<const Secret*>(this)->words);
  for (const char letter : server) hash.add(static_cast<std::uint8_t>(letter));
  if (!ip.empty()) hash.add(0);  // no server name holds a NUL
  for (const std::uint8_t byte : ip) hash.add(byte);
  const std::uint64_t value = hash.finish();
  return value == 0 ? 1 : value;
}

LimitTableMapping make_limit_table() {
  void* memory = mmap(nullptr, kPage + LimitTable::kShards * sizeof(LimitTable::Shard),
                      PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  DROVER_CHECK(memory != MAP_FAILED);  // once, at the start of the master
  LimitTableMapping table(new (memory) LimitTable);
  auto* secret = new (memory) Secret;
  DROVER_CHECK(getrandom(secret, sizeof *secret, 0) == sizeof *secret);
  return table;
}

void LimitTableUnmap::operator()(LimitTable* table) const {
  munmap(static_cast<void*>(table), kPage + LimitTable::kShards * sizeof(LimitTable::Shard));
}

}  // namespace drover
