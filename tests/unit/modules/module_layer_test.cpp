// The C++ layer: which hooks a class gets, states, and that no exception passes.
#include <gtest/gtest.h>

#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include "modules/sdk/module.hpp"

// The opaque type of the contract, here: what was done with the host, and what it says.
struct drover_context {
  std::map<std::string, std::pair<std::string, std::int64_t>> config;
  std::string written;
  std::vector<drover_conn> closed;
  std::vector<std::string> logged;
  drover_zone_result zone_answer = DROVER_ZONE_GRANTED;
  alignas(16) char zone_memory[64] = {};
  std::vector<std::uint32_t> lengths;  // of leases that were asked for
  std::vector<std::uint32_t> rung;
  std::string counted;
};

namespace {

drover_host make_host() {
  drover_host host{};
  host.size = sizeof host;
  host.abi = DROVER_ABI;
  host.write = [](drover_context* c, drover_conn, drover_slice bytes) {
    c->written.append(static_cast<const char*>(bytes.data), bytes.size);
  };
  host.close = [](drover_context* c, drover_conn conn) { c->closed.push_back(conn); };
  host.log = [](drover_context* c, drover_log_level, const char* text) {
    c->logged.emplace_back(text);
  };
  host.config_text = [](drover_context* c, const char* name) -> const char* {
    return c->config.contains(name) ? c->config[name].first.c_str() : nullptr;
  };
  host.config_number = [](drover_context* c, const char* name) { return c->config[name].second; };
  host.zone = [](drover_context* c, const char*, const drover_zone_layout* layout,
                 drover_zone* out) {
    out->memory = c->zone_memory;
    out->memory_size = sizeof c->zone_memory;
    const bool built = c->zone_answer != DROVER_ZONE_GRANTED ||
                       layout->initialise(layout->argument, out->memory, 64) == 0;
    return built ? c->zone_answer : DROVER_ZONE_FAILED;
  };
  host.lease_take = [](drover_context* c, const drover_zone*, std::uint32_t, std::uint32_t length) {
    return c->lengths.push_back(length), 1;
  };
  host.lease_keep = [](drover_context* c, const drover_zone*, std::uint32_t, std::uint32_t length) {
    return c->lengths.push_back(length), 0;
  };
  host.slot = [](drover_context*) { return 1U; };
  host.slots = [](drover_context*) { return 3U; };
  host.ring = [](drover_context* c, std::uint32_t slot) { c->rung.push_back(slot); };
  host.count = [](drover_context* c, std::uint32_t index, std::uint64_t add) {
    c->counted += "count " + std::to_string(index) + " " + std::to_string(add) + " ";
  };
  host.gauge = [](drover_context* c, std::uint32_t index, std::int64_t value) {
    c->counted += "gauge " + std::to_string(index) + " " + std::to_string(value) + " ";
  };
  return host;
}

const drover_host kHost = make_host();

drover_slice slice(std::string_view text) { return {text.data(), text.size()}; }

struct Plain {
  explicit Plain(drover::Host h) : host(h) {}
  void on_data(drover_conn conn, std::string_view bytes) {
    if (bytes == "throw") throw std::runtime_error("on purpose");
    if (bytes == "odd") throw 7;
    host.write(conn, bytes);
  }
  void on_drain(drover_conn) { throw std::runtime_error("while draining"); }
  drover::Host host;
};

struct Counting {
  struct State {
    int messages = 100;
    std::string text;
  };
  explicit Counting(drover::Host h) : host(h) {}
  std::size_t on_data(drover_conn conn, State& state, std::string_view bytes) {
    state.text.assign(100, 'x');  // needs memory of its own
    host.write(conn, std::to_string(++state.messages));
    return bytes.size() / 2;
  }
  drover::Host host;
};

struct Refusing {
  explicit Refusing(drover::Host) { throw std::runtime_error("no memory for me"); }
  void on_open(drover_conn) {}
};

enum class Colour { kRed, kGreen };

// Says what it was given when a connection opens.
struct Configured {
  static constexpr const char* kColours[] = {"red", "green", nullptr};
  static constexpr drover::Directive kDirectives[] = {
      {.name = "title", .default_text = "none", .help = "a text"},
      {.name = "colour", .type = DROVER_CHOICE, .words = kColours},
      {.name = "room", .type = DROVER_SIZE, .default_text = "1k", .min = 1, .max = 4096}};
  static void validate(drover::Host, drover::Config config) {
    if (config.number("room") > 2048) throw std::runtime_error("too much room");
  }

