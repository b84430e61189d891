// Clients of a store that write down what they do and see, in memory that is there when they are
// dead: three of them, at keys each of which is a prefix of the next.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/kv_history.h"
#include "tests/unit/kvs/shared_memory.h"

namespace kvs::testing {

using drover::test::kNever;
using drover::test::kNone;
using drover::test::KvEvent;
using drover::test::KvKind;
inline constexpr std::array<std::string_view, 3> kKeys{"/a", "/a/b", "/a/b/c"};
inline constexpr std::string_view kPath = "/a/b/c/d";
inline constexpr std::size_t kClients = 3;
inline constexpr std::size_t kEvents = 400;  // of a client

// Prefix searches have most to lose; creates and deletes are what they can lose it by.
using enum KvKind;
inline constexpr std::array kKinds{kSet, kAdd,     kSetIf,   kErase,  kErase,
                                   kGet, kLongest, kLongest, kLongest};

// What a client did, where others can read it when it is dead.
struct Log {
  std::atomic<std::uint32_t> begun;
  std::atomic<std::uint32_t> ended;
  std::array<KvEvent, kEvents> events;
};

struct Round {
  std::atomic<std::uint64_t> clock = 0;
  std::atomic<std::size_t> waiting = kClients;
  std::array<Log, kClients> logs{};

  // All begin at once.
  void meet() {
    --waiting;
    while (waiting > 0) std::this_thread::yield();
  }
};

inline int number_in(std::string_view value) { return std::stoi(std::string(value)); }

class RecordingClient {
 public:
  RecordingClient(const TestStore& store, Round& round, std::size_t index, unsigned seed)
      : store_(store.attach()),
        round_(round),
        log_(round.logs[index]),
        first_value_(static_cast<int>(1 + index * kEvents)),
        random_(seed) {}

  void run(std::size_t events) {
    for (std::size_t i = 0; i < events; ++i)
      step(log_.events[i], first_value_ + static_cast<int>(i));
  }

 private:
  void step(KvEvent& event, int value) {
    event = {
        .kind = kKinds[random_() % kKinds.size()], .key = random_() % kKeys.size(), .value = value};
    if (event.kind == kSetIf) event.condition = heard_[event.key];
    if (event.kind == kSetIf && event.condition == 0) event.kind = kGet;
    if (event.kind == kLongest) event.key = kKeys.size() - 1;
    event.called = round_.clock.fetch_add(1);
    ++log_.begun;
    while (!attempt(event)) std::this_thread::yield();
    event.returned = round_.clock.fetch_add(1);
    ++log_.ended;
    store_->end_batch();
  }
  // False: busy.
  bool attempt(KvEvent& event) {
    const std::string_view key = kKeys[event.key];
    switch (event.kind) {
      case kSet:
        return write(event, {.key = key});
      case kAdd:
        return write(event, {.key = key, .condition = Condition::kIfAbsent});
      case kSetIf:
        return write(event, {.key = key, .cas = event.condition});
      case kErase: {
        const Answer answer = store_->erase(key);
        event.is_done = answer == Answer::kOk;
        return answer != Answer::kBusy;
      }
      case kGet:
        return see(event, store_->get(key));
      case kLongest: {
        const auto found = store_->longest_prefix(kPath, Match::kByte);
        event.value = found.answer == Answer::kOk ? number_in(found.item.value) : kNone;
        return found.answer != Answer::kBusy;
      }
    }
    return true;
  }
  bool write(KvEvent& event, Write write) {
    const std::string value = std::to_string(event.value);
    write.value = value;
    const auto [answer, cas] = store_->write(write);
    event.is_done = answer == Answer::kOk;
    if (event.is_done) event.cas = heard_[event.key] = cas;
    return answer != Answer::kBusy;
  }
  bool see(KvEvent& event, const std::optional<Item>& item) {
    event.value = item ? number_in(item->value) : kNone;
    event.cas = item ? item->cas : 0;
    if (item) heard_[event.key] = item->cas;
    return true;
  }

  std::unique_ptr<Store> store_;
  Round& round_;
  Log& log_;
  int first_value_;
  std::array<std::uint64_t, kKeys.size()> heard_{};  // the last cas of each key
  std::mt19937 random_;
};

// Whoever has not ended what it began is dead since `death`.
inline std::vector<KvEvent> history_of(const Round& round, std::uint64_t death = kNever) {
  std::vector<KvEvent> history;
  for (const Log& log : round.logs) {
    history.insert(history.end(), log.events.begin(), log.events.begin() + log.begun);
    if (log.begun == log.ended) continue;
    const KvEvent& cut = history.back();
    history.back() = {.kind = cut.kind,
                      .key = cut.key,
                      .value = cut.value,
                      .condition = cut.condition,
                      .is_unknown = true,
                      .called = cut.called,
                      .returned = death};
  }
  return history;
}

inline void erase_all(const TestStore& store) {
  for (const auto key : kKeys) {
    while (store->erase(key) == Answer::kBusy) {
    }
  }
}

}  // namespace kvs::testing
