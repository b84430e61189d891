// What key-value servers are asked in their own protocols, and how their answers are told apart.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "modules/kvs/kv1/frame.h"

namespace drover::bench {

inline const std::string kValue(32, 'v');
inline constexpr std::string_view kBelow = "/below/what/is-stored.html";

inline std::string kv1(kvs::kv1::Request type, std::uint32_t rid, std::string_view key,
                       std::string_view value = {}) {
  std::string frame;
  kvs::kv1::append_frame(frame, {type, rid, key, value});
  return frame;
}

inline std::string resp(const std::vector<std::string_view>& words) {
  std::string text = "*" + std::to_string(words.size()) + "\r\n";
  for (const std::string_view word : words)
    text.append("$" + std::to_string(word.size()) + "\r\n").append(word).append("\r\n");
  return text;
}

// What is sent for a key, and how long the answer is when all is well. Framed: the answer says how
// long it is, and to which request it is.
struct Dialect {
  std::function<std::string(const std::string& key, std::uint32_t rid)> request;
  std::function<std::size_t(const std::string& key)> answer_size{};
  bool is_framed = false;
};

inline const std::map<std::string, Dialect>& dialects() {
  static const std::map<std::string, Dialect> all{
      {"kv1-get",
       {.request = [](const auto& key, auto rid) { return kv1(kvs::kv1::kGet, rid, key); },
        .is_framed = true}},
      {"kv1-lpm",
       {.request = [](const auto& key,
                      auto rid) { return kv1(kvs::kv1::kLpm, rid, key + std::string(kBelow)); },
        .is_framed = true}},
      {"kv1-set",
       {.request = [](const auto& key, auto rid) { return kv1(kvs::kv1::kSet, rid, key, kValue); },
        .is_framed = true}},
      {"redis-get",
       {.request =
            [](const auto& key, auto /*rid*/) {
              return resp({"GET", key});
            },
        .answer_size =
            [](const auto& /*key*/) { return sizeof "$32\r\n\r\n" - 1 + kValue.size(); }}},
      {"redis-set",
       {.request =
            [](const auto& key, auto /*rid*/) {
              return resp({"SET", key, kValue});
            },
        .answer_size = [](const auto& /*key*/) { return sizeof "+OK\r\n" - 1; }}},
      {"memcached-get",
       {.request = [](const auto& key, auto /*rid*/) { return "get " + key + "\r\n"; },
        .answer_size =
            [](const auto& key) {
              return sizeof "VALUE  0 32\r\n\r\nEND\r\n" - 1 + key.size() + kValue.size();
            }}},
      {"memcached-set",
       {.request = [](const auto& key,
                      auto /*rid*/) { return "set " + key + " 0 0 32\r\n" + kValue + "\r\n"; },
        .answer_size = [](const auto& /*key*/) { return sizeof "STORED\r\n" - 1; }}},
  };
  return all;
}

}  // namespace drover::bench
