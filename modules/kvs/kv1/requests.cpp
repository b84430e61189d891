#include "modules/kvs/kv1/requests.h"

#include <algorithm>
#include <array>

namespace kvs::kv1 {
namespace {

constexpr std::size_t kMost = kAnyValue.most;
constexpr bool kReads = false;
constexpr bool kWrites = true;

constexpr std::array kRows{
    Row{kPing, "PING", KeyForm::kNone, kAnyValue, kReads, Cost::kLow, &serve_ping},
    Row{kHello, "HELLO", KeyForm::kNone, kNoValue, kReads, Cost::kLow, &serve_hello},
    Row{kAuth, "AUTH", KeyForm::kNone, kAnyValue, kReads, Cost::kLow, &serve_auth},
    Row{kGet, "GET", KeyForm::kKey, kNoValue, kReads, Cost::kLow, &serve_get},
    Row{kLpm, "LPM", KeyForm::kKey, kNoValue, kReads, Cost::kHigh, &serve_lpm},
    Row{kSet, "SET", KeyForm::kKey, kAnyValue, kWrites, Cost::kLow, &serve_set},
    Row{kAdd, "ADD", KeyForm::kKey, kAnyValue, kWrites, Cost::kLow, &serve_add},
    Row{kReplace, "REPLACE", KeyForm::kKey, kAnyValue, kWrites, Cost::kLow, &serve_replace},
    Row{kDel, "DEL", KeyForm::kKey, kNoValue, kWrites, Cost::kLow, &serve_del},
    Row{kGetMeta, "GETM", KeyForm::kKey, {0, kMetaBytes}, kReads, Cost::kLow, &serve_get_meta},
    Row{kLpmMeta, "LPMM", KeyForm::kKey, {0, kMetaBytes}, kReads, Cost::kHigh, &serve_lpm_meta},
    Row{kSetMeta, "SETM", KeyForm::kKey, {kMetaBytes, kMost}, kWrites, Cost::kLow, &serve_set_meta},
    Row{kIncr, "INCR", KeyForm::kKey, {8, 16}, kWrites, Cost::kHigh, &serve_incr},
    Row{kAppend, "APPEND", KeyForm::kKey, kAnyValue, kWrites, Cost::kHigh, &serve_append},
    Row{kPrepend, "PREPEND", KeyForm::kKey, kAnyValue, kWrites, Cost::kHigh, &serve_prepend},
    Row{kTouch, "TOUCH", KeyForm::kKey, {8, 8}, kWrites, Cost::kHigh, &serve_touch},
    Row{kMultiGet, "MGET", KeyForm::kNone, kAnyValue, kReads, Cost::kLow, &serve_multi_get},
    Row{kScan, "SCAN", KeyForm::kPrefix, {12, 12}, kReads, Cost::kLow, &serve_scan},
    Row{kDelPrefix, "DELPREFIX", KeyForm::kPrefix, kNoValue, kWrites, Cost::kLow,
        &serve_del_prefix},
    Row{kStats, "STATS", KeyForm::kNone, kNoValue, kReads, Cost::kHigh, &serve_stats},
    Row{kFlush, "FLUSH", KeyForm::kNone, kNoValue, kWrites, Cost::kLow, &serve_flush},
};

}  // namespace

const Row* row_of(std::uint8_t type) {
  const auto* row = std::ranges::find(kRows, type, &Row::code);
  return row != kRows.end() ? row : nullptr;
}

bool is_for_strangers(const Row& row) { return row.code == kAuth || row.code == kHello; }

std::optional<Refusal> check(const Row& row, const Frame& frame) {
  if (frame.rid == 0 && !row.writes) return Refusal{kBadArgument, "RID 0 is for writes only"};
  if (row.key == KeyForm::kKey && frame.key.empty())
    return Refusal{kBadArgument, "a key is needed"};
  if (row.key == KeyForm::kNone && !frame.key.empty())
    return Refusal{kBadArgument, "there is no key in this request"};
  if (frame.value.size() < row.value.least || frame.value.size() > row.value.most)
    return Refusal{kBadArgument, "the value has not the length that this request asks for"};
  return std::nullopt;
}

}  // namespace kvs::kv1
