// What workers tell each other through rings in a zone, by the module fanout: every line of a
// client comes to the clients of all workers, while workers are killed, stopped and replaced.
#include <gtest/gtest.h>

#include <future>
#include <map>
#include <string>

#include "tests/integration/counter_daemon.h"
#include "tests/support/proc.h"

namespace drover::test {
namespace {

constexpr int kWorkers = 4;

std::string fanout_config() {
  return config("workers = " + std::to_string(kWorkers) +
                    "\nworker_shutdown_timeout = 60s\nhang_timeout = 60s\nload = " +
                    built("test-modules/fanout.so"),
                "\n[server fanout]\nlisten = 127.0.0.1:{port}\nprotocol = fanout\n"
                "\n[zone fanout]\nsize = 1m\n");
}

// "SENDER NUMBER": what one hears must count up by sender.
class Crowd {
 public:
  explicit Crowd(Daemon& daemon) : clients_(one_in_each_slot(daemon, kWorkers)) {}

  void say(int sender, int lines) {
    std::string text;
    for (int i = 0; i < lines; ++i) {
      text += std::to_string(sender) + " " + std::to_string(said_[sender]++) + "\n";
    }
    clients_.at(sender).say(text);
  }
  // Until all that this sender has said has come, and each line of the others at most once, in
  // order.
  void hear(int listener, int sender) {
    while (heard_[listener][sender] < said_[sender]) hear_line(listener);
  }
  // The next one of `listener` is the first of its sender that it has heard, or the next.
  void hear_line(int listener) {
    const std::string line = clients_.at(listener).line();
    const int from = std::stoi(line);
    const int number = std::stoi(line.substr(line.find(' ')));
    ASSERT_EQ(number, heard_[listener][from]++) << "at " << listener << ": " << line;
  }
  void replace(int slot, LineClient client) {
    clients_.erase(slot);
    clients_.emplace(slot, std::move(client));
    for (auto& [sender, lines] : said_) heard_[slot][sender] = lines;
  }
  // Of the slot's own lines, which a kill may have cut short.
  void forget(int sender) {
    said_[sender] = 1'000'000 * ++forgotten_;
    for (int listener = 0; listener < kWorkers; ++listener) {
      heard_[listener][sender] = said_[sender];
    }
  }
  LineClient& at(int slot) { return clients_.at(slot); }

 private:
  std::map<int, LineClient> clients_;
  std::map<int, int> said_;
  std::map<int, std::map<int, int>> heard_;
  int forgotten_ = 0;
};

// Others may be told lines meanwhile, but not this one before it has asked.
LineClient client_in(Daemon& daemon, int slot) {
  for (const auto end = Clock::now() + kPatience; Clock::now() < end;) {
    LineClient client(daemon);
    if (client.slot() == slot) return client;
  }
  throw std::runtime_error("no connection came to slot " + std::to_string(slot));
}

TEST(Fanout, TellsEachLineOnceToTheClientsOfAllWorkersInTheOrderOfItsSender) {
  Daemon daemon({.config = fanout_config()});
  Crowd crowd(daemon);

  for (int sender = 0; sender < kWorkers; ++sender) crowd.say(sender, 50);

  for (int listener = 0; listener < kWorkers; ++listener) {
    for (int sender = 0; sender < kWorkers; ++sender) crowd.hear(listener, sender);
  }
  EXPECT_EQ(crowd.at(0).ask("dropped"), "0") << "and nothing comes twice";
}

TEST(Fanout, ComesWithTheDoorbellAndNotWithTheTimer) {
  Daemon daemon({.config = fanout_config()});
  Crowd crowd(daemon);
  const auto from = Clock::now();

  for (int round = 0; round < 200; ++round) {
    crowd.say(0, 1);
    crowd.hear(1, 0);
  }

  EXPECT_LT(since(from), Millis{200 * 50 / 3}) << "the timer comes every 50 ms";
}

TEST(Fanout, GoesOnWhenWorkersAreKilledInTheMiddleOfTheirLines) {
  Daemon daemon({.config = fanout_config()});
  Crowd crowd(daemon);

  for (int round = 0; round < 6; ++round) {
    const int victim = 2 + round % 2;
    const pid_t pid = daemon.worker_pid(victim);
    crowd.say(0, 20);
    crowd.say(victim, 100);
    crowd.say(1, 20);
    crowd.hear_line(0);
    kill_now(pid);
    ASSERT_TRUE(wait_until([&] { return !is_alive(pid); }));
    crowd.say(0, 1);  // behind all that the victim has told
    crowd.say(1, 1);

    for (const int listener : {0, 1, 5 - victim}) {
      for (const int sender : {0, 1}) crowd.hear(listener, sender);
    }
    crowd.forget(victim);
    crowd.replace(victim, client_in(daemon, victim));
  }

  crowd.say(3, 5);
  for (int listener = 0; listener < kWorkers; ++listener) crowd.hear(listener, 3);
  EXPECT_EQ(crowd.at(0).ask("dropped"), "0");
}

TEST(Fanout, TellsTheClientsOfBothGenerationsDuringAReload) {
  Daemon daemon({.config = fanout_config()});
  Crowd old_crowd(daemon);
  auto reload = std::async(std::launch::async, [&] { return daemon.reload(fanout_config()); });
  while (reload.wait_for(Millis{0}) != std::future_status::ready) {
    old_crowd.say(0, 3);
    for (int listener = 0; listener < kWorkers; ++listener) old_crowd.hear(listener, 0);
  }
  ASSERT_EQ(reload.get().status, 0);
  ASSERT_EQ(daemon.workers_of(1).size(), static_cast<std::size_t>(kWorkers));
  LineClient new_client(daemon);
  ASSERT_GE(new_client.slot(), 0);

  old_crowd.say(1, 3);
  for (const int number : {0, 1, 2}) {
    EXPECT_EQ(new_client.line(), "1 " + std::to_string(number));
  }
  new_client.say("3 0\n3 1\n");
  EXPECT_EQ(new_client.line(), "3 0");
  EXPECT_EQ(new_client.line(), "3 1");

  for (int listener = 0; listener < kWorkers; ++listener) {
    old_crowd.hear(listener, 1);
    old_crowd.hear_line(listener);
    old_crowd.hear_line(listener);
  }
}

TEST(Fanout, AWorkerThatIsStoppedLosesLinesAndNobodyWaitsForIt) {
  Daemon daemon({.config = fanout_config()});
  Crowd crowd(daemon);
  const pid_t stopped = daemon.worker_pid(3);
  stop(stopped);

  Millis slowest{0};
  for (int round = 0; round < 60; ++round) {
    const auto from = Clock::now();
    crowd.say(0, 20);
    for (const int listener : {0, 1, 2}) crowd.hear(listener, 0);
    slowest = std::max(slowest, since(from));
  }
  EXPECT_LT(slowest, Millis{1000});
  const int dropped = std::stoi(crowd.at(0).ask("dropped"));
  EXPECT_GT(dropped, 0);
  resume(stopped);

  for (int i = 0; i < 1200 - dropped; ++i) crowd.hear_line(3);
  crowd.say(1, 3);
  crowd.hear(3, 1);
}

}  // namespace
}  // namespace drover::test
