// Requests that change one key.
#include <limits>
#include <string>

#include "modules/kvs/kv1/big_endian.h"
#include "modules/kvs/kv1/requests.h"

namespace kvs::kv1 {
namespace {

std::uint64_t expiry(const Client& client, std::uint64_t ttl_ms) {
  constexpr std::uint64_t kNoEarlier = std::numeric_limits<std::uint64_t>::max();
  const std::uint64_t now_ms = client.service.store.now_ms();
  if (ttl_ms == 0) return 0;
  return ttl_ms > kNoEarlier - now_ms ? kNoEarlier : now_ms + ttl_ms;
}

Progress put(const Client& client, const Call& call, Condition condition) {
  const Write write{.key = call.frame.key,
                    .value = call.frame.value,
                    .condition = condition,
                    .key_hash = call.key_hash};
  return settle(client, call, client.service.store.write(write).answer);
}

// The limit is for what is stored, too: a client that may not send a value should not get one. As
// it is now: two workers that extend a value at the same moment may pass it by one of them.
bool would_be_too_large(const Client& client, const Call& call) {
  const auto item = client.service.store.get(call.frame.key);
  return item &&
         item->value.size() + call.frame.value.size() > client.service.limits.frame.value_bytes;
}

constexpr Refusal kTooLarge{kValueTooLarge, "the value would be larger than kvs.max_value"};

}  // namespace

Progress serve_set(Client& client, Call& call) { return put(client, call, Condition::kAlways); }
Progress serve_add(Client& client, Call& call) { return put(client, call, Condition::kIfAbsent); }
Progress serve_replace(Client& client, Call& call) {
  return put(client, call, Condition::kIfPresent);
}

Progress serve_del(Client& client, Call& call) {
  return settle(client, call, client.service.store.erase(call.frame.key));
}

// What is not there has no cas to be equal.
Progress serve_set_meta(Client& client, Call& call) {
  const auto parsed = parse_meta(call.frame.value);
  if (!parsed) return refused(client, call, {kBadArgument, "the reserved bytes are not 0"});
  const Write write{.key = call.frame.key,
                    .value = parsed->value,
                    .flags = parsed->meta.flags,
                    .expires_ms = expiry(client, parsed->meta.ttl_ms),
                    .cas = parsed->meta.cas};
  const Answer answer = client.service.store.write(write).answer;
  return settle(client, call, answer == Answer::kNotFound ? Answer::kExists : answer);
}

Progress serve_incr(Client& client, Call& call) {
  const std::string_view value = call.frame.value;
  if (value.size() != 8 && value.size() != 16)
    return refused(client, call, {kBadArgument, "the value is one or two numbers of 64 bits"});
  const auto number = [&](std::size_t at) {
    return static_cast<std::int64_t>(number_at<std::uint64_t>(value.substr(at)));
  };
  const auto initial = value.size() == 16 ? std::optional(number(8)) : std::nullopt;
  const Sum sum = client.service.store.add(call.frame.key, number(0), initial);
  const bool has_sum = sum.answer == Answer::kOk;
  return settle(client, call, sum.answer, has_sum ? std::to_string(sum.value) : "");
}

Progress serve_append(Client& client, Call& call) {
  if (would_be_too_large(client, call)) return refused(client, call, kTooLarge);
  return settle(client, call, client.service.store.append(call.frame.key, call.frame.value).answer);
}

Progress serve_prepend(Client& client, Call& call) {
  if (would_be_too_large(client, call)) return refused(client, call, kTooLarge);
  return settle(client, call,
                client.service.store.prepend(call.frame.key, call.frame.value).answer);
}

Progress serve_touch(Client& client, Call& call) {
  const auto ttl_ms = number_at<std::uint64_t>(call.frame.value);
  return settle(client, call,
                client.service.store.touch(call.frame.key, expiry(client, ttl_ms)).answer);
}

}  // namespace kvs::kv1
