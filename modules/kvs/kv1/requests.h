// What a client may ask for: a row for each request. To add one, add its function and its row.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>

#include "modules/kvs/kv1/call.h"

namespace kvs::kv1 {

enum class KeyForm : std::uint8_t {
  kNone,
  kKey,     // must be there
  kPrefix,  // the empty one is a prefix of all
};

// How many bytes a value may have.
struct ValueForm {
  std::size_t least = 0;
  std::size_t most = 0;
};
inline constexpr ValueForm kNoValue{};
inline constexpr ValueForm kAnyValue{0, std::numeric_limits<std::size_t>::max()};

// Many of those that are costly in one turn would keep the worker for seconds: they share the
// turn's time.
enum class Cost : std::uint8_t { kLow, kHigh };

struct Row {
  Request code;
  const char* name;
  KeyForm key;
  ValueForm value;
  bool writes;
  Cost cost;
  Progress (*serve)(Client& client, Call& call);
};

// Null: there is none.
[[nodiscard]] const Row* row_of(std::uint8_t type);
// Whoever has not said the token may ask for it.
[[nodiscard]] bool is_for_strangers(const Row& row);
// Why a request is not served, whatever is stored. None: it is.
[[nodiscard]] std::optional<Refusal> check(const Row& row, const Frame& frame);

// requests_server.cpp
Progress serve_ping(Client& client, Call& call);
Progress serve_hello(Client& client, Call& call);
Progress serve_auth(Client& client, Call& call);
Progress serve_stats(Client& client, Call& call);
// requests_read.cpp
Progress serve_get(Client& client, Call& call);
Progress serve_lpm(Client& client, Call& call);
Progress serve_get_meta(Client& client, Call& call);
Progress serve_lpm_meta(Client& client, Call& call);
Progress serve_multi_get(Client& client, Call& call);
// requests_write.cpp
Progress serve_set(Client& client, Call& call);
Progress serve_add(Client& client, Call& call);
Progress serve_replace(Client& client, Call& call);
Progress serve_del(Client& client, Call& call);
Progress serve_set_meta(Client& client, Call& call);
Progress serve_incr(Client& client, Call& call);
Progress serve_append(Client& client, Call& call);
Progress serve_prepend(Client& client, Call& call);
Progress serve_touch(Client& client, Call& call);
// requests_sliced.cpp
Progress serve_scan(Client& client, Call& call);
Progress serve_del_prefix(Client& client, Call& call);
Progress serve_flush(Client& client, Call& call);

}  // namespace kvs::kv1
