// As many URIs as a large site has: loaded by drover-kv, and all found again through the daemon, by
// name and by a path below each.
//
// KVS_URIS is how many: a million in a release build, a tenth of it in others.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <thread>

#include "tests/integration/kvs_daemon.h"

namespace drover::test {
namespace {

using namespace kvs::kv1;

#ifdef NDEBUG
constexpr std::uint32_t kUsual = 1'000'000;
#else
constexpr std::uint32_t kUsual = 100'000;
#endif

std::uint32_t uris() {
  const char* text = std::getenv("KVS_URIS");
  return text == nullptr ? kUsual : static_cast<std::uint32_t>(std::atoi(text));
}

// Seven levels, and directories of very different sizes. What is below one is below no other.
std::string uri(std::uint32_t i) {
  const std::uint32_t mixed = i * 2'654'435'761U;
  return "/site" + std::to_string(mixed % 97) + "/" + std::to_string(mixed % 13) + "/archive/" +
         std::to_string(mixed % 1'009) + "/images/large/picture-" + std::to_string(i) + ".html";
}
std::string value(std::uint32_t i) { return "value of " + std::to_string(i); }

void write_lines(const std::string& file, std::uint32_t count) {
  std::ofstream out(file);
  for (std::uint32_t i = 0; i < count; ++i) out << uri(i) << '\t' << value(i) << '\n';
}

// Two requests for each of them, many on their way at a time.
struct Reader {
  KvClient& client;
  std::uint32_t begin;
  std::uint32_t end;
  std::uint32_t wrong = 0;

  void run() {
    constexpr std::uint32_t kAtOnce = 1'000;
    for (std::uint32_t first = begin; first < end; first += kAtOnce)
      look_up(first, std::min(first + kAtOnce, end));
  }
  void look_up(std::uint32_t first, std::uint32_t last) {
    std::string frames;
    for (std::uint32_t i = first; i < last; ++i)
      frames += frame(kGet, 2 * i + 1, uri(i)) + frame(kLpm, 2 * i + 2, uri(i) + "/below/it");
    client.say(frames);
    for (std::uint32_t i = 2 * first; i < 2 * last; ++i) check(client.hear());
  }
  void check(const std::optional<Said>& said) {
    if (!said) throw std::runtime_error("the connection ended");
    const std::uint32_t i = (said->rid - 1) / 2;
    const bool is_longest = said->rid % 2 == 0;
    const bool is_right =
        said->status == kOk && said->value == value(i) && said->key == (is_longest ? uri(i) : "");
    if (!is_right) ++wrong;
  }
};

TEST(KvsBulk, FindsEveryUriOfMany) {
  const std::uint32_t count = uris();
  std::cout << "KVS_URIS=" << count << std::endl;
  Daemon daemon({.config = kvs_config("", 2, "", "[zone data]\nsize = 512m\n")});
  auto clients = clients_of_workers(daemon, 2);
  ASSERT_EQ(clients.size(), 2U);
  const std::string file = daemon.file("uris");
  write_lines(file, count);

  const auto start = Clock::now();
  const CommandResult loaded = run_command(
      {built("drover-kv"), "-s", "127.0.0.1:" + std::to_string(daemon.port()), "load", file}, {},
      Millis{90'000});
  std::cout << "loaded in " << since(start).count() << " ms" << std::endl;
  const std::string all = std::to_string(count);
  ASSERT_EQ(loaded.output, "lines " + all + ", stored " + all + ", failed 0\n") << loaded.errors;

  Reader lower{clients[0], 0, count / 2};
  Reader upper{clients[1], count / 2, count};
  std::thread thread([&] { lower.run(); });
  upper.run();
  thread.join();
  std::cout << "and looked up after " << since(start).count() << " ms" << std::endl;

  EXPECT_EQ(lower.wrong + upper.wrong, 0U);
  EXPECT_EQ(clients[0].stat("items"), count);
}

}  // namespace
}  // namespace drover::test
