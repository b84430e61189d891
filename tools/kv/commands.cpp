#include "tools/kv/commands.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>

#include "common/directive_text.h"
#include "common/units.h"
#include "tools/kv/bench.h"
#include "tools/kv/escape.h"
#include "tools/kv/items.h"
#include "tools/kv/load.h"
#include "tools/kv/session.h"

namespace drover::kv {
namespace {

using kvs::client::Client;

// As it is; a person's prompt begins on a line of its own.
Status print_value(const std::string& value) {
  DROVER_TRY_DO(print(value));
  const bool needs_line = ::isatty(STDOUT_FILENO) != 0 && !value.ends_with('\n');
  return needs_line ? print("\n") : Done{};
}

Result<std::string> read_standard_input() {
  std::string all;
  std::array<char, 65536> buffer;
  while (all.size() <= kvs::kv1::kLongestValue) {
    const ssize_t count = ::read(STDIN_FILENO, buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return Error::from_errno("standard input");
    if (count == 0) break;
    all.append(buffer.data(), static_cast<std::size_t>(count));
  }
  return all;
}

Result<std::string> value_argument(const Options& options) {
  const std::string& word = options.arguments[1];
  if (word == "-") return read_standard_input();
  return word;
}

Exit refuse_use(const Options& options, const std::string& what) {
  complain(options, what);
  return kWrongUse;
}

Result<Exit> run_get(const Options& options) {
  DROVER_TRY(Client client, open_client(options));
  DROVER_TRY(const auto reply, client.get(options.arguments[0]));
  if (!reply.is_ok()) return exit_of(options, reply);
  DROVER_TRY_DO(print_value(reply.value));
  return kDone;
}

Result<Exit> run_lpm(const Options& options) {
  DROVER_TRY(Client client, open_client(options));
  DROVER_TRY(const auto reply, client.lpm(options.arguments[0]));
  if (!reply.is_ok()) return exit_of(options, reply);
  DROVER_TRY_DO(print(to_line(reply.value.key, reply.value.value)));
  return kDone;
}

template <auto Method>
Result<Exit> run_store(const Options& options) {
  DROVER_TRY(const std::string value, value_argument(options));
  DROVER_TRY(Client client, open_client(options));
  DROVER_TRY(const auto reply, (client.*Method)(options.arguments[0], value));
  return exit_of(options, reply);
}

Result<Exit> run_del(const Options& options) {
  DROVER_TRY(Client client, open_client(options));
  DROVER_TRY(const auto reply, client.del(options.arguments[0]));
  return exit_of(options, reply);
}

std::optional<std::int64_t> signed_number(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

Result<Exit> run_incr(const Options& options) {
  const std::vector<std::string>& words = options.arguments;
  std::array<std::optional<std::int64_t>, 2> numbers;  // the delta, the initial value
  for (std::size_t i = 1; i < words.size(); ++i) {
    numbers[i - 1] = signed_number(words[i]);
    if (!numbers[i - 1]) return refuse_use(options, quote(words[i]) + " is not a 64-bit number");
  }
  DROVER_TRY(Client client, open_client(options));
  DROVER_TRY(const auto reply, client.incr(words[0], numbers[0].value_or(1), numbers[1]));
  if (!reply.is_ok()) return exit_of(options, reply);
  DROVER_TRY_DO(print(fmt::format("{}\n", reply.value)));
  return kDone;
}

Result<Exit> run_touch(const Options& options) {
  const auto ttl = parse_duration(options.arguments[1]);
  if (!ttl) return refuse_use(options, ttl.error().message());
  DROVER_TRY(Client client, open_client(options));
  DROVER_TRY(const auto reply, client.touch(options.arguments[0], ttl.value()));
  return exit_of(options, reply);
}

Result<Exit> run_stats(const Options& options) {
  DROVER_TRY(Client client, open_client(options));
  DROVER_TRY(const auto reply, client.stats());
  if (!reply.is_ok()) return exit_of(options, reply);
  DROVER_TRY_DO(print(reply.value));
  return kDone;
}

Result<Exit> run_ping(const Options& options) {
  DROVER_TRY(Client client, open_client(options));
  const auto start = std::chrono::steady_clock::now();
  DROVER_TRY(const auto reply, client.ping("drover-kv"));
  const std::chrono::duration<double, std::milli> ms = std::chrono::steady_clock::now() - start;
  if (!reply.is_ok()) return exit_of(options, reply);
  if (reply.value != "drover-kv") return Error("another text came back");
  DROVER_TRY_DO(print(fmt::format("{}: {:.3f} ms\n", options.server.to_string(), ms.count())));
  return kDone;
}

constexpr std::array kCommands{
    Command{"get", "KEY", "writes the value as it is", 1, 1, run_get},
    Command{"set", "KEY VALUE", "stores a value; - takes standard input", 2, 2,
            run_store<&Client::set>},
    Command{"add", "KEY VALUE", "the same, if the key does not exist", 2, 2,
            run_store<&Client::add>},
    Command{"replace", "KEY VALUE", "the same, if the key exists", 2, 2,
            run_store<&Client::replace>},
    Command{"del", "KEY", "deletes an item", 1, 1, run_del},
    Command{"lpm", "PATH", "key and value with the longest key that PATH begins with", 1, 1,
            run_lpm},
    Command{"incr", "KEY [DELTA [INITIAL]]", "adds to a number and prints it", 1, 3, run_incr},
    Command{"touch", "KEY TIME", "sets the time to live; 0 is for ever", 2, 2, run_touch},
    Command{"scan", "[--count] [PREFIX]", "keys that begin with PREFIX, or how many", 0, 1,
            run_scan},
    Command{"dump", "[PREFIX]", "keys and values, as load reads them", 0, 1, run_dump},
    Command{"load", "[-q] FILE", "stores the lines of FILE, or of - standard input", 1, 1,
            run_load},
    Command{"stats", "", "what the server counts", 0, 0, run_stats},
    Command{"ping", "", "asks for a sign of life and measures it", 0, 0, run_ping},
    Command{"bench", "[OPTION ...]", "measures; see drover-kv(1)", 0, 0, run_bench},
};

}  // namespace

std::span<const Command> commands() { return kCommands; }

const Command* find_command(std::string_view name) {
  const auto* const found = std::ranges::find(kCommands, name, &Command::name);
  return found == kCommands.end() ? nullptr : found;
}

}  // namespace drover::kv
