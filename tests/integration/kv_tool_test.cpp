// drover-kv against the real daemon with the module kvs: what each command prints, the exit
// statuses, dump and load, and how a load ends that does not come to its end.
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <sstream>

#include "tests/support/daemon.h"
#include "tests/support/endpoint.h"

namespace drover::test {
namespace {

using std::string_literals::operator""s;

std::string kvs_server(std::string_view more = "") {
  return config("load = kvs\nworkers = 2",
                "[zone urls]\nsize = 16m\n"
                "[server cache]\nlisten = 127.0.0.1:{port}\n"
                "protocol = kvs\nkvs.zone = urls\n" +
                    std::string(more));
}

std::vector<std::string> sorted_lines(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  std::ranges::sort(lines);
  return lines;
}

class KvTool : public ::testing::Test {
 protected:
  explicit KvTool(const std::string& text = kvs_server()) : daemon_({.config = text}) {}

  CommandResult kv(std::vector<std::string> arguments, const Environment& extra = {}) {
    arguments.insert(arguments.begin(),
                     {built("drover-kv"), "-s", "127.0.0.1:" + std::to_string(daemon_.port())});
    return run_command(arguments, extra);
  }
  // kv is the tool, with this server; $KV the same to be put in the background. stored waits for a
  // key and gone for the end of the server, not for ever.
  CommandResult shell(const std::string& script) {
    const std::string tool = built("drover-kv") + " -s 127.0.0.1:" + std::to_string(daemon_.port());
    const std::string words = R"(
      kv() { $KV "$@"; }
      holds() { "$@" >/dev/null 2>&1; }
      stored() { for i in {1..500}; do holds kv get $1 && return; sleep 0.01; done; return 1; }
      gone() { for i in {1..500}; do holds kv ping || return 0; sleep 0.01; done; return 1; })";
    return run_command({"bash", "-uo", "pipefail", "-c", words + "\n" + script},
                       {{"KV", tool}, {"DIR", daemon_.dir()}});
  }
  std::string file_of(std::string_view name, std::string_view text) {
    write_file(daemon_.file(name), text);
    return daemon_.file(name);
  }

