// Death at every instruction. A child does one operation on a small store, one instruction at a
// time. Whenever the memory has changed its parent takes a copy, does to the mutexes in it what the
// kernel does when their holder dies, and looks at what a survivor would find: the old state or the
// new one, and nothing lost after the repair.
#include <gtest/gtest.h>
#include <sys/ptrace.h>

#include <cstring>
#include <optional>
#include <set>
#include <string>

#include "modules/kvs/store/slices.h"
#include "tests/unit/kvs/audit.h"
#include "tests/unit/kvs/shared_memory.h"

namespace kvs {
namespace {

using testing::SharedMemory;
using testing::TestStore;

constexpr std::size_t kSize = std::size_t{576} << 10;
// One bucket: its eighth item needs another one.
const Options kOptions{
    .shards = 1, .readers = 4, .average_item = 1 << 20, .secret = testing::kSecret};

// What the kernel does for a thread that has died with a robust mutex (robust_list(2)).
void let_holder_die(RobustMutex& mutex, pid_t holder) {
  constexpr std::uint32_t kOwnerDied = 0x40000000;  // FUTEX_OWNER_DIED
  constexpr std::uint32_t kThread = 0x3fffffff;     // FUTEX_TID_MASK
  std::uint32_t word = 0;                           // the first member of a pthread_mutex_t
  std::memcpy(&word, &mutex, sizeof word);
  if ((word & kThread) != static_cast<std::uint32_t>(holder)) return;
  word = (word & ~kThread) | kOwnerDied;
  std::memcpy(static_cast<void*>(&mutex), &word, sizeof word);
}

void let_holder_die(std::span<std::byte> memory, pid_t holder) {
  Plan plan;
  ASSERT_EQ(read_header(memory, plan), Attached::kAttached);
  const Mapping mapping(memory, plan);
  for (Shard& shard : mapping.shards) let_holder_die(shard.mutex, holder);
  for (ReaderSlot& slot : mapping.reader_slots) let_holder_die(slot.life, holder);
}

struct Operation {
  const char* name;
  std::function<void(Store&)> prepare;
  std::function<void(Store&)> work;
  // What "/k" may be, and what a search for "/k/deeper" may find.
  std::set<std::string> values;
  std::set<std::string> found;
};

// What a repair leaves is more than there is by one at most.
void expect_counted(Store& store) {
  const LockedShard shard(store.mapping(), 0);
  std::uint64_t items = 0;
  visit_chain(store.mapping().memory, &store.mapping().bucket(0, 0), [&](auto&, SlotWord) {
    ++items;
    return false;
  });
  const std::uint64_t counted = store.mapping().shards[0].counters.items.load();
  EXPECT_TRUE(counted == items || counted == items + 1) << counted << " for " << items;
}

std::string value_of(Store& store, std::string_view key) {
  const auto item = store.get(key);
  return item ? std::string(item->value.substr(0, 8)) : "(none)";
}

class KvsEveryInstruction : public ::testing::TestWithParam<Operation> {
 protected:
  // The child stops itself before and after the work.
  pid_t start() {
    return testing::start([this] {
      const auto store = store_.attach({.eviction = Eviction::kClock});
      store->set_now(100);
      if (ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) _exit(77);
      raise(SIGSTOP);
      GetParam().work(*store);
      raise(SIGSTOP);
    });
  }
  // False: it has come to the end.
  static bool step(pid_t child) {
    int status = 0;
    if (ptrace(PTRACE_SINGLESTEP, child, nullptr, nullptr) != 0) return false;
    if (waitpid(child, &status, 0) != child || !WIFSTOPPED(status)) return false;
    return WSTOPSIG(status) == SIGTRAP;
  }
  bool has_changed() {
    return std::memcmp(seen_.bytes().data(), store_.memory.bytes().data(), kSize) != 0;
  }
  void survive(pid_t dead) {
    std::memcpy(seen_.bytes().data(), store_.memory.bytes().data(), kSize);
    std::memcpy(copy_.bytes().data(), seen_.bytes().data(), kSize);
    let_holder_die(copy_.bytes(), dead);
    const auto store = Store::attach(copy_.bytes(), {.eviction = Eviction::kClock}).store;
    ASSERT_NE(store, nullptr);
    store->set_now(100);
    const std::string value = value_of(*store, "/k");
    EXPECT_TRUE(GetParam().values.contains(value)) << value;
    const auto found = store->longest_prefix("/k/deeper", Match::kByte);
    const std::string prefix(found.answer == Answer::kOk ? found.item.key
                                                         : to_string(found.answer));
    EXPECT_TRUE(GetParam().found.contains(prefix)) << prefix;
    store->end_batch();
    expect_counted(*store);
    ASSERT_EQ(testing::audit(*store), "");
    EXPECT_EQ(value_of(*store, "/k"), value) << "as it was before the repair";
    EXPECT_EQ(store->write({.key = "/k", .value = "after"}).answer, Answer::kOk);
    EXPECT_EQ(value_of(*store, "/k"), "after");
  }

