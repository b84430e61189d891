#include "tools/kv/options.h"

#include <fmt/format.h>
#include <getopt.h>

#include <array>

#include "common/directive_text.h"
#include "common/units.h"
#include "tools/kv/commands.h"

namespace drover::kv {
namespace {

using std::chrono::milliseconds;

enum Flag { kCount = 256, kJson, kSeconds, kKeys, kValueSize, kMix };

constexpr std::array<option, 6> kGlobalFlags{{{"server", required_argument, nullptr, 's'},
                                              {"auth-file", required_argument, nullptr, 'a'},
                                              {"timeout", required_argument, nullptr, 't'},
                                              {"help", no_argument, nullptr, 'h'},
                                              {"version", no_argument, nullptr, 'v'},
                                              {nullptr, 0, nullptr, 0}}};
constexpr std::array<option, 2> kScanFlags{
    {{"count", no_argument, nullptr, kCount}, {nullptr, 0, nullptr, 0}}};
constexpr std::array<option, 2> kLoadFlags{
    {{"quiet", no_argument, nullptr, 'q'}, {nullptr, 0, nullptr, 0}}};
constexpr std::array<option, 9> kBenchFlags{{{"connections", required_argument, nullptr, 'c'},
                                             {"depth", required_argument, nullptr, 'd'},
                                             {"requests", required_argument, nullptr, 'n'},
                                             {"seconds", required_argument, nullptr, kSeconds},
                                             {"keys", required_argument, nullptr, kKeys},
                                             {"value-size", required_argument, nullptr, kValueSize},
                                             {"mix", required_argument, nullptr, kMix},
                                             {"json", no_argument, nullptr, kJson},
                                             {nullptr, 0, nullptr, 0}}};

// Flags of one command; those of a command that is not here are arguments like all others, so that
// a key or a number may begin with a dash.
struct CommandFlags {
  std::string_view command;
  const char* short_flags;
  const option* flags;
};
constexpr std::array<CommandFlags, 3> kCommandFlags{{{"scan", "", kScanFlags.data()},
                                                     {"load", "q", kLoadFlags.data()},
                                                     {"bench", "c:d:n:", kBenchFlags.data()}}};

Status set_number(std::int64_t& target, const char* text, std::string_view name, std::int64_t least,
                  std::int64_t most) {
  const Result<std::int64_t> number = parse_number(text);
  if (!number || number.value() < least || number.value() > most)
    return Error(
        fmt::format("{}: {} is not a number from {} to {}", name, quote(text), least, most));
  target = number.value();
  return Done{};
}

Status set_duration(milliseconds& target, const char* text, std::string_view name) {
  Result<milliseconds> duration = parse_duration(text);
  if (!duration) return std::move(duration).error().in(name);
  if (duration->count() == 0) return Error(fmt::format("{}: must be longer than 0", name));
  target = *duration;
  return Done{};
}

Status set_server(Address& target, const char* text) {
  Result<Address> address = Address::parse(text);
  if (!address) return std::move(address).error().in("--server");
  target = *address;
  return Done{};
}

Status set_mix(Mix& target, const char* text) {
  Result<Mix> mix = parse_mix(text);
  if (!mix) return std::move(mix).error().in("--mix");
  target = *mix;
  return Done{};
}

Status apply_global(Options& options, int flag, const char* value) {
  switch (flag) {
    case 's':
      return set_server(options.server, value);
    case 'a':
      options.auth_file = value;
      return Done{};
    case 't':
      return set_duration(options.timeout, value, "--timeout");
    case 'h':
      options.action = Options::Action::kHelp;
      return Done{};
    case 'v':
      options.action = Options::Action::kVersion;
      return Done{};
    default:
      return Error("see drover-kv -h");
  }
}

Status apply_to_command(Options& options, int flag, const char* value) {
  BenchPlan& bench = options.bench;
  switch (flag) {
    case kCount:
      options.is_count = true;
      return Done{};
    case 'q':
      options.is_quiet = true;
      return Done{};
    case kJson:
      options.is_json = true;
      return Done{};
    case 'c':
      return set_number(bench.connections, value, "--connections", 1, 1'000);
    case 'd':
      return set_number(bench.depth, value, "--depth", 1, 1'000);
    case 'n':
      return set_number(bench.requests, value, "--requests", 1, 1'000'000'000);
    case kSeconds:
      return set_duration(bench.duration, value, "--seconds");
    case kKeys:
      return set_number(bench.keys, value, "--keys", 1, 100'000'000);
    case kValueSize:
      return set_number(bench.value_bytes, value, "--value-size", 0, 1 << 20);
    case kMix:
      return set_mix(bench.mix, value);
    default:
      return Error("see drover-kv -h");
  }
}

// Applies the flags among the words and returns where those begin that are none. A leading '+' in
// `short_flags` ends the flags at the first such word, as getopt(3) has it; else they are moved to
// the end. words[0] is passed over.
template <class Apply>
Result<std::size_t> parse_flags(std::vector<char*>& words, const char* short_flags,
                                const option* flags, Apply apply) {
  optind = 0;  // begin anew (getopt(3))
  int flag = 0;
  while ((flag = getopt_long(static_cast<int>(words.size()) - 1, words.data(), short_flags, flags,
                             nullptr)) != -1) {
    DROVER_TRY_DO(apply(flag, optarg));
  }
  return static_cast<std::size_t>(optind);
}

Status check_count(const Command& command, std::size_t count) {
  if (count >= command.least && count <= command.most) return Done{};
  return Error(fmt::format("usage: drover-kv {} {}", command.name, command.arguments));
}

// words[0] is the command, the last one null.
Status parse_command(Options& options, std::vector<char*> words) {
  options.command = find_command(words.front());
  if (options.command == nullptr)
    return Error(fmt::format("{}: unknown command; see drover-kv -h", quote(words.front())));
  std::size_t first = 1;
  for (const CommandFlags& row : kCommandFlags) {
    if (row.command != options.command->name) continue;
    const auto apply = [&](int flag, const char* value) {
      return apply_to_command(options, flag, value);
    };
    DROVER_TRY(first, parse_flags(words, row.short_flags, row.flags, apply));
  }
  options.arguments.assign(words.begin() + static_cast<std::ptrdiff_t>(first), words.end() - 1);
  return check_count(*options.command, options.arguments.size());
}

}  // namespace

Result<Options> parse_options(const std::vector<std::string>& words) {
  std::string program = "drover-kv";
  std::vector<std::string> copy = words;  // getopt wants them not const
  std::vector<char*> pointers{program.data()};
  for (std::string& word : copy) pointers.push_back(word.data());
  pointers.push_back(nullptr);

  Options options;
  options.server = Address::parse(kDefaultServer).value();
  const auto apply = [&](int flag, const char* value) {
    return apply_global(options, flag, value);
  };
  DROVER_TRY(const std::size_t first,
             parse_flags(pointers, "+s:a:t:hv", kGlobalFlags.data(), apply));
  if (options.action != Options::Action::kRun) return options;
  if (first >= pointers.size() - 1) return Error("a command is missing; see drover-kv -h");
  DROVER_TRY_DO(parse_command(
      options, {pointers.begin() + static_cast<std::ptrdiff_t>(first), pointers.end()}));
  return options;
}

std::string usage() {
  std::string text =
      "usage: drover-kv [-s ADDRESS] [-a FILE] [-t TIME] COMMAND [ARGUMENT ...]\n"
      "  -s, --server ADDRESS  127.0.0.1:7010 (the default), [::1]:7010 or unix:/run/x.sock\n"
      "  -a, --auth-file FILE  its first line is the token for AUTH (or $DROVER_KV_TOKEN)\n"
      "  -t, --timeout TIME    for each answer, 250ms or 5s (the default)\n"
      "  -h, --help            this text\n"
      "  -v, --version         the version\n"
      "commands:\n";
  for (const Command& command : commands()) {
    text += fmt::format("  {:<29} {}\n", fmt::format("{} {}", command.name, command.arguments),
                        command.help);
  }
  return text +
         "bench:\n"
         "  -c, --connections N           1 to 1000 (8)\n"
         "  -d, --depth N                 requests on their way on each, 1 to 1000 (16)\n"
         "  -n, --requests N              how many in all (100000)\n"
         "  --seconds TIME                how long, in the place of how many\n"
         "  --keys N                      different keys (10000)\n"
         "  --value-size BYTES            of each value (64)\n"
         "  --mix get=N,set=N,lpm=N       shares of the requests (get=90,set=10)\n"
         "  --json                        one JSON object in the place of lines\n";
}

}  // namespace drover::kv
