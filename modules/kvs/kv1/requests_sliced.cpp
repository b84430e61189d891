// Requests whose work grows with the data: as much in a turn as its time allows, and the rest in
// the next ones.
#include <algorithm>
#include <string>

#include "modules/kvs/kv1/big_endian.h"
#include "modules/kvs/kv1/requests.h"
#include "modules/kvs/store/slices.h"

namespace kvs::kv1 {
namespace {

// Between two looks at the clock.
constexpr std::uint32_t kBuckets = 16;

std::string bytes_of(std::uint64_t number) {
  std::string bytes;
  append_number(bytes, number);
  return bytes;
}

// kDone, also if there is a rest of it that goes first.
Progress send(Client& client, Call& call, const Item& item) {
  if (call.rest || client.is_full()) return Progress::kOutputFull;
  const Progress progress = answer_item(client, call, {kPartial, item.key}, item);
  if (progress == Progress::kDone) call.sent.emplace_back(item.key);
  return progress;
}

// The items of the bucket at the cursor. kDone: all. Else there is no room, or the client must take
// some first. A bucket is begun again then, and who was sent is known by name: a cursor names a
// bucket, and not a place in it.
Progress scan_bucket(Client& client, Call& call, Slice& slice) {
  Progress progress = Progress::kDone;
  slice = scan(client.service.store, call.frame.key, call.cursor, {.buckets = 1, .items = 1},
               [&](const Item& item) {
                 const bool is_sent = std::ranges::find(call.sent, item.key) != call.sent.end();
                 if (!is_sent && progress == Progress::kDone) progress = send(client, call, item);
               });
  return call.rest ? Progress::kOutputFull : progress;
}

// Removes on until the turn's time is over, or what it removed waits for its end. Busy is only when
// there is nothing else to tell.
Progress remove_more(Client& client, Call& call, std::string_view prefix) {
  Service& service = client.service;
  for (bool has_begun = false;; has_begun = true) {
    if (service.work_time.is_over(service.clock())) return Progress::kMore;
    const Slice slice =
        remove_prefix(service.store, prefix, call.cursor, {.buckets = kBuckets, .items = kBuckets});
    has_begun = has_begun || slice.cursor != call.cursor;
    call.cursor = slice.cursor;
    call.count += slice.items;
    if (slice.is_busy) return has_begun ? Progress::kMore : Progress::kBusy;
    if (slice.is_last) return Progress::kDone;
    if (slice.must_end_batch) return Progress::kMore;
  }
}

}  // namespace

// Ends with the bucket in which it has reached the count.
Progress serve_scan(Client& client, Call& call) {
  Service& service = client.service;
  const std::string_view value = call.frame.value;
  const std::uint64_t most = number_at<std::uint32_t>(value.substr(8));
  if (most == 0) return refused(client, call, {kBadArgument, "count is at least 1"});
  if (!call.has_begun) call.cursor = number_at<std::uint64_t>(value);
  call.has_begun = true;
  while (call.count < most) {
    if (client.is_full()) return Progress::kOutputFull;
    if (service.work_time.is_over(service.clock())) return Progress::kMore;
    Slice slice;
    const Progress progress = scan_bucket(client, call, slice);
    if (progress != Progress::kDone) return progress;
    call.count += call.sent.size();
    call.sent.clear();
    call.cursor = slice.cursor;
    if (slice.is_last) break;
  }
  answer(client, call.frame, kOk, {}, bytes_of(call.cursor));
  return Progress::kDone;
}

Progress serve_del_prefix(Client& client, Call& call) {
  const Progress progress = remove_more(client, call, call.frame.key);
  if (progress != Progress::kDone) return progress;
  return settle(client, call, Answer::kOk, bytes_of(call.count));
}

Progress serve_flush(Client& client, Call& call) {
  const Progress progress = remove_more(client, call, {});
  if (progress != Progress::kDone) return progress;
  return settle(client, call, Answer::kOk);
}

}  // namespace kvs::kv1