  Daemon daemon_;
};

// Of each: what is typed, the status, what is printed and what is complained of.
TEST_F(KvTool, DoesWhatItsCommandsSay) {
  struct Row {
    std::vector<std::string> typed;
    int status;
    std::string output;
    std::string errors;
  };
  const std::vector<Row> rows = {
      {{"get", "/a"}, 1, "", "drover-kv: get: NOT_FOUND\n"},
      {{"set", "/a", "one"}, 0, "", ""},
      {{"get", "/a"}, 0, "one", ""},
      {{"add", "/a", "two"}, 1, "", "drover-kv: add: NOT_STORED\n"},
      {{"add", "/b", "-2"}, 0, "", ""},
      {{"replace", "/c", "x"}, 1, "", "drover-kv: replace: NOT_STORED\n"},
      {{"replace", "/a", "tab\tin"}, 0, "", ""},
      {{"lpm", "/a/b/c"}, 0, "/a\ttab\\tin\n", ""},
      {{"lpm", "other"}, 1, "", "drover-kv: lpm: NOT_FOUND\n"},
      {{"incr", "/b", "-5"}, 0, "-7\n", ""},
      {{"incr", "/n", "1", "10"}, 0, "10\n", ""},
      {{"incr", "/n"}, 0, "11\n", ""},
      {{"incr", "/n", "x"}, 2, "", "drover-kv: incr: \"x\" is not a 64-bit number\n"},
      {{"touch", "/n", "1h"}, 0, "", ""},
      {{"touch", "/n", "soon"}, 2, "", ""},
      {{"touch", "/m", "1h"}, 1, "", "drover-kv: touch: NOT_FOUND\n"},
      {{"scan", "--count"}, 0, "3\n", ""},
      {{"scan", "/n"}, 0, "/n\n", ""},
      {{"scan", "/x"}, 0, "", ""},
      {{"del", "/n"}, 0, "", ""},
      {{"del", "/n"}, 1, "", "drover-kv: del: NOT_FOUND\n"},
      {{"dump", "/b"}, 0, "/b\t-7\n", ""},
      {{"get", ""}, 3, "", "drover-kv: get: BAD_ARGUMENT: \"a key is needed\"\n"},
      {{"put", "a"}, 2, "", "drover-kv: \"put\": unknown command; see drover-kv -h\n"},
      {{"load", "/nonexistent"},
       2,
       "",
       "drover-kv: load: /nonexistent: No such file or directory\n"},
  };
  for (const Row& row : rows) {
    const CommandResult result = kv(row.typed);
    EXPECT_EQ(result.status, row.status) << ::testing::PrintToString(row.typed);
    EXPECT_EQ(result.output, row.output) << ::testing::PrintToString(row.typed);
    if (!row.errors.empty() || row.status == 0) {
      EXPECT_EQ(result.errors, row.errors) << ::testing::PrintToString(row.typed);
    }
  }
  EXPECT_EQ(kv({"stats"}).output.substr(0, 8), "items 2\n");
  EXPECT_TRUE(kv({"ping"}).output.starts_with("127.0.0.1:"));
}

TEST_F(KvTool, GivesAValueBackByteByByte) {
  const CommandResult result = shell(R"(
    head -c 300000 /dev/urandom > $DIR/value
    kv set key - < $DIR/value && kv get key | cmp - $DIR/value)");

  EXPECT_EQ(result.status, 0) << result.both();
}

TEST_F(KvTool, DumpsWhatItHasLoaded) {
  std::string lines;
  for (int byte = 0; byte < 256; ++byte) {
    const std::string key = "\\x"s + "0123456789abcdef"[byte / 16] + "0123456789abcdef"[byte % 16];
    lines += key + "\tvalue of " + key + "\n";
  }
  for (int i = 0; i < 5'000; ++i) lines += "/k/" + std::to_string(i) + "\t\n";
  const std::string file = file_of("lines", lines);

  const CommandResult loaded = kv({"load", file});
  const CommandResult dumped = kv({"dump"});
  ASSERT_EQ(shell("for key in $(kv scan /k/); do echo $key; done | wc -l").output, "5000\n");
  Daemon other({.config = kvs_server()});
  const std::string other_server = "127.0.0.1:" + std::to_string(other.port());
  const CommandResult copied =
      shell("kv dump | " + built("drover-kv") + " -s " + other_server + " load -q -");
  const CommandResult dumped_there = run_command({built("drover-kv"), "-s", other_server, "dump"});

  EXPECT_EQ(loaded.status, 0);
  EXPECT_EQ(loaded.both(), "lines 5256, stored 5256, failed 0\n");
  EXPECT_EQ(dumped.status, 0);
  EXPECT_EQ(sorted_lines(dumped.output).size(), 5'256);
  EXPECT_EQ(copied.status, 0);
  EXPECT_EQ(copied.both(), "");
  EXPECT_EQ(sorted_lines(dumped_there.output), sorted_lines(dumped.output));
}

TEST_F(KvTool, NamesTheLinesThatItCouldNotStore) {
  const std::string file =
      file_of("lines", "a\t1\nno tab\n" + std::string(3'000, 'k') + "\tv\nb\t2");

  const CommandResult result = kv({"load", file});

  EXPECT_EQ(result.status, 1);
  EXPECT_EQ(result.output, "lines 4, stored 2, failed 2\n");
  EXPECT_EQ(result.errors,
            "drover-kv: load: line 2: no tab between key and value\n"
            "drover-kv: load: line 3: KEY_LENGTH: \"the key is longer than kvs.max_key\"\n");
  EXPECT_EQ(kv({"get", "b"}).output, "2");
}

TEST_F(KvTool, StoresWhatASlowWriterHasWritten) {
  const CommandResult result = shell(R"(
    (printf 'a\t1\n'; stored a; printf 'b\t2\n') | kv load -)");

  EXPECT_EQ(result.status, 0);
  EXPECT_EQ(result.both(), "lines 2, stored 2, failed 0\n");
}

TEST_F(KvTool, SaysHowFarALoadHasComeThatIsInterrupted) {
  for (const std::string signal : {"INT", "TERM"}) {
    const CommandResult result = shell("signal=" + signal + R"(
      kv del b 2>/dev/null
      rm -f $DIR/fifo && mkfifo $DIR/fifo
      $KV load - < $DIR/fifo & exec 3> $DIR/fifo
      printf 'a\t1\nb\t2\n' >&3
      stored b
      kill -$signal $! && wait $!)");

    EXPECT_EQ(result.status, 128 + (signal == "INT" ? SIGINT : SIGTERM));
    EXPECT_EQ(result.output, "");
    EXPECT_NE(result.errors.find("drover-kv: load: interrupted; of 2 lines read, 2 were sent and 2 "
                                 "acknowledged as stored\n"),
              std::string::npos)
        << result.errors;
  }
}

TEST_F(KvTool, SaysHowFarALoadHasComeWhenTheServerGoes) {
  const CommandResult result = shell("master=" + std::to_string(daemon_.master_pid()) + R"(
    mkfifo $DIR/fifo
    $KV load - < $DIR/fifo & exec 3> $DIR/fifo
    printf 'a\t1\n' >&3
    stored a
    kill -TERM $master
    gone
    printf 'b\t2\n' >&3; exec 3>&-
    wait $!)");

  EXPECT_EQ(result.status, 3);
  EXPECT_NE(result.errors.find("; of 2 lines read, 2 were sent and 1 acknowledged as stored\n"),
            std::string::npos)
      << result.errors;
}

TEST_F(KvTool, EndsQuietlyWhenItsReaderGoes) {
  const CommandResult result = shell(R"(
    seq 20000 | sed 's/$/\tvalue/' | kv load -q -
    kv dump | head -n 1 | wc -l)");

  EXPECT_EQ(result.status, 128 + SIGPIPE);
  EXPECT_EQ(result.both(), "1\n");
}

TEST_F(KvTool, FailsWhenNothingCanBePrinted) {
  const CommandResult result = shell("kv set a b && kv dump > /dev/full");

  EXPECT_EQ(result.status, 3);
  EXPECT_EQ(result.errors, "drover-kv: dump: standard output: No space left on device\n");
}

TEST_F(KvTool, ShowsProgressOnATerminalOnly) {
  const std::string file = file_of("lines", "a\t1\nb\t2\n");
  const std::string command = "$KV load " + file;

  const CommandResult on_terminal = shell("script -qec \"" + command + "\" /dev/null");
  const CommandResult quiet = shell("script -qec \"" + command + " -q\" /dev/null");

  EXPECT_NE(on_terminal.output.find("[####################] 100%"), std::string::npos)
      << on_terminal.both();
  EXPECT_EQ(quiet.both(), "");
  EXPECT_EQ(shell(command).errors, "");
}

TEST_F(KvTool, MeasuresAsManyRequestsAsItIsTold) {
  const CommandResult text =
      kv({"bench", "-n", "5000", "-c", "3", "--keys", "100", "--mix", "get=1,set=1,lpm=1"});
  const CommandResult json = kv({"bench", "-n", "1000", "--keys", "10", "--json"});
  const CommandResult timed = kv({"bench", "--seconds", "200ms", "--mix", "set=1"});

  EXPECT_EQ(text.status, 0) << text.both();
  EXPECT_EQ(text.output.find("requests 5000\nmisses 0\nrefused 0\nseconds "), 0) << text.both();
  EXPECT_EQ(json.output.find("{\"requests\":1000,\"misses\":0,\"refused\":0,\"seconds\":"), 0)
      << json.both();
  EXPECT_EQ(timed.status, 0) << timed.both();
  EXPECT_EQ(kv({"scan", "--count", "/drover-kv-bench/"}).output.empty(), false);
}

TEST_F(KvTool, GivesUpAServerThatDoesNotAnswer) {
  for (const WorkerProcess& worker : daemon_.workers()) ::kill(worker.pid, SIGSTOP);

  const CommandResult result = kv({"-t", "300ms", "ping"});
  for (const WorkerProcess& worker : daemon_.workers()) ::kill(worker.pid, SIGCONT);

  EXPECT_EQ(result.status, 3);
  EXPECT_NE(result.errors.find("no answer within 300ms"), std::string::npos) << result.errors;
}

TEST(KvToolAlone, SaysThatNobodyListens) {
  const std::string server = "127.0.0.1:" + std::to_string(free_port());

  const CommandResult result = run_command({built("drover-kv"), "-s", server, "ping"});

  EXPECT_EQ(result.status, 3);
  EXPECT_EQ(result.errors,
            "drover-kv: ping: cannot connect to " + server + ": Connection refused\n");
}

class KvToolWithToken : public KvTool {
 protected:
  KvToolWithToken() : KvTool(kvs_server("kvs.auth = secret\n")) {}
};

TEST_F(KvToolWithToken, MakesItselfKnown) {
  const std::string right = file_of("token", "secret\nmore\n");
  const std::string wrong = file_of("wrong", "guess");
  const std::string empty = file_of("empty", "\n");

  EXPECT_EQ(kv({"-a", right, "set", "a", "1"}).status, 0);
  EXPECT_EQ(kv({"get", "a"}, {{"DROVER_KV_TOKEN", "secret"}}).output, "1");
  EXPECT_EQ(kv({"-a", wrong, "get", "a"}, {{"DROVER_KV_TOKEN", "secret"}}).errors,
            "drover-kv: get: AUTH: DENIED: \"that is not the token\"\n");
  EXPECT_EQ(kv({"-a", wrong, "get", "a"}).status, 3);
  EXPECT_EQ(kv({"get", "a"}).status, 3);
  EXPECT_EQ(kv({"-a", empty, "get", "a"}).status, 2);
  EXPECT_EQ(kv({"-a", "/nonexistent", "get", "a"}).status, 2);
}

}  // namespace
}  // namespace drover::test
