// What a server says to the key-value module: kvs.NAME = value.
#pragma once

#include <string>

#include "modules/kvs/kv1/service.h"
#include "modules/kvs/store/store.h"
#include "modules/sdk/module.hpp"

namespace kvs {

inline constexpr const char* kMatchWords[] = {"byte", "segment", nullptr};         // Match
inline constexpr const char* kEvictionWords[] = {"noeviction", "clock", nullptr};  // Eviction

// Output that waits is told to go on when it has been above DROVER_HIGH_WATER: less than that would
// be waited for in vain.
inline constexpr std::int64_t kLeastOutput = 2 * std::int64_t{DROVER_HIGH_WATER};

inline constexpr drover::Directive kDirectives[] = {
    {.name = "zone", .type = DROVER_TEXT, .help = "name of the [zone] that holds the data"},
    {.name = "match",
     .type = DROVER_CHOICE,
     .default_text = "byte",
     .words = kMatchWords,
     .help = "which stored keys LPM takes for a prefix of a path"},
    {.name = "max_key",
     .type = DROVER_SIZE,
     .default_text = "2k",
     .min = 1,
     .max = kv1::kLongestKey,
     .help = "longest key"},
    {.name = "max_value",
     .type = DROVER_SIZE,
     .default_text = "1m",
     .min = 1,
     .max = kv1::kLongestValue,
     .help = "largest value"},
    {.name = "max_inflight",
     .type = DROVER_NUMBER,
     .default_text = "1024",
     .min = 1,
     .max = 1'000'000,
     .help = "requests of a connection taken on in one turn"},
    {.name = "max_output",
     .type = DROVER_SIZE,
     .default_text = "1m",
     .min = kLeastOutput,
     .max = std::int64_t{1} << 30,
     .help = "answers that a connection has not sent, above which it reads no more"},
    {.name = "frame_timeout",
     .type = DROVER_DURATION,
     .default_text = "10s",
     .min = 1,
     .max = 3'600'000,
     .help = "time for a frame that has begun"},
    {.name = "memory_budget",
     .type = DROVER_SIZE,
     .default_text = "256m",
     .min = 1 << 20,
     .max = std::int64_t{1} << 40,
     .help = "what clients may make a worker keep for them"},
    {.name = "auth",
     .type = DROVER_TEXT,
     .default_text = "",
     .help = "token that a client must say first, or none"},
    {.name = "eviction",
     .type = DROVER_CHOICE,
     .default_text = "noeviction",
     .words = kEvictionWords,
     .help = "what a full store does"}};

struct Config {
  std::string zone;
  kv1::Limits limits;
  Match match = Match::kByte;
  Settings store;
  std::string token;
};

[[nodiscard]] Config read_config(const drover::Config& config);
// Throws what does not go together.
void check_config(const Config& config);

}  // namespace kvs
