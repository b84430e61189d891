// What is said to the client.
#include "modules/kvs/kv1/big_endian.h"
#include "modules/kvs/kv1/call.h"
#include "modules/kvs/kv1/requests.h"

namespace kvs::kv1 {
namespace {

void count(Service& service, Status status) {
  service.count(Count::kRefused);
  if (status == kBusy) service.count(Count::kBusy);
  if (status == kNoSpace) service.count(Count::kNoSpace);
  if (status == kDenied) service.count(Count::kDenied);
  if (status == kKeyLength || status == kValueTooLarge) service.count(Count::kTooLong);
}

Meta meta_of(const Item& item, std::uint64_t now_ms) {
  const std::uint64_t left = item.expires_ms > now_ms ? item.expires_ms - now_ms : 0;
  return {item.flags, left, item.cas};
}

void append_item_head(const Client& client, const Call& call, const ItemAnswer& said,
                      const Item& item) {
  std::string& out = client.output.bytes;
  const std::size_t meta_bytes = said.with_meta ? kMetaBytes : 0;
  append_head(out, {said.status, call.frame.rid, said.key, {}}, meta_bytes + item.value.size());
  if (said.with_meta) append_meta(out, meta_of(item, client.service.store.now_ms()));
}

// What is no more than is on its way at a time in any case is copied whole, and so is what may
// leave at once: turns cost more than copies.
bool is_for_pieces(const Client& client, std::size_t size) {
  constexpr std::size_t kMayLeaveAtOnce = std::size_t{1} << 20;
  if (size <= kWatchedOutput) return false;
  return client.output.size() > 0 || size > kMayLeaveAtOnce || !client.has_room(size);
}

}  // namespace

// A new answer of the store is a line here.
Refusal words_for(Answer answer) {
  switch (answer) {
    case Answer::kOk:
      return {kOk, {}};
    case Answer::kNotFound:
      return {kNotFound, {}};
    case Answer::kExists:
      return {kExists, {}};
    case Answer::kNotStored:
      return {kNotStored, {}};
    case Answer::kNoSpace:
      return {kNoSpace, "the store has no room for it; nothing has changed"};
    case Answer::kBusy:
      return {kBusy, "there is too much to do, or to keep, at the moment; try again"};
    case Answer::kTooCostly:
      return {kBadArgument, "the path has too many places to look at; ask for a shorter one"};
    case Answer::kTooManyReserved:
      return {kBusy, "too many values are on their way; try again"};
    case Answer::kNotANumber:
      return {kNotANumber, "the value is no decimal number of 64 bits, or the sum is none"};
    case Answer::kTooLarge:
      return {kValueTooLarge, "key or value is larger than the store takes"};
  }
  return {kInternal, "the store has answered something unknown"};
}

void answer(const Client& client, const Frame& request, Status status, std::string_view key,
            std::string_view value) {
  if (request.rid == 0 && status == kOk) return;
  append_frame(client.output.bytes, {status, request.rid, key, value});
}

Progress answer_item(const Client& client, Call& call, const ItemAnswer& said, const Item& item) {
  const std::size_t whole = said.key.size() + item.value.size();
  const bool in_pieces = is_for_pieces(client, item.value.size());
  const std::size_t at_once = in_pieces ? kWatchedOutput : whole;
  if (at_once > kFreeOutput && !client.has_room(at_once)) return Progress::kBusy;
  auto pinned = in_pieces ? std::make_unique<PinnedValue>(client.service.store, item) : nullptr;
  const bool is_pinned = pinned && pinned->is_pinned();
  if (in_pieces && !is_pinned && !client.has_room(whole)) return Progress::kBusy;
  append_item_head(client, call, said, item);
  call.busy_since.reset();  // one of many items: it goes on
  if (!is_pinned) return client.output.bytes += item.value, Progress::kDone;
  call.rest = std::move(pinned);
  static_cast<void>(send_rest(client, call));
  return Progress::kDone;
}

// Until there is more than kWatchedOutput: of less nobody tells that it has left.
bool send_rest(const Client& client, Call& call) {
  while (!call.rest->is_sent()) {
    if (client.output.size() > kWatchedOutput || client.is_full()) return false;
    client.output.bytes += call.rest->take_piece();
  }
  call.rest.reset();
  return true;
}

void refuse(const Client& client, const Frame& request, const Refusal& refusal) {
  count(client.service, refusal.status);
  answer(client, request, refusal.status, {}, refusal.text);
}

Progress settle(const Client& client, const Call& call, Answer answer, std::string_view value) {
  if (answer == Answer::kBusy) return Progress::kBusy;
  const Refusal words = words_for(answer);
  if (!words.text.empty()) return refused(client, call, words);
  if (answer == Answer::kOk && call.row->writes) client.service.count(Count::kWrites);
  kv1::answer(client, call.frame, words.status, {}, value);
  return Progress::kDone;
}

}  // namespace kvs::kv1