  TestStore store_{kSize, kOptions};
  SharedMemory seen_{kSize};
  SharedMemory copy_{kSize};
};

TEST_P(KvsEveryInstruction, LeavesTheOldStateOrTheNew) {
  store_->set_now(1);
  GetParam().prepare(*store_);
  store_->end_batch();
  store_.store.reset();
  const pid_t child = start();
  int status = 0;
  waitpid(child, &status, 0);
  ASSERT_FALSE(WIFEXITED(status)) << "ptrace(2) is not allowed here";
  std::uint64_t steps = 0;
  int states = 0;
  for (; step(child) && !HasFailure(); ++steps) {
    if (!has_changed()) continue;
    ++states;
    survive(child);
  }
  kill(child, SIGKILL);
  testing::wait_for(child);
  std::printf("%lu instructions, %d states of the memory\n", steps, states);
  EXPECT_GT(states, 5);
}

void store_k(Store& store) { (void)store.write({.key = "/k", .value = "old"}); }
void nothing(Store&) {}
void fill_bucket(Store& store) {
  for (const std::string_view key : {"1", "2", "3", "4", "5", "6", "7"}) {
    (void)store.write({.key = key});
  }
}
// With "/k" alone in the second one.
void fill_three_buckets(Store& store) {
  fill_bucket(store);
  store_k(store);
  const std::string_view others[] = {"a", "b", "c", "d", "e", "f", "last"};
  for (const std::string_view key : others) (void)store.write({.key = key});
  for (std::size_t i = 0; i < 6; ++i) (void)store.erase(others[i]);
}
const std::string kThird(20'000, 't');  // of a page
void fill_memory(Store& store) {
  for (int i = 0; i < 1000; ++i) (void)store.write({.key = std::to_string(i), .value = kThird});
}

// There is room for another small item, and none for another bucket.
void fill_chain(Store& store) {
  for (const std::string_view key : {"1", "2", "3", "4", "5", "6"}) {
    (void)store.write({.key = key, .value = "small"});
  }
  Answer answer = Answer::kNoSpace;
  for (std::size_t pages = kSize / kPageBytes; answer != Answer::kOk; --pages) {
    const std::string value(pages * kPageBytes - kPageBytes / 4, 'l');
    answer = store.write({.key = "7", .value = value}).answer;
  }
}

const Operation kOperations[] = {
    {"Create",
     nothing,
     [](Store& store) { (void)store.write({.key = "/k", .value = "new"}); },
     {"(none)", "new"},
     {"not found", "/k"}},
    {"Overwrite",
     store_k,
     [](Store& store) { (void)store.write({.key = "/k", .value = "new"}); },
     {"old", "new"},
     {"/k"}},
    {"Erase",
     store_k,
     [](Store& store) { (void)store.erase("/k"); },
     {"old", "(none)"},
     {"/k", "not found"}},
    {"Append",
     store_k,
     [](Store& store) { (void)store.append("/k", "er"); },
     {"old", "older"},
     {"/k"}},
    {"CreateWithAnotherBucket",
     fill_bucket,
     [](Store& store) { (void)store.write({.key = "/k", .value = "new"}); },
     {"(none)", "new"},
     {"not found", "/k"}},
    {"EraseAtTheEndOfAChain",
     [](Store& store) {
       fill_bucket(store);
       store_k(store);
     },
     [](Store& store) { (void)store.erase("/k"); },
     {"old", "(none)"},
     {"/k", "not found"}},
    {"EraseInTheMiddleOfAChain",
     fill_three_buckets,
     [](Store& store) { (void)store.erase("/k"); },
     {"old", "(none)"},
     {"/k", "not found"}},
    {"Evict",
     fill_memory,
     [](Store& store) { (void)store.write({.key = "/k", .value = kThird}); },
     {"(none)", kThird.substr(0, 8)},
     {"not found", "/k"}},
    {"EvictFromAChain",
     fill_chain,
     [](Store& store) { (void)store.write({.key = "/k", .value = "new"}); },
     {"(none)", "new"},
     {"not found", "/k"}},
    {"StoreARun",
     store_k,
     [](Store& store) {  // without its bytes, each of which would be an instruction
       (void)store.commit(store.reserve("/k", 2 * kPageBytes).reservation, {.key = "/k"});
     },
     {"old", std::string(8, '\0')},
     {"/k"}},
    {"EraseARunAndReclaim",
     [](Store& store) { (void)store.write({.key = "/k", .value = std::string(kPageBytes, 'r')}); },
     [](Store& store) {
       (void)store.erase("/k");
       (void)tend(store, 0);
     },
     {"rrrrrrrr", "(none)"},
     {"/k", "not found"}},
    {"ReserveAndCommit",
     store_k,
     [](Store& store) {
       const auto reserved = store.reserve("/k", 3);
       std::memcpy(reserved.reservation.value.data(), "new", 3);
       (void)store.commit(reserved.reservation, {.key = "/k"});
     },
     {"old", "new"},
     {"/k"}},
    {"ReserveAndCancel",
     store_k,
     [](Store& store) { store.cancel(store.reserve("/k", 300).reservation); },
     {"old"},
     {"/k"}},
    {"PinAndOverwrite",
     store_k,
     [](Store& store) {
       const auto pin = store.pin(*store.get("/k"));
       store.end_batch();
       (void)store.write({.key = "/k", .value = "new"});
       (void)tend(store, 0);
       store.unpin(*pin);
       (void)tend(store, 0);
     },
     {"old", "new"},
     {"/k"}},
    {"RemoveExpired",
     [](Store& store) { (void)store.write({.key = "/k", .value = "old", .expires_ms = 50}); },
     [](Store& store) { (void)remove_expired(store, 0, {.buckets = 1 << 20}); },
     {"(none)"},
     {"not found"}},
    {"CollectGarbage",
     [](Store& store) {
       store_k(store);
       store.mapping().readers.abandon(0);
     },
     [](Store& store) { (void)tend(store, 0); },
     {"old"},
     {"/k"}},
};
INSTANTIATE_TEST_SUITE_P(All, KvsEveryInstruction, ::testing::ValuesIn(kOperations),
                         [](const auto& row) { return std::string(row.param.name); });

}  // namespace
}  // namespace kvs
