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

void answer_item(const Client& client, const Frame& request, Status status, std::string_view key,
                 const Item& item, bool with_meta) {
  if (!with_meta) return answer(client, request, status, key, item.value);
  std::string value;
  value.reserve(kMetaBytes + item.value.size());
  append_meta(value, meta_of(item, client.service.store.now_ms()));
  answer(client, request, status, key, value.append(item.value));
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
