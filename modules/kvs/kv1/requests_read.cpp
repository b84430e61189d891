// Requests that read keys by name.
#include <utility>

#include "modules/kvs/kv1/big_endian.h"
#include "modules/kvs/kv1/requests.h"

namespace kvs::kv1 {
namespace {

Progress not_found(const Client& client, const Call& call) {
  client.service.count(Count::kMisses);
  answer(client, call.frame, kNotFound);
  return Progress::kDone;
}

// LPM says which key it was.
Progress found(const Client& client, Call& call, const Item& item, std::string_view key,
               bool with_meta) {
  const Progress progress = answer_item(client, call, {kOk, key, with_meta}, item);
  if (progress == Progress::kDone) client.service.count(Count::kHits);
  return progress;
}

Progress get(const Client& client, Call& call, bool with_meta) {
  const auto item = client.service.store.get(call.frame.key, call.key_hash);
  return item ? found(client, call, *item, {}, with_meta) : not_found(client, call);
}

Progress longest(const Client& client, Call& call, Match match, bool with_meta) {
  const Store::Longest longest = client.service.store.longest_prefix(call.frame.key, match);
  if (longest.answer == Answer::kNotFound) return not_found(client, call);
  if (longest.answer != Answer::kOk) return settle(client, call, longest.answer);
  return found(client, call, longest.item, longest.item.key, with_meta);
}

constexpr Refusal kBadMeta{kBadArgument, "the value is not the 24 bytes of a meta form"};

// Nothing is as good as zeroes.
std::optional<Meta> asked_meta(std::string_view value) {
  if (value.empty()) return Meta{};
  const auto parsed = parse_meta(value);
  return parsed ? std::optional(parsed->meta) : std::nullopt;
}

// Bits 0 and 1; the others are set aside.
std::optional<Match> match_of(std::uint32_t flags, Match otherwise) {
  const std::uint32_t said = flags & 3;
  if (said == 0) return otherwise;
  if (said == 1) return Match::kByte;
  if (said == 2) return Match::kSegment;
  return std::nullopt;
}

// One of MGET's: u16 length, key. None: they end, or are cut off.
std::optional<std::string_view> key_at(std::string_view keys, std::uint64_t at) {
  const std::string_view rest = keys.substr(at);
  if (rest.size() < 2) return std::nullopt;
  const std::size_t size = number_at<std::uint16_t>(rest);
  if (rest.size() - 2 < size) return std::nullopt;
  return rest.substr(2, size);
}

std::optional<Refusal> check_keys(std::string_view keys, std::size_t longest_key) {
  std::size_t at = 0;
  while (const auto key = key_at(keys, at)) {
    if (key->empty()) return Refusal{kBadArgument, "one of the keys is empty"};
    if (key->size() > longest_key) return Refusal{kKeyLength, "one of the keys is too long"};
    at += 2 + key->size();
  }
  if (at != keys.size()) return Refusal{kBadArgument, "the last key is cut off"};
  return std::nullopt;
}

}  // namespace

Progress serve_get(Client& client, Call& call) { return get(client, call, false); }

Progress serve_get_meta(Client& client, Call& call) {
  if (!asked_meta(call.frame.value)) return refused(client, call, kBadMeta);
  return get(client, call, true);
}

Progress serve_lpm(Client& client, Call& call) {
  return longest(client, call, client.service.match, false);
}

Progress serve_lpm_meta(Client& client, Call& call) {
  const auto meta = asked_meta(call.frame.value);
  if (!meta) return refused(client, call, kBadMeta);
  const auto match = match_of(meta->flags, client.service.match);
  if (!match) return refused(client, call, {kBadArgument, "flags are 0, 1 (byte) or 2 (segment)"});
  return longest(client, call, *match, true);
}

Progress serve_multi_get(Client& client, Call& call) {
  Service& service = client.service;
  const std::string_view keys = call.frame.value;
  if (!std::exchange(call.has_begun, true)) {
    const auto refusal = check_keys(keys, service.limits.frame.key_bytes);
    if (refusal) return refused(client, call, *refusal);
  }
  const std::uint64_t began_at = call.cursor;  // a key each time, however the turn's time goes
  while (const auto key = key_at(keys, call.cursor)) {
    if (client.is_full()) return Progress::kOutputFull;
    if (call.cursor != began_at && service.work_time.is_over(service.clock()))
      return Progress::kMore;
    const auto item = service.store.get(*key);
    if (item) {
      const Progress progress = answer_item(client, call, {kPartial, *key}, *item);
      if (progress != Progress::kDone) return progress;
    }
    service.count(item ? Count::kHits : Count::kMisses);
    call.cursor += 2 + key->size();
    if (call.rest) return Progress::kOutputFull;
  }
  answer(client, call.frame, kOk);
  return Progress::kDone;
}

}  // namespace kvs::kv1
