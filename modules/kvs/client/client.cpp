#include "modules/kvs/client/client.h"

#include <algorithm>
#include <charconv>

#include "modules/kvs/client/connect.h"
#include "modules/kvs/kv1/big_endian.h"

namespace kvs::client {
namespace {

using drover::Done;
using drover::Error;
using drover::Result;

constexpr std::size_t kHelloBytes = 12;

template <class Number>
std::string as_bytes(Number number) {
  std::string bytes;
  kv1::append_number(bytes, number);
  return bytes;
}

std::optional<std::string> value_of(Answer& answer) { return std::move(answer.value); }

std::optional<MetaItem> meta_item_of(Answer& answer) {
  const auto parsed = kv1::parse_meta(answer.value);
  if (!parsed) return std::nullopt;
  return MetaItem{std::move(answer.key), std::string(parsed->value), parsed->meta};
}

std::optional<std::uint64_t> u64_of(const Answer& answer) {
  if (answer.value.size() != sizeof(std::uint64_t)) return std::nullopt;
  return kv1::number_at<std::uint64_t>(answer.value);
}

std::optional<std::int64_t> decimal_of(const Answer& answer) {
  std::int64_t number = 0;
  const char* end = answer.value.data() + answer.value.size();
  const auto [stop, error] = std::from_chars(answer.value.data(), end, number);
  if (error != std::errc{} || stop != end) return std::nullopt;
  return number;
}

// A later version may say more.
std::optional<ServerLimits> limits_of(const Answer& answer) {
  const std::string_view bytes = answer.value;
  if (bytes.size() < kHelloBytes) return std::nullopt;
  return ServerLimits{kv1::number_at<std::uint16_t>(bytes),
                      kv1::number_at<std::uint16_t>(bytes.substr(2)),
                      kv1::number_at<std::uint32_t>(bytes.substr(4)),
                      kv1::number_at<std::uint32_t>(bytes.substr(8))};
}

}  // namespace

Result<Client> Client::connect(const drover::Address& address, Options options) {
  DROVER_TRY(drover::UniqueFd socket, connect_to(address, options.timeout));
  return Client(Pipeline(std::move(socket), options));
}

Result<Answer> Client::ask(kv1::Request type, std::string_view key, std::string_view value,
                           std::vector<Item>* items) {
  const Clock::time_point end = pipeline_.deadline();
  DROVER_TRY(const std::uint32_t rid, pipeline_.send(type, key, value, end));
  for (;;) {
    DROVER_TRY(Answer answer, pipeline_.receive(rid, end));
    if (answer.is_last()) return answer;
    if (items != nullptr) items->push_back({std::move(answer.key), std::move(answer.value)});
  }
}

template <class T, class Read>
Outcome<T> Client::ask_for(kv1::Request type, std::string_view key, std::string_view value,
                           Read read, std::vector<Item>* items) {
  DROVER_TRY(Answer answer, ask(type, key, value, items));
  if (answer.status != kv1::kOk) return Reply<T>{answer.status, {}, std::move(answer.value)};
  std::optional<T> understood = read(answer);
  if (!understood) return pipeline_.give_up("the server's answer makes no sense");
  return Reply<T>{kv1::kOk, std::move(*understood), {}};
}

Outcome<Done> Client::order(kv1::Request type, std::string_view key, std::string_view value) {
  return ask_for<Done>(type, key, value, [](const Answer&) { return std::optional(Done{}); });
}

Outcome<std::string> Client::ping(std::string_view text) {
  return ask_for<std::string>(kv1::kPing, {}, text, value_of);
}

Outcome<ServerLimits> Client::hello() {
  return ask_for<ServerLimits>(kv1::kHello, {}, {}, limits_of);
}

Outcome<Done> Client::auth(std::string_view token) { return order(kv1::kAuth, {}, token); }

Outcome<std::string> Client::get(std::string_view key) {
  return ask_for<std::string>(kv1::kGet, key, {}, value_of);
}

Outcome<MetaItem> Client::get_meta(std::string_view key) {
  return ask_for<MetaItem>(kv1::kGetMeta, key, {}, meta_item_of);
}

Outcome<Item> Client::lpm(std::string_view path) {
  return ask_for<Item>(kv1::kLpm, path, {}, [](Answer& answer) {
    return std::optional(Item{std::move(answer.key), std::move(answer.value)});
  });
}

Outcome<MetaItem> Client::lpm_meta(std::string_view path, std::uint32_t flags) {
  std::string value;
  kv1::append_meta(value, {.flags = flags});
  return ask_for<MetaItem>(kv1::kLpmMeta, path, value, meta_item_of);
}

Outcome<std::vector<Item>> Client::multi_get(const std::vector<std::string>& keys) {
  std::string value;
  for (const std::string& key : keys) {
    if (key.size() > kv1::kLongestKey) return Error("a key is longer than any can be");
    value += as_bytes(static_cast<std::uint16_t>(key.size())) + key;
  }
  std::vector<Item> items;
  return ask_for<std::vector<Item>>(
      kv1::kMultiGet, {}, value, [&](const Answer&) { return std::optional(std::move(items)); },
      &items);
}

Outcome<Done> Client::set(std::string_view key, std::string_view value) {
  return order(kv1::kSet, key, value);
}

Outcome<Done> Client::set_meta(std::string_view key, std::string_view value,
                               const kv1::Meta& meta) {
  std::string form;
  kv1::append_meta(form, meta);
  form += value;
  return order(kv1::kSetMeta, key, form);
}

Outcome<Done> Client::add(std::string_view key, std::string_view value) {
  return order(kv1::kAdd, key, value);
}

Outcome<Done> Client::replace(std::string_view key, std::string_view value) {
  return order(kv1::kReplace, key, value);
}

Outcome<Done> Client::append(std::string_view key, std::string_view value) {
  return order(kv1::kAppend, key, value);
}

Outcome<Done> Client::prepend(std::string_view key, std::string_view value) {
  return order(kv1::kPrepend, key, value);
}

Outcome<std::int64_t> Client::incr(std::string_view key, std::int64_t delta,
                                   std::optional<std::int64_t> initial) {
  std::string value = as_bytes(static_cast<std::uint64_t>(delta));
  if (initial) value += as_bytes(static_cast<std::uint64_t>(*initial));
  return ask_for<std::int64_t>(kv1::kIncr, key, value, decimal_of);
}

Outcome<Done> Client::touch(std::string_view key, std::chrono::milliseconds ttl) {
  return order(kv1::kTouch, key, as_bytes(static_cast<std::uint64_t>(ttl.count())));
}

Outcome<Done> Client::del(std::string_view key) { return order(kv1::kDel, key, {}); }

Outcome<Page> Client::scan(std::string_view prefix, std::uint64_t cursor, std::uint32_t count) {
  std::vector<Item> items;
  const auto page_of = [&](const Answer& answer) -> std::optional<Page> {
    const std::optional<std::uint64_t> next = u64_of(answer);
    if (!next) return std::nullopt;
    return Page{std::move(items), *next};
  };
  return ask_for<Page>(kv1::kScan, prefix, as_bytes(cursor) + as_bytes(count), page_of, &items);
}

Outcome<std::uint64_t> Client::delete_prefix(std::string_view prefix) {
  return ask_for<std::uint64_t>(kv1::kDelPrefix, prefix, {}, u64_of);
}

Outcome<Done> Client::flush() { return order(kv1::kFlush, {}, {}); }

Outcome<std::string> Client::stats() { return ask_for<std::string>(kv1::kStats, {}, {}, value_of); }

}  // namespace kvs::client
