// A client of a KV1 session, with a store of its own and a clock that stands still.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "modules/kvs/kv1/big_endian.h"
#include "modules/kvs/kv1/frame.h"
#include "modules/kvs/kv1/meta.h"
#include "modules/kvs/kv1/session.h"
#include "modules/kvs/store/shard.h"
#include "tests/unit/kvs/shared_memory.h"

namespace kvs::kv1::testing {

using kvs::testing::kMiB;
using kvs::testing::kSecret;
using kvs::testing::TestStore;

inline std::string frame(std::uint8_t type, std::uint32_t rid, std::string_view key = {},
                         std::string_view value = {}) {
  std::string out;
  append_frame(out, {type, rid, key, value});
  return out;
}

template <class Number>
std::string bytes_of(Number number) {
  std::string out;
  append_number(out, number);
  return out;
}
// The beginning of a SET: no byte of its value.
inline std::string announced(std::uint32_t rid, std::uint32_t value_bytes) {
  std::string head = frame(kSet, rid, "key");
  head.resize(head.size() - kValueLengthBytes);
  return head + bytes_of(value_bytes);
}
inline std::string number64(std::int64_t number) {
  return bytes_of(static_cast<std::uint64_t>(number));
}
inline std::string meta(const Meta& meta, std::string_view value = {}) {
  std::string out;
  append_meta(out, meta);
  return out.append(value);
}
inline std::string scan_from(std::uint64_t cursor, std::uint32_t count) {
  return bytes_of(cursor) + bytes_of(count);
}

struct Said {
  int status;
  std::uint32_t rid;
  std::string key;
  std::string value;
  bool operator==(const Said&) const = default;
  friend void PrintTo(const Said& said, std::ostream* out) {
    *out << std::hex << said.status << std::dec << " rid " << said.rid << " \"" << said.key
         << "\" \"" << said.value.substr(0, 80) << '"';
  }
};

inline std::vector<Said> answers_in(std::string_view bytes) {
  FrameReader reader(FrameReader::Side::kAnswers,
                     {.key_bytes = kLongestKey, .value_bytes = kLongestValue});
  std::vector<Said> answers;
  while (const auto received = reader.next(bytes)) {
    const Frame& said = received->frame;
    answers.push_back({said.type, said.rid, std::string(said.key), std::string(said.value)});
  }
  return answers;
}

inline constexpr Limits kSmall{.frame = {.key_bytes = 8, .value_bytes = 32}};

inline std::vector<int> statuses(const std::vector<Said>& answers) {
  std::vector<int> all;
  for (const Said& said : answers) all.push_back(said.status);
  return all;
}

inline Time test_time{};
inline Time test_clock() { return test_time; }

struct Server {
  explicit Server(const Limits& limits = {}, std::size_t size = 4 * kMiB,
                  const Settings& settings = {})
      : store(size, {.secret = kSecret}, settings), service(*store, limits) {
    service.clock = &test_clock;
    service.eviction = settings.eviction;
    store->set_now(1'000);
  }
  // What on_batch_end and the next hook do.
  void next_turn() {
    store->end_batch();
    service.work_time.begin_turn();
  }
  [[nodiscard]] std::uint64_t count(Count what) const {
    return service.counts[static_cast<std::size_t>(what)];
  }

  TestStore store;
  Service service;
};

// Of a key's shard, by somebody who does not go on.
struct Holder {
  Holder(Server& server, std::string_view key)
      : store(server.store.attach()),
        shard(store->mapping(), store->mapping().shard_of(store->hash().of(key))) {
    EXPECT_TRUE(shard);
  }
  std::unique_ptr<Store> store;
  LockedShard shard;
};

struct Peer {
  explicit Peer(Server& its_server) : server(its_server), session(its_server.service) {}

  void send(std::string_view bytes) {
    Output output{written, pending};
    // In memory of its own, so that a sanitizer sees who looks at it later.
    session.receive(std::string(bytes), output);
  }
  void resume() {
    Output output{written, pending};
    session.resume(output);
  }
  // As long as it is only turns and moments that are awaited.
  void let_it_work() {
    while (session.wait() != Wait::kNothing && session.wait() != Wait::kOutput) {
      server.next_turn();
      if (session.wait() == Wait::kShortly) test_time += kBusyGlance;
      resume();
    }
  }
  std::vector<Said> take() { return answers_in(std::exchange(written, {})); }
  std::vector<Said> ask(std::string_view bytes) {
    send(bytes);
    let_it_work();
    return take();
  }
  // Of one that has one answer.
  Said one(std::uint8_t type, std::string_view key = {}, std::string_view value = {}) {
    const auto answers = ask(frame(type, 7, key, value));
    EXPECT_EQ(answers.size(), 1U);
    return answers.empty() ? Said{} : answers[0];
  }
  int status(std::uint8_t type, std::string_view key = {}, std::string_view value = {}) {
    return one(type, key, value).status;
  }

  Server& server;
  Session session;
  std::string written;
  std::size_t pending = 0;
};

}  // namespace kvs::kv1::testing