  Configured(drover::Host h, drover::Config config)
      : host(h),
        said(std::string(config.text("title")) + " " + std::to_string(config.number("number")) +
             " " + std::to_string(config.size("room")) + " " +
             std::to_string(config.duration("time").count()) +
             (config.flag("flag") ? " on" : " off") +
             (config.choice<Colour>("colour") == Colour::kGreen ? " green" : " red")) {}
  void on_open(drover_conn conn) { host.write(conn, said); }
  drover::Host host;
  std::string said;
};

struct Metered {
  enum : std::uint32_t { kOpened, kNow };
  static constexpr drover::Metric kMetrics[] = {
      {.name = "opened", .kind = DROVER_COUNTER},
      {.name = "now", .kind = DROVER_GAUGE, .help = "now"}};
  explicit Metered(drover::Host h) : host(h) {}
  void on_open(drover_conn) {
    host.count(kOpened);
    host.count(kOpened, 5);
    host.gauge(kNow, -3);
  }
  drover::Host host;
};

struct Shared {
  int counted = 7;
};
struct TooLarge {
  char bytes[65];
};

template <class T>
struct Sharing {
  explicit Sharing(drover::Host h) : host(h), zone(h.zone<T>("counter", 1)) {}
  void on_open(drover_conn) {}
  void on_doorbell() { throw std::runtime_error("rung"); }
  drover::Host host;
  drover::Zone<T> zone;
};

constexpr auto kSharing = drover::detail::make_module<Sharing<Shared>>("sharing");
constexpr auto kSharingTooMuch = drover::detail::make_module<Sharing<TooLarge>>("sharing");
constexpr auto kPlain = drover::detail::make_module<Plain>("plain", "1");
constexpr auto kCounting = drover::detail::make_module<Counting>("counting");
constexpr auto kConfigured = drover::detail::make_module<Configured>("configured");
constexpr auto kRefusing = drover::detail::make_module<Refusing>("refusing");

class ModuleLayer : public testing::Test {
 protected:
  void* start(const struct drover_module& module) { return module.worker_init(&kHost, &context_); }
  drover_context context_;
};

TEST_F(ModuleLayer, HasNullForHooksThatTheClassLacks) {
  EXPECT_NE(kPlain.on_data, nullptr);
  EXPECT_NE(kPlain.on_drain, nullptr);
  EXPECT_EQ(kPlain.on_open, nullptr);
  EXPECT_EQ(kPlain.on_eof, nullptr);
  EXPECT_EQ(kPlain.on_writable, nullptr);
  EXPECT_EQ(kPlain.on_close, nullptr);
  EXPECT_EQ(kPlain.validate, nullptr);
  EXPECT_EQ(kPlain.directive_count, 0U);
  EXPECT_EQ(kPlain.on_doorbell, nullptr);
  EXPECT_EQ(kPlain.conn_state_size, 0U);
}

TEST_F(ModuleLayer, ConsumesAllWhenOnDataReturnsNothing) {
  void* instance = start(kPlain);

  EXPECT_EQ(kPlain.on_data(instance, 1, nullptr, slice("hello")), 5);

  EXPECT_EQ(context_.written, "hello");
  kPlain.worker_exit(instance);
}

TEST_F(ModuleLayer, TurnsAnExceptionIntoAFailureAndOneLine) {
  void* instance = start(kPlain);

  EXPECT_EQ(kPlain.on_data(instance, 1, nullptr, slice("throw")), DROVER_FAIL);
  EXPECT_EQ(kPlain.on_data(instance, 1, nullptr, slice("odd")), DROVER_FAIL);

  EXPECT_EQ(context_.logged, std::vector<std::string>{"exception: on purpose"});
  kPlain.worker_exit(instance);
}

TEST_F(ModuleLayer, ClosesTheConnectionWhenAHookWithoutAnswerThrows) {
  void* instance = start(kPlain);

  kPlain.on_drain(instance, 42, nullptr);

  EXPECT_EQ(context_.closed, std::vector<drover_conn>{42});
  kPlain.worker_exit(instance);
}

TEST_F(ModuleLayer, BuildsAndDestroysTheStateOfEachConnection) {
  void* instance = start(kCounting);
  ASSERT_EQ(kCounting.conn_state_size, sizeof(Counting::State));
  alignas(std::max_align_t) char one[sizeof(Counting::State)];
  alignas(std::max_align_t) char two[sizeof(Counting::State)];
  kCounting.on_open(instance, 1, one);
  kCounting.on_open(instance, 2, two);

  EXPECT_EQ(kCounting.on_data(instance, 1, one, slice("abcd")), 2);
  EXPECT_EQ(kCounting.on_data(instance, 2, two, slice("abcd")), 2);
  EXPECT_EQ(kCounting.on_data(instance, 1, one, slice("abcd")), 2);

  EXPECT_EQ(context_.written, "101101102");
  kCounting.on_close(instance, 1, one,
                     DROVER_CLOSED_BY_PEER);  // a leak here is told by the sanitizer
  kCounting.on_close(instance, 2, two, DROVER_CLOSED_BY_PEER);
  kCounting.worker_exit(instance);
}

TEST_F(ModuleLayer, DoesNotStartWhenTheConstructorThrows) {
  EXPECT_EQ(start(kRefusing), nullptr);

  EXPECT_EQ(context_.logged, std::vector<std::string>{"no memory for me"});
}

TEST_F(ModuleLayer, OffersTheRowsOfTheClassAsTheContractHasThem) {
  ASSERT_EQ(kConfigured.directive_count, 3U);
  const drover_directive* rows = kConfigured.directives;
  EXPECT_EQ(rows[0].size, sizeof(drover_directive));
  EXPECT_STREQ(rows[0].name, "title");
  EXPECT_EQ(rows[0].type, DROVER_TEXT);
  EXPECT_STREQ(rows[0].default_text, "none");
  EXPECT_STREQ(rows[0].help, "a text");
  EXPECT_EQ(rows[1].default_text, nullptr);
  EXPECT_EQ(rows[1].words, Configured::kColours);
  EXPECT_EQ(rows[2].type, DROVER_SIZE);
  EXPECT_EQ(rows[2].min, 1);
  EXPECT_EQ(rows[2].max, 4096);
}

TEST_F(ModuleLayer, CountsByTheRowsOfTheClass) {
  static constexpr struct drover_module kTable = drover::detail::make_module<Metered>("metered");
  ASSERT_EQ(kTable.metric_count, 2U);
  EXPECT_EQ(kTable.metrics[0].size, sizeof(drover_metric));
  EXPECT_STREQ(kTable.metrics[0].name, "opened");
  EXPECT_EQ(kTable.metrics[1].kind, DROVER_GAUGE);
  EXPECT_STREQ(kTable.metrics[1].help, "now");

  void* instance = kTable.worker_init(&kHost, &context_);
  kTable.on_open(instance, 1, nullptr);
  kTable.worker_exit(instance);

  EXPECT_EQ(context_.counted, "count 0 1 count 0 5 gauge 1 -3 ");
}

TEST_F(ModuleLayer, GivesTheConstructorItsConfiguration) {
  context_.config = {{"title", {"hello", 0}}, {"number", {"3", 3}}, {"room", {"1k", 1024}},
                     {"time", {"2s", 2000}},  {"flag", {"on", 1}},  {"colour", {"green", 1}}};

  void* instance = start(kConfigured);

  ASSERT_NE(instance, nullptr);
  kConfigured.on_open(instance, 1, nullptr);
  EXPECT_EQ(context_.written, "hello 3 1024 2000 on green");
  kConfigured.worker_exit(instance);
}

TEST_F(ModuleLayer, DoesNotStartWhenItAsksForADirectiveThatIsNone) {
  context_.config = {{"title", {"hello", 0}},
                     {"number", {"3", 3}},
                     {"room", {"1k", 1024}},
                     {"time", {"2s", 2000}},
                     {"flag", {"on", 1}}};

  EXPECT_EQ(start(kConfigured), nullptr);

  EXPECT_EQ(context_.logged, std::vector<std::string>{"kDirectives has no row colour"});
}

TEST_F(ModuleLayer, RefusesAConfigurationByThrowing) {
  context_.config = {{"room", {"2k", 2048}}};
  EXPECT_EQ(kConfigured.validate(&kHost, &context_), 0);

  context_.config = {{"room", {"4k", 4096}}};
  EXPECT_NE(kConfigured.validate(&kHost, &context_), 0);

  EXPECT_EQ(context_.logged, std::vector<std::string>{"too much room"});
}

TEST_F(ModuleLayer, BuildsTheTypeOfAZoneInItsMemory) {
  void* instance = start(kSharing);
  ASSERT_NE(instance, nullptr);

  EXPECT_EQ(reinterpret_cast<Shared*>(context_.zone_memory)->counted, 7);
  const auto zone = drover::Host(&kHost, &context_).zone<Shared>("counter", 1);
  EXPECT_EQ(zone->counted, 7);
  EXPECT_EQ(zone.rest().size(), sizeof context_.zone_memory - sizeof(Shared));
  kSharing.worker_exit(instance);
}

TEST_F(ModuleLayer, HasTheBytesOfAZoneFilledByWhoAsks) {
  const drover::Host host(&kHost, &context_);
  const auto fill = [](std::span<std::byte> memory) {
    memory[0] = std::byte{9};
    return true;
  };
  const auto zone = host.zone_memory("counter", 1, 0, fill);
  EXPECT_EQ(zone.bytes().size(), sizeof context_.zone_memory);
  EXPECT_EQ(context_.zone_memory[0], 9);

  const auto refuse = [](std::span<std::byte>) { return false; };
  EXPECT_THROW(static_cast<void>(host.zone_memory("counter", 1, 0, refuse)), drover::ZoneRefused);
  const auto fail = [](std::span<std::byte>) -> bool { throw std::runtime_error("no"); };
  EXPECT_THROW(static_cast<void>(host.zone_memory("counter", 1, 0, fail)), drover::ZoneRefused);
}

// Why was logged by the host; a second line would be told in its place.
TEST_F(ModuleLayer, DoesNotStartWithoutItsZoneAndAddsNoWord) {
  EXPECT_EQ(start(kSharingTooMuch), nullptr);
  context_.zone_answer = DROVER_ZONE_OF_ANOTHER_MODULE;
  EXPECT_EQ(start(kSharing), nullptr);

  EXPECT_TRUE(context_.logged.empty());
}

TEST_F(ModuleLayer, AsksForLeasesAndMakesNoShortTimeOfALongOne) {
  const auto zone = drover::Host(&kHost, &context_).zone<Shared>("counter", 1);

  EXPECT_TRUE(zone.take(0, std::chrono::milliseconds(500)));
  EXPECT_FALSE(zone.keep(0, std::chrono::hours(1193)));
  EXPECT_FALSE(zone.keep(0, std::chrono::milliseconds(-1)));

  EXPECT_EQ(context_.lengths, (std::vector<std::uint32_t>{500, 0, 0}));
}

TEST_F(ModuleLayer, RingsTheOthers) {
  drover::Host(&kHost, &context_).ring_others();

  EXPECT_EQ(context_.rung, (std::vector<std::uint32_t>{0, 2}));
}

TEST_F(ModuleLayer, ADoorbellHookThatThrowsCostsALine) {
  void* instance = start(kSharing);

  kSharing.on_doorbell(instance);

  EXPECT_EQ(context_.logged, std::vector<std::string>{"exception: rung"});
  EXPECT_TRUE(context_.closed.empty());
  kSharing.worker_exit(instance);
}

}  // namespace
