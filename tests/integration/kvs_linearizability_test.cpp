// What concurrent clients of the real daemon see, while its workers are killed and its master is
// told to reload, can be explained by one order of all their requests, each of which takes effect
// at one moment between its call and its answer. A request whose connection was lost has taken
// effect or not, and if it has, before the loss: its worker served it or never will.
//
// DROVER_HISTORY_SECONDS (4) is how long, DROVER_HISTORY_SEED which requests and deaths.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <map>
#include <random>
#include <thread>

#include "modules/kvs/kv1/meta.h"
#include "tests/integration/kvs_daemon.h"
#include "tests/support/kv_history.h"

namespace drover::test {
namespace {

using namespace kvs::kv1;
using enum KvKind;

constexpr std::size_t kClients = 6;
constexpr std::size_t kTrees = 3;
constexpr std::size_t kKeys = std::tuple_size_v<TreeState>;

std::uint64_t number_from_environment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

std::string key_of(std::size_t tree, std::size_t key) {
  static constexpr std::array<const char*, kKeys> kTails{"", "/a", "/ab", "/ab/c"};
  return "/tree" + std::to_string(tree) + kTails.at(key);
}

// The key that it is stored under can be told from a value. Every other one is large: copied under
// the lock, for as long as a worker is then easily killed.
std::string text_of(int number, std::size_t key) {
  const std::string text = std::to_string(number) + "@" + std::to_string(key) + ".";
  return text + std::string(number % 2 == 0 ? 0 : 50'000, static_cast<char>('a' + number % 26));
}

// What all clients of a run share.
struct Shared {
  Daemon& daemon;
  std::atomic<bool> is_over = false;
  std::atomic<std::uint64_t> clock = 0;
  std::atomic<int> last_value = 0;
};

// One request after the other, over one connection as long as that lasts.
class RecordingClient {
 public:
  RecordingClient(Shared& shared, unsigned seed) : shared_(shared), random_(seed) {}

  void work() {
    while (!shared_.is_over) {
      // All clients are at the same tree for a while, or they would not meet.
      const std::size_t tree = shared_.clock / 1'000 % kTrees;
      KvEvent event = draw(tree);
      event.called = shared_.clock.fetch_add(1);
      const bool is_known = attempt(tree, event);
      event.returned = shared_.clock.fetch_add(1);
      if (is_known || event.is_unknown) histories[tree].push_back(event);
    }
  }

  std::array<std::vector<KvEvent>, kTrees> histories;
  int lost = 0;
  int refused = 0;  // busy, or the worker was going
  std::string wrong;

 private:
  KvEvent draw(std::size_t tree) {
    static constexpr std::array kKinds{kSet, kAdd, kSetIf,   kErase,  kErase,
                                       kGet, kGet, kLongest, kLongest};
    KvEvent event{.kind = kKinds.at(random_() % kKinds.size()), .key = random_() % kKeys};
    if (event.kind != kGet && event.kind != kLongest) event.value = ++shared_.last_value;
    if (event.kind == kSetIf) event.condition = heard_[{tree, event.key}];
    if (event.kind == kSetIf && event.condition == 0) event.kind = kSet;
    return event;
  }
  // False: it was not served, or nobody knows.
  bool attempt(std::size_t tree, KvEvent& event) {
    const auto start = Clock::now();
    if (const auto said = ask(tree, event)) return understand(tree, event, *said);
    event.is_unknown = client_.has_value();
    lost += client_ ? 1 : 0;
    client_.reset();
    if (since(start) >= kPatience) wrong = "no answer, and no end of the connection";
    return false;
  }
  // None: the connection is lost, or there was none.
  std::optional<Said> ask(std::size_t tree, const KvEvent& event) {
    try {
      if (!client_) client_.emplace(shared_.daemon);
      return client_->ask(type_of(event), asked_key(tree, event), asked_value(event));
    } catch (const std::exception&) {
      return std::nullopt;
    }
  }
  static std::uint8_t type_of(const KvEvent& event) {
    constexpr std::array kTypes{kvs::kv1::kSet, kvs::kv1::kAdd,     kSetMeta,
                                kDel,           kvs::kv1::kGetMeta, kLpm};
    return kTypes.at(static_cast<std::size_t>(event.kind));
  }
  static std::string asked_key(std::size_t tree, const KvEvent& event) {
    return key_of(tree, event.key) + (event.kind == kLongest ? "/below" : "");
  }
  static std::string asked_value(const KvEvent& event) {
    std::string value;
    if (event.kind == kSetIf) append_meta(value, {.cas = event.condition});
    if (event.value == kNone || event.kind == kErase) return value;
    return value + text_of(event.value, event.key);
  }

  bool understand(std::size_t tree, KvEvent& event, const Said& said) {
    if (said.status == kBusy || said.status == kShuttingDown) {
      ++refused;
      if (said.status == kShuttingDown) client_.reset();
      return false;
    }
    event.is_done = said.status == kOk;
    const bool may_be_refused = event.kind != kSet && event.kind != kGet && event.kind != kLongest;
    const bool is_nothing =
        said.status == kNotFound && (event.kind == kGet || event.kind == kLongest);
    const bool is_refused = said.status == refusal_of(event.kind) && may_be_refused;
    if (!event.is_done && !is_nothing && !is_refused) return blame(event, said);
    if (event.kind == kGet || event.kind == kLongest) return see(tree, event, said);
    return true;
  }
  static int refusal_of(KvKind kind) {
    if (kind == kAdd) return kNotStored;
    return kind == kSetIf ? kExists : kNotFound;
  }
  bool see(std::size_t tree, KvEvent& event, const Said& said) {
    event.value = kNone;
    if (!std::exchange(event.is_done, true)) return true;
    std::string_view value = said.value;
    if (event.kind == kGet) {
      const auto parsed = parse_meta(value);
      if (!parsed) return blame(event, said);
      event.cas = heard_[{tree, event.key}] = parsed->meta.cas;
      value = parsed->value;
    }
    const auto [number, key] = parts_of(std::string(value));
    event.value = number;
    const bool is_right = event.kind == kGet ? key == event.key : said.key == key_of(tree, key);
    return (is_right && number != kNone) || blame(event, said);
  }
  // Neither: it is not a whole value.
  static std::pair<int, std::size_t> parts_of(const std::string& text) {
    int number = kNone;
    std::size_t key = 0;
    const int parts = std::sscanf(text.c_str(), "%d@%zu.", &number, &key);
    const bool is_whole = parts == 2 && key < kKeys && text == text_of(number, key);
    return is_whole ? std::pair(number, key) : std::pair(kNone, std::size_t{0});
  }
  bool blame(const KvEvent& event, const Said& said) {
    std::ostringstream text;
    text << event << ": status " << said.status << " key " << said.key << " value "
         << said.value.substr(0, 100);
    wrong = text.str();
    return false;
  }

  Shared& shared_;
  std::mt19937 random_;
  std::optional<KvClient> client_;
  std::map<std::pair<std::size_t, std::size_t>, std::uint64_t> heard_;  // the last cas of each key
};

// Workers die, and now and then all of them go for new ones.
struct Trouble {
  int kills = 0;
  int reloads = 0;
};
Trouble make_trouble(Daemon& daemon, std::chrono::seconds duration, std::mt19937& random) {
  constexpr int kLeastTrouble = 16;  // on however slow a machine
  constexpr int kReloadEach = 7;
  Trouble trouble;
  const auto end = Clock::now() + duration;
  for (int i = 1; i <= kLeastTrouble || Clock::now() < end; ++i) {
    std::this_thread::sleep_for(Millis{10 + random() % 80});
    const auto workers = daemon.workers();
    if (i % kReloadEach == 0) {
      daemon.signal_master(SIGHUP);
      ++trouble.reloads;
    } else if (!workers.empty()) {
      kill_now(workers[random() % workers.size()].pid);
      ++trouble.kills;
    }
  }
  return trouble;
}

std::vector<KvEvent> history_of(const std::vector<RecordingClient>& clients, std::size_t tree) {
  std::vector<KvEvent> all;
  for (const RecordingClient& client : clients)
    all.insert(all.end(), client.histories[tree].begin(), client.histories[tree].end());
  return all;
}

// Whoever serves now: a worker of the last moment may go at once.
std::uint64_t repairs_of(Daemon& daemon) {
  std::uint64_t repairs = 0;
  EXPECT_TRUE(wait_until([&] {
    try {
      repairs = KvClient(daemon).stat("repairs");
      return true;
    } catch (const std::exception&) {
      return false;
    }
  }));
  return repairs;
}

TEST(KvsHistory, IsOneOrderOfAllRequestsWhileWorkersAreKilledAndReplaced) {
  const auto seed =
      number_from_environment("DROVER_HISTORY_SEED", std::random_device{}() % 1'000'000);
  const std::chrono::seconds duration(number_from_environment("DROVER_HISTORY_SECONDS", 4));
  std::cout << "DROVER_HISTORY_SEED=" << seed << " DROVER_HISTORY_SECONDS=" << duration.count()
            << std::endl;
  std::mt19937 random(static_cast<unsigned>(seed));
  Daemon daemon({.config = kvs_config("", 2, "", "[zone data]\nsize = 128m\n")});
  Shared shared{daemon};
  std::vector<RecordingClient> clients;
  for (std::size_t i = 0; i < kClients; ++i)
    clients.emplace_back(shared, static_cast<unsigned>(random()));
  std::vector<std::thread> threads;
  for (RecordingClient& client : clients) threads.emplace_back([&client] { client.work(); });

  const Trouble trouble = make_trouble(daemon, duration, random);
  shared.is_over = true;
  for (std::thread& thread : threads) thread.join();

  std::size_t requests = 0;
  int lost = 0;
  int refused = 0;
  for (const RecordingClient& client : clients) {
    EXPECT_EQ(client.wrong, "");
    lost += client.lost;
    refused += client.refused;
  }
  for (std::size_t tree = 0; tree < kTrees; ++tree) {
    const auto history = history_of(clients, tree);
    requests += history.size();
    EXPECT_EQ(unexplained(history), "") << "tree " << tree;
  }
  std::cout << requests << " requests, " << lost << " cut, " << refused << " not served, "
            << trouble.kills << " kills, " << trouble.reloads << " reloads, " << repairs_of(daemon)
            << " repairs" << std::endl;
  EXPECT_GT(requests, 100U);
  EXPECT_GT(lost, 0);
  EXPECT_GT(trouble.kills, 0);
  EXPECT_GT(trouble.reloads, 0);
}

}  // namespace
}  // namespace drover::test
