// A synchronous client of a KV1 server: a method for each request, which returns with its answer.
//
//   DROVER_TRY(const Address address, Address::parse("127.0.0.1:7010"));
//   DROVER_TRY(kvs::client::Client client, kvs::client::Client::connect(address));
//   DROVER_TRY(const auto reply, client.get("/some/key"));
//   if (reply.is_ok()) use(reply.value);   // else reply.status, kNotFound for example
//
// An error is the connection's end, and names the reason (see pipeline.h); what a server refuses is
// a Reply with its status and text. Every call ends within Options::timeout. Keys and values are
// any bytes. Not thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/address.h"
#include "common/result.h"
#include "modules/kvs/client/answer.h"
#include "modules/kvs/client/pipeline.h"
#include "modules/kvs/kv1/meta.h"

namespace kvs::client {

template <class T>
using Outcome = drover::Result<Reply<T>>;

struct Item {
  std::string key;
  std::string value;
};

struct MetaItem {
  std::string key;  // LPMM: the one that matched; else empty
  std::string value;
  kv1::Meta meta;
};

struct Page {
  std::vector<Item> items;
  std::uint64_t next_cursor = 0;  // 0: the end
};

struct ServerLimits {
  std::uint16_t version = 0;
  std::uint16_t key_bytes = 0;
  std::uint32_t value_bytes = 0;
  std::uint32_t features = 0;
};

class Client {
 public:
  static drover::Result<Client> connect(const drover::Address& address, Options options = {});
  explicit Client(Pipeline pipeline) : pipeline_(std::move(pipeline)) {}

  // The text comes back.
  Outcome<std::string> ping(std::string_view text = {});
  Outcome<ServerLimits> hello();
  Outcome<drover::Done> auth(std::string_view token);

  Outcome<std::string> get(std::string_view key);
  Outcome<MetaItem> get_meta(std::string_view key);
  // The item with the longest key that is a prefix of the path.
  Outcome<Item> lpm(std::string_view path);
  // `flags`, bits 0 and 1: 0 the server's way to match, 1 by bytes, 2 by segments.
  Outcome<MetaItem> lpm_meta(std::string_view path, std::uint32_t flags = 0);
  // Those that exist, in any order. A key has at most 65,535 bytes.
  Outcome<std::vector<Item>> multi_get(const std::vector<std::string>& keys);

  Outcome<drover::Done> set(std::string_view key, std::string_view value);
  Outcome<drover::Done> set_meta(std::string_view key, std::string_view value,
                                 const kv1::Meta& meta);
  Outcome<drover::Done> add(std::string_view key, std::string_view value);
  Outcome<drover::Done> replace(std::string_view key, std::string_view value);
  Outcome<drover::Done> append(std::string_view key, std::string_view value);
  Outcome<drover::Done> prepend(std::string_view key, std::string_view value);
  // The new value. Without `initial` a key must exist.
  Outcome<std::int64_t> incr(std::string_view key, std::int64_t delta,
                             std::optional<std::int64_t> initial = std::nullopt);
  Outcome<drover::Done> touch(std::string_view key, std::chrono::milliseconds ttl);
  Outcome<drover::Done> del(std::string_view key);

  // About `count` items whose keys begin with the prefix, from the cursor on; 0 is the beginning.
  Outcome<Page> scan(std::string_view prefix, std::uint64_t cursor, std::uint32_t count);
  // How many there were.
  Outcome<std::uint64_t> delete_prefix(std::string_view prefix);
  Outcome<drover::Done> flush();
  // Lines "name value".
  Outcome<std::string> stats();

  // The connection itself, to have several requests on their way.
  [[nodiscard]] Pipeline& pipeline() { return pipeline_; }

 private:
  // The last frame; those before it go into `items`.
  drover::Result<Answer> ask(kv1::Request type, std::string_view key, std::string_view value,
                             std::vector<Item>* items = nullptr);
  // `read` makes the value of an OK answer: nothing if it cannot be understood.
  template <class T, class Read>
  Outcome<T> ask_for(kv1::Request type, std::string_view key, std::string_view value, Read read,
                     std::vector<Item>* items = nullptr);
  Outcome<drover::Done> order(kv1::Request type, std::string_view key, std::string_view value);

  Pipeline pipeline_;
};

}  // namespace kvs::client
