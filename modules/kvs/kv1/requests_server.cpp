// Requests about the server, not about keys.
#include <string>

#include "modules/kvs/kv1/big_endian.h"
#include "modules/kvs/kv1/features.h"
#include "modules/kvs/kv1/requests.h"
#include "modules/kvs/store/statistics.h"

namespace kvs::kv1 {
namespace {

std::uint32_t features_of(const Service& service) {
  return (service.token.empty() ? 0U : kNeedsAuth) |
         (service.match == Match::kSegment ? kMatchesSegments : 0U) |
         (service.eviction == Eviction::kClock ? kEvicts : 0U);
}

// As long whatever was said: how long it takes tells nothing about how much of it was right.
bool is_same(std::string_view said, std::string_view token) {
  unsigned different = said.size() == token.size() ? 0 : 1;
  for (std::size_t i = 0; i < said.size(); ++i)
    different |= static_cast<unsigned char>(said[i] ^ token[i % token.size()]);
  return different == 0;
}

void add_line(std::string& text, const char* name, std::uint64_t value) {
  text.append(name).append(" ").append(std::to_string(value)).append("\n");
}

// Of all who share the store.
void add_store(std::string& text, Store& store) {
  const Statistics now = statistics(store);
  add_line(text, "items", now.items);
  add_line(text, "item_bytes", now.cell_bytes);
  add_line(text, "expired", now.expired);
  add_line(text, "evicted", now.evicted);
  add_line(text, "repairs", now.repairs);
  add_line(text, "collections", now.collections);
  add_line(text, "retired", now.retired);
  add_line(text, "pages", now.pages);
  add_line(text, "free_pages", now.free_pages);
  add_line(text, "readers", now.readers);
}

// Of this worker.
void add_counts(std::string& text, const Service& service) {
  for (std::size_t i = 0; i < kCounts; ++i) {
    text += "worker_";
    add_line(text, kCountNames[i].name, service.counts[i]);
  }
  add_line(text, "worker_memory_used", service.budget.used());
  add_line(text, "worker_prefix_probes", service.store.prefix_probes());
}

}  // namespace

Progress serve_ping(Client& client, Call& call) {
  const std::size_t size = call.frame.value.size();
  if (size > kFreeOutput && !client.has_room(size)) return Progress::kBusy;
  answer(client, call.frame, kOk, {}, call.frame.value);
  return Progress::kDone;
}

Progress serve_hello(Client& client, Call& call) {
  const FrameReader::Limits& limits = client.service.limits.frame;
  std::string value;
  append_number(value, kVersion);
  append_number(value, static_cast<std::uint16_t>(limits.key_bytes));
  append_number(value, limits.value_bytes);
  append_number(value, features_of(client.service));
  answer(client, call.frame, kOk, {}, value);
  return Progress::kDone;
}

Progress serve_auth(Client& client, Call& call) {
  const std::string& token = client.service.token;
  if (!token.empty()) client.is_known = is_same(call.frame.value, token);
  if (!client.is_known) return refused(client, call, {kDenied, "that is not the token"});
  answer(client, call.frame, kOk);
  return Progress::kDone;
}

Progress serve_stats(Client& client, Call& call) {
  std::string text;
  add_store(text, client.service.store);
  add_counts(text, client.service);
  answer(client, call.frame, kOk, {}, text);
  return Progress::kDone;
}

}  // namespace kvs::kv1
