// What the tests of zones, leases and doorbells share: a daemon that serves tests/modules/counter,
// and clients that speak its lines.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <cstdio>
#include <exception>
#include <map>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/client.h"
#include "tests/support/daemon.h"
#include "tests/support/proc.h"

namespace drover::test {

inline constexpr std::string_view kZone = "\n[zone counter]\nsize = 64k\n";

inline std::string counter_server(const std::string& protocol = "counter",
                                  const std::string& port = "{port}") {
  return "\n[server counter]\nlisten = 127.0.0.1:" + port + "\nprotocol = " + protocol + "\n";
}

// `sections` beside [drover], which loads the module's file of that name.
inline std::string counter_config(const std::string& sections,
                                  const std::string& module = "counter", int workers = 3) {
  return config("workers = " + std::to_string(workers) + "\nworker_shutdown_timeout = 5s\nload = " +
                    built("test-modules/" + module + ".so"),
                sections);
}

inline std::string counting(int workers = 3) {
  return counter_config(counter_server().append(kZone), "counter", workers);
}

// With a helper that keeps the value in {dir}/FILE.
inline std::string counting_on_disk(const std::string& drover = "",
                                    const std::string& file = "count") {
  return config("workers = 2\nload = " + built("test-modules/counter.so") + "\n" + drover,
                counter_server() + "counter.file = {dir}/" + file + "\n" + std::string(kZone));
}

// The helpers that live, by the titles of their processes; of all generations without a number.
inline std::vector<pid_t> helper_pids(const Daemon& daemon, int generation = 0) {
  std::vector<pid_t> pids;
  for (const pid_t pid : daemon.processes()) {
    int its_generation = 0;
    const bool is_helper =
        std::sscanf(title_of(pid).c_str(), "drover: helper %*s gen %d", &its_generation) == 1;
    if (is_helper && (generation == 0 || generation == its_generation)) pids.push_back(pid);
  }
  return pids;
}

inline HelperStatus helper_of(const DaemonStatus& status) {
  const GenerationStatus* serving = status.serving();
  return serving == nullptr || serving->helpers.empty() ? HelperStatus{} : serving->helpers[0];
}

class LineClient {
 public:
  explicit LineClient(Daemon& daemon, int port = 1) : client_(Endpoint::v4(daemon.port(port))) {}

  std::string line() {
    size_t end = 0;
    while ((end = buffer_.find('\n')) == std::string::npos) {
      const std::string more = client_.receive_some();
      if (more.empty()) throw std::runtime_error("the connection ended");
      buffer_ += more;
    }
    const std::string text = buffer_.substr(0, end);
    buffer_.erase(0, end + 1);
    return text;
  }
  void say(std::string_view text) { client_.send_all(text); }
  std::string ask(const std::string& command) {
    say(command + "\n");
    return line();
  }
  // -1: what answers is not a counter, but a generation of before.
  int slot() {
    const std::string who = ask("who");
    return who.find('/') == std::string::npos ? -1 : std::stoi(who);
  }

 private:
  Client client_;
  std::string buffer_;
};

// Adds and counts the answers until told to stop; a connection that ends is followed by another.
struct Adder {
  explicit Adder(Daemon& daemon) : thread([this, &daemon] { run(daemon); }) {}
  ~Adder() { stop(); }
  void stop() {
    is_over = true;
    if (thread.joinable()) thread.join();
  }
  void run(Daemon& daemon) {
    while (!is_over) {
      try {
        LineClient client(daemon);
        while (!is_over) {
          ++asked;
          client.ask("add");
          ++answered;
        }
      } catch (const std::exception&) {  // its worker was killed
        ++broken;
      }
    }
  }
  std::atomic<bool> is_over = false;
  std::atomic<std::uint64_t> asked = 0;
  std::atomic<std::uint64_t> answered = 0;
  std::atomic<std::uint64_t> broken = 0;
  std::thread thread;
};

// A client of each of `slots` workers.
inline std::map<int, LineClient> one_in_each_slot(Daemon& daemon, size_t slots) {
  std::map<int, LineClient> clients;
  const bool all = wait_until([&] {
    LineClient client(daemon);
    const int slot = client.slot();
    if (slot >= 0) clients.emplace(slot, std::move(client));
    return clients.size() == slots;
  });
  EXPECT_TRUE(all) << clients.size() << " workers serve";
  return clients;
}

// Until it is there: a daemon without the zone has none.
inline ZoneStatus zone_of(const DaemonStatus& status) {
  return status.zones.empty() ? ZoneStatus{} : status.zones.front();
}

}  // namespace drover::test
