// What a test gives as directives: read as Drover reads it, though the kit is installed without
// Drover's parsers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <stdexcept>

#include "common/directive_values.h"
#include "common/units.h"
#include "modules/sdk/testkit/setting_numbers.hpp"
#include "modules/sdk/testkit/testkit.hpp"

namespace drover::testkit {
namespace {

constexpr const char* kTexts[] = {"",
                                  "0",
                                  "1",
                                  "007",
                                  "4096",
                                  "4k",
                                  "4K",
                                  "1m",
                                  "1g",
                                  "1G",
                                  "1kk",
                                  "k",
                                  "4 k",
                                  " 4",
                                  "4 ",
                                  "-1",
                                  "+1",
                                  "0x4",
                                  "1.5s",
                                  "75s",
                                  "75",
                                  "1ms",
                                  "1d",
                                  "3650d",
                                  "1h30m",
                                  "30m1h",
                                  "1m1m",
                                  "5m3",
                                  "3m5",
                                  "1d2h3m4s5ms",
                                  "1s1m",
                                  "on",
                                  "off",
                                  "ON",
                                  "yes",
                                  "true",
                                  "fast",
                                  "slow",
                                  "faster",
                                  "9223372036854775807",
                                  "9223372036854775808",
                                  "99999999999g",
                                  "s",
                                  "ms",
                                  "1h1",
                                  "1M2"};
constexpr const char* kWords[] = {"fast", "slow", nullptr};

using Number = std::optional<std::int64_t>;

Number in_kit(drover_directive_type type, const std::string& text) {
  const drover_directive row{sizeof row, "name", type, nullptr, 0, 0, kWords, nullptr};
  try {
    return number_of(row, text);
  } catch (const std::logic_error&) {
    return std::nullopt;
  }
}

template <class Value>
Number in_drover(Result<Value> value) {
  if (!value) return std::nullopt;
  if constexpr (std::is_same_v<Value, std::chrono::milliseconds>) {
    return value->count();
  } else {
    return static_cast<std::int64_t>(*value);
  }
}

// What is larger than Drover's largest is out of the question in a test.
TEST(TestkitSetting, IsReadAsDroverReadsIt) {
  for (const std::string text : kTexts) {
    const auto duration = in_kit(DROVER_DURATION, text);
    EXPECT_EQ(in_kit(DROVER_NUMBER, text), in_drover(parse_number(text))) << text;
    EXPECT_EQ(in_kit(DROVER_FLAG, text), in_drover(parse_flag(text))) << text;
    EXPECT_EQ(in_kit(DROVER_CHOICE, text), in_drover(parse_choice(text, {"fast", "slow"}))) << text;
    if (auto size = in_kit(DROVER_SIZE, text); !size || *size <= kLargestSize) {
      EXPECT_EQ(size, in_drover(parse_size(text))) << text;
    }
    if (!duration || *duration <= kLongestDuration.count()) {
      EXPECT_EQ(duration, in_drover(parse_duration(text))) << text;
    }
  }
}

// A module with every type, which says what it was told.
struct Told {
  static void* init(const drover_host* host, drover_context* context) {
    for (const char* name : {"limit", "size", "time"}) {
      const std::string number = std::to_string(host->config_number(context, name));
      host->log(context, DROVER_LOG_INFO,
                (std::string(host->config_text(context, name)) + " is " + number).c_str());
    }
    return context;
  }
  static constexpr drover_directive kRows[] = {
      {sizeof(drover_directive), "limit", DROVER_NUMBER, nullptr, 2, 9, nullptr, nullptr},
      {sizeof(drover_directive), "size", DROVER_SIZE, "4k", 0, 0, nullptr, nullptr},
      {sizeof(drover_directive), "time", DROVER_DURATION, "75s", 0, 0, nullptr, nullptr}};
  static ModuleTable table() {
    ModuleTable made{};
    made.size = sizeof made;
    made.worker_init = &init;
    made.directives = kRows;
    made.directive_count = std::size(kRows);
    return made;
  }
};

std::vector<std::string> told(Host::Settings settings) {
  const Host host(Told::table(), std::move(settings));
  std::vector<std::string> lines;
  for (const LogLine& line : host.log()) lines.push_back(line.text);
  return lines;
}

TEST(TestkitSetting, HasItsDefaultWithItsNumber) {
  EXPECT_THAT(told({{"limit", {"3"}}}),
              testing::ElementsAre("3 is 3", "4k is 4096", "75s is 75000"));
  EXPECT_THAT(told({{"size", {"1m"}}}),
              testing::ElementsAre(" is 0", "1m is 1048576", "75s is 75000"));
}

TEST(TestkitSetting, MayHaveAnyNumberGivenBesideIt) {
  EXPECT_THAT(told({{"limit", {"three", 77}}}),
              testing::ElementsAre("three is 77", "4k is 4096", "75s is 75000"));
}

TEST(TestkitSetting, ThatDroverWouldRefuseIsRefused) {
  const auto refusal = [](const char* name, const char* text) -> std::string {
    try {
      told({{name, {text}}});
    } catch (const std::logic_error& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_EQ(refusal("limit", "many"), "limit = many: not what the directive takes");
  EXPECT_EQ(refusal("limit", "10"), "limit = 10: out of range");
  EXPECT_EQ(refusal("time", ""), "time = : not what the directive takes");
  EXPECT_EQ(refusal("limits", "3"), "the module has no directive limits");
}

}  // namespace
}  // namespace drover::testkit
