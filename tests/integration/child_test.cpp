// A stream is a connection: each row is one thing that a server does with a client, and must come
// out the same over a socket and over a stream that another module carries.
#include <gtest/gtest.h>

#include <filesystem>

#include "tests/integration/stream_daemon.h"
#include "tests/support/access_lines.h"
#include "tests/support/payload.h"
#include "tests/support/peer.h"
#include "tests/support/proc.h"
#include "tests/support/sanitizer.h"

namespace drover::test {
namespace {

// What a row has to work with.
struct Scene {
  Daemon& daemon;
  Route route;
  std::string config;

  std::unique_ptr<Peer> connect() {
    const Endpoint to = Endpoint::v4(daemon.port());
    return route == Route::kSocket ? make_socket_peer(to) : make_stream_peer(to);
  }
  std::string reason() {
    return wait_for_access_lines(daemon.file("access.log"), 1).front().reason;
  }
};

struct Row {
  const char* name;
  const char* protocol;
  const char* lines;
  void (*act)(Scene& scene);
};

class Child : public testing::TestWithParam<std::tuple<Row, Route>> {};

// Sends until nothing is taken for half a second; how much was.
std::size_t fill(Peer& peer) {
  const std::string block(65'536, 'f');
  std::size_t sent = 0;
  for (auto taken_at = Clock::now(); since(taken_at) < Millis{500};) {
    const std::size_t taken = peer.send_some(block);
    sent += taken;
    if (taken > 0) {
      taken_at = Clock::now();
    } else {
      std::this_thread::sleep_for(kGlance);
    }
  }
  return sent;
}

void echoes_every_byte(Scene& scene) {
  const auto peer = scene.connect();
  const std::string block = Payload(1).bytes(0, 100'000);
  for (int i = 0; i < 20; ++i) ASSERT_EQ(peer->exchange(block), block);
  peer->half_close();
  EXPECT_EQ(peer->receive_all(), "");
  EXPECT_EQ(scene.reason(), "peer");
}

void answers_after_the_peers_end(Scene& scene) {
  const auto peer = scene.connect();
  peer->send_all("last words");
  peer->half_close();
  EXPECT_EQ(peer->receive_all(), "last words");
}

void hears_a_reset(Scene& scene) {
  const auto peer = scene.connect();
  ASSERT_EQ(peer->exchange("x"), "x");
  peer->reset();
  EXPECT_EQ(scene.reason(), "reset");
}

void reads_no_faster_than_the_peer(Scene& scene) {
  const pid_t worker = scene.daemon.worker_pid(0);
  const auto peer = scene.connect();
  ASSERT_EQ(peer->exchange("x"), "x");
  const std::int64_t before = rss_bytes(worker);
  const std::size_t sent = fill(*peer);
  EXPECT_LT(rss_bytes(worker) - before, 8 << 20) << sent << " bytes were taken";
  EXPECT_EQ(peer->receive(sent), std::string(sent, 'f'));
  EXPECT_EQ(peer->exchange("goes on"), "goes on");
}

// Of a second, from now on.
void expect_timeout(Scene& scene, Peer& peer) {
  const auto from = Clock::now();
  EXPECT_TRUE(peer.ends());
  EXPECT_GE(since(from), Millis{1000} - kEarly);
  EXPECT_LT(since(from), Millis{2500});
  EXPECT_EQ(scene.reason(), "timeout");
}

void closes_when_idle(Scene& scene) {
  const auto peer = scene.connect();
  ASSERT_EQ(peer->exchange("x"), "x");
  expect_timeout(scene, *peer);
}

void closes_one_that_says_nothing(Scene& scene) {
  const auto peer = scene.connect();
  expect_timeout(scene, *peer);
}

void closes_one_that_does_not_read(Scene& scene) {
  const auto peer = scene.connect();
  fill(*peer);
  EXPECT_EQ(scene.reason(), "timeout");
}

void lingers_for_one_that_does_not_close(Scene& scene) {
  const auto peer = scene.connect();
  peer->send_all("x");
  EXPECT_EQ(peer->receive_all(), "bye");
  EXPECT_EQ(scene.reason(), "module");
}

// How often another one is refused while the first is there, and that it is not any more.
void admits_one_at_a_time(Scene& scene) {
  auto first = scene.connect();
  ASSERT_EQ(first->exchange("first"), "first");
  EXPECT_TRUE(scene.connect()->ends(Millis{3000}));
  EXPECT_EQ(scene.daemon.status().totals.refused_limit, 1);
  first->half_close();
  ASSERT_EQ(first->receive_all(), "");
  EXPECT_TRUE(wait_until([&] {
    try {
      return scene.connect()->exchange("next") == "next";
    } catch (const std::exception&) {
      return false;
    }
  }));
}

void refuses_the_denied(Scene& scene) {
  EXPECT_TRUE(scene.connect()->ends(Millis{3000}));
  EXPECT_EQ(scene.daemon.status().totals.refused_access, 1);
}

void serves_to_its_end_when_the_worker_drains(Scene& scene) {
  const auto peer = scene.connect();
  ASSERT_EQ(peer->exchange("before"), "before");
  ASSERT_EQ(scene.daemon.reload(scene.config).status, 0);
  EXPECT_EQ(peer->exchange("after"), "after");
  EXPECT_EQ(scene.connect()->exchange("new"), "new");
  peer->half_close();
  EXPECT_EQ(peer->receive_all(), "");
  EXPECT_TRUE(wait_until([&] { return scene.daemon.workers_of(1).empty(); }));
}

void ends_with_its_worker(Scene& scene) {
  const auto peer = scene.connect();
  ASSERT_EQ(peer->exchange("x"), "x");
  kill(scene.daemon.worker_pid(0), SIGKILL);
  EXPECT_TRUE(peer->ends());
  EXPECT_EQ(scene.connect()->exchange("again"), "again");
}

void ends_at_the_drain_deadline(Scene& scene) {
  const auto peer = scene.connect();
  ASSERT_EQ(peer->exchange("x"), "x");
  ASSERT_EQ(scene.daemon.run_command({"-s", "stop"}).status, 0);
  EXPECT_TRUE(peer->ends());
  EXPECT_EQ(scene.reason(), "drained");
}

std::string numbers() {
  std::string content;
  for (int i = 0; content.size() < 3'000'000; ++i) content += std::to_string(i) + '\n';
  return content;
}

std::string ask(Peer& peer, const std::string& request) {
  peer.send_all(request + "\n");
  std::string line;
  while (line.empty() || line.back() != '\n') line += peer.receive(1);
  return line.starts_with("error") ? line : peer.receive(std::stoul(line));
}

void sends_files_whole_in_part_or_not(Scene& scene) {
  const std::string content = numbers();
  write_file(scene.daemon.file("numbers"), content);
  const auto peer = scene.connect();
  EXPECT_EQ(ask(*peer, "numbers"), content);
  EXPECT_EQ(ask(*peer, "numbers 1000 70000"), content.substr(1000, 70'000));
  EXPECT_EQ(ask(*peer, "missing"), "error: No such file or directory\n");
  EXPECT_EQ(ask(*peer, "numbers 2999990 5"), content.substr(2'999'990, 5));
}

void sends_what_was_asked_before_the_end(Scene& scene) {
  write_file(scene.daemon.file("numbers"), numbers());
  const auto peer = scene.connect();
  peer->send_all("numbers 0 200000\nnumbers 5 10\n");
  peer->half_close();
  EXPECT_EQ(peer->receive_all(),
            "200000\n" + numbers().substr(0, 200'000) + "10\n" + numbers().substr(5, 10));
  EXPECT_EQ(scene.reason(), "peer");
}

void keeps_no_file_in_memory(Scene& scene) {
  const pid_t worker = scene.daemon.worker_pid(0);
  write_file(scene.daemon.file("huge"), "");
  std::filesystem::resize_file(scene.daemon.file("huge"), 1 << 28);
  const auto peer = scene.connect();
  const std::int64_t before = rss_bytes(worker);
  peer->send_all("huge\n");
  EXPECT_EQ(peer->receive(10), "268435456\n");
  EXPECT_LT(rss_bytes(worker) - before, 8 << 20);
  for (int i = 0; i < 256; ++i) ASSERT_EQ(peer->receive(1 << 20).size(), 1U << 20);
  EXPECT_LT(rss_bytes(worker) - before, 8 << 20);
}

void breaks_when_a_file_shrinks(Scene& scene) {
  write_file(scene.daemon.file("huge"), "");
  std::filesystem::resize_file(scene.daemon.file("huge"), 1 << 28);
  const auto peer = scene.connect();
  peer->send_all("huge\n");
  EXPECT_EQ(peer->receive(10), "268435456\n");
  std::filesystem::resize_file(scene.daemon.file("huge"), 1 << 20);
  EXPECT_TRUE(peer->ends());
  EXPECT_EQ(scene.reason(), "reset");
}

const Row kRows[] = {
    {"EchoesEveryByte", "echo", "", echoes_every_byte},
    {"AnswersAfterThePeersEnd", "echo", "", answers_after_the_peers_end},
    {"HearsAReset", "echo", "", hears_a_reset},
    {"ReadsNoFasterThanThePeer", "echo", "write_timeout = 60s\n", reads_no_faster_than_the_peer},
    {"ClosesWhenIdle", "echo", "idle_timeout = 1s\n", closes_when_idle},
    {"ClosesOneThatSaysNothing", "echo", "first_byte_timeout = 1s\n", closes_one_that_says_nothing},
    {"ClosesOneThatDoesNotRead", "echo", "write_timeout = 1s\n", closes_one_that_does_not_read},
    {"LingersForOneThatDoesNotClose", "closing", "linger_timeout = 1s\n",
     lingers_for_one_that_does_not_close},
    {"AdmitsUpToMaxConnections", "echo", "max_connections = 1\n", admits_one_at_a_time},
    {"AdmitsUpToLimitPerIp", "echo", "limit_per_ip = 1\n", admits_one_at_a_time},
    {"RefusesTheDenied", "echo", "deny = 127.0.0.0/8\n", refuses_the_denied},
    {"ServesToItsEndWhenTheWorkerDrains", "echo", "", serves_to_its_end_when_the_worker_drains},
    {"EndsWithItsWorker", "echo", "", ends_with_its_worker},
    {"EndsAtAFastStop", "echo", "", ends_at_the_drain_deadline},
    {"SendsFilesWholeInPartOrNot", "files", "", sends_files_whole_in_part_or_not},
    {"SendsWhatWasAskedBeforeTheEnd", "files", "", sends_what_was_asked_before_the_end},
    {"KeepsNoFileInMemory", "files", "", keeps_no_file_in_memory},
    {"BreaksWhenAFileShrinks", "files", "", breaks_when_a_file_shrinks},
};

TEST_P(Child, BehavesAsASocket) {
  const auto& [row, route] = GetParam();
  const std::string text = served_over(route, row.protocol, row.lines);
  Daemon daemon({.config = text, .environment = without_quarantine()});
  Scene scene{daemon, route, text};
  row.act(scene);
}

INSTANTIATE_TEST_SUITE_P(Table, Child,
                         testing::Combine(testing::ValuesIn(kRows),
                                          testing::Values(Route::kSocket, Route::kStream)),
                         [](const auto& row) {
                           const bool is_socket = std::get<1>(row.param) == Route::kSocket;
                           return std::string(std::get<0>(row.param).name) +
                                  (is_socket ? "_Socket" : "_Stream");
                         });

}  // namespace
}  // namespace drover::test
