#include "modules/kvs/kv1/frame.h"

#include <algorithm>

#include "modules/kvs/kv1/big_endian.h"
#include "modules/kvs/kv1/meta.h"

namespace kvs::kv1 {
namespace {

// An idle connection keeps no more than this for its next key, and for its next value.
constexpr std::size_t kMostKept = 2 << 10;

}  // namespace

std::optional<WholeFrame> whole_frame_at(std::string_view bytes) {
  if (bytes.size() < kHeadBytes + kValueLengthBytes) return std::nullopt;
  const std::size_t key = number_at<std::uint16_t>(bytes.substr(5));
  const std::size_t value_at = kHeadBytes + key + kValueLengthBytes;
  if (bytes.size() < value_at) return std::nullopt;
  const std::size_t value = number_at<std::uint32_t>(bytes.substr(kHeadBytes + key));
  if (bytes.size() - value_at < value) return std::nullopt;
  return WholeFrame{{number_at<std::uint8_t>(bytes), number_at<std::uint32_t>(bytes.substr(1)),
                     bytes.substr(kHeadBytes, key), bytes.substr(value_at, value)},
                    value_at + value};
}

void FrameReader::Field::begin(std::uint32_t bytes, bool skip) {
  size = bytes;
  taken = 0;
  is_skipped = skip;
  view = {};
}

void FrameReader::Field::be(std::string_view whole) {
  begin(static_cast<std::uint32_t>(whole.size()), false);
  taken = size;
  view = whole;
}

bool FrameReader::Field::take(std::string_view& bytes) {
  const std::string_view piece = bytes.substr(0, size - taken);
  bytes.remove_prefix(piece.size());
  const bool is_all = taken == 0 && piece.size() == size;
  taken += static_cast<std::uint32_t>(piece.size());
  if (is_skipped) return taken == size;
  if (is_all) return view = piece, true;
  make_room(piece.size());
  kept.append(piece);
  view = kept;
  return taken == size;
}

// Twice as much each time, so that little is copied, but never more than is to come: a string that
// grows by itself doubles, whatever it is asked to reserve.
void FrameReader::Field::make_room(std::size_t more) {
  const std::size_t needed = kept.size() + more;
  if (needed <= kept.capacity()) return;
  std::string larger;
  larger.reserve(std::min<std::size_t>(size, 2 * needed));
  larger.append(kept);
  kept.swap(larger);
}

void FrameReader::Field::hold() {
  if (is_skipped || !kept.empty() || view.empty()) return;
  kept = view;
  view = kept;
}

void FrameReader::Field::skip() {
  is_skipped = true;
  release();
}

void FrameReader::Field::release() {
  view = {};
  if (kept.capacity() > kMostKept) std::string().swap(kept);  // `kept = {}` would keep the memory
  kept.clear();
}

Frame FrameReader::keep() {
  key_.hold();
  value_.hold();
  return {type_, rid_, key_.view, value_.view};
}

void FrameReader::skip_rest() {
  key_.skip();
  value_.skip();
  fault_ = FrameFault::kRefused;
}

bool FrameReader::gather(std::string_view& bytes, std::size_t size) {
  const std::string_view piece = bytes.substr(0, size - gathered_);
  std::ranges::copy(piece, gathered_bytes_.begin() + static_cast<std::ptrdiff_t>(gathered_));
  bytes.remove_prefix(piece.size());
  gathered_ += piece.size();
  if (gathered_ < size) return false;
  gathered_ = 0;
  return true;
}

std::optional<ReceivedFrame> FrameReader::next(std::string_view& bytes) {
  if (has_ended_) {
    has_ended_ = false;
    key_.release();
    value_.release();
  }
  if (is_broken()) return std::nullopt;
  if (take_whole(bytes) || advance(bytes)) return finish();
  key_.hold();
  value_.hold();
  return std::nullopt;
}

// Most frames come in one piece and are as they should be; what is not is read step by step.
bool FrameReader::take_whole(std::string_view& bytes) {
  if (is_inside_frame()) return false;
  const auto whole = whole_frame_at(bytes);
  if (!whole || !is_type_valid(whole->frame.type)) return false;
  type_ = whole->frame.type;
  if (whole->frame.key.size() > limits_.key_bytes) return false;
  if (whole->frame.value.size() > longest_value()) return false;
  rid_ = whole->frame.rid;
  fault_ = FrameFault::kNone;
  key_.be(whole->frame.key);
  value_.be(whole->frame.value);
  bytes.remove_prefix(whole->size_bytes);
  return true;
}

// True when the frame has ended, well or not.
bool FrameReader::advance(std::string_view& bytes) {
  switch (step_) {
    case Step::kHead: {
      if (!gather(bytes, kHeadBytes)) return false;
      const std::string_view head(gathered_bytes_.data(), kHeadBytes);
      type_ = number_at<std::uint8_t>(head);
      rid_ = number_at<std::uint32_t>(head.substr(1));
      const std::uint32_t key_bytes = number_at<std::uint16_t>(head.substr(5));
      key_.begin(key_bytes, key_bytes > limits_.key_bytes);
      fault_ = !is_type_valid(type_) ? FrameFault::kBadType
               : key_.is_skipped     ? FrameFault::kKeyTooLong
                                     : FrameFault::kNone;
      if (fault_ == FrameFault::kBadType) return true;
      step_ = Step::kKey;
      [[fallthrough]];
    }
    case Step::kKey:
      if (!key_.take(bytes)) return false;
      step_ = Step::kValueLength;
      [[fallthrough]];
    case Step::kValueLength:
      if (!gather(bytes, kValueLengthBytes)) return false;
      begin_value();
      if (fault_ == FrameFault::kHopelessValue) return true;
      step_ = Step::kValue;
      [[fallthrough]];
    case Step::kValue:
      return value_.take(bytes);
    case Step::kBroken:
      break;
  }
  return false;
}

// The limit is for what is stored.
std::uint32_t FrameReader::longest_value() const {
  const bool has_meta = side_ == Side::kRequests && type_ == kSetMeta;
  return limits_.value_bytes + (has_meta ? std::uint32_t{kMetaBytes} : 0);
}

void FrameReader::begin_value() {
  const auto size = number_at<std::uint32_t>({gathered_bytes_.data(), kValueLengthBytes});
  const bool is_too_long = size > longest_value();
  value_.begin(size, is_too_long || fault_ != FrameFault::kNone);
  if (size > kDiscardFactor * limits_.value_bytes) {
    fault_ = FrameFault::kHopelessValue;
  } else if (is_too_long && fault_ == FrameFault::kNone) {
    fault_ = FrameFault::kValueTooLong;
  }
}

ReceivedFrame FrameReader::finish() {
  const bool is_last = fault_ == FrameFault::kBadType || fault_ == FrameFault::kHopelessValue;
  step_ = is_last ? Step::kBroken : Step::kHead;
  has_ended_ = true;
  return {{type_, rid_, key_.view, value_.view}, fault_};
}

void append_frame(std::string& out, const Frame& frame) {
  append_head(out, frame, frame.value.size());
  out += frame.value;
}

void append_head(std::string& out, const Frame& frame, std::size_t value_bytes) {
  std::array<char, kHeadBytes> head;
  put_number(head.data(), frame.type);
  put_number(head.data() + 1, frame.rid);
  put_number(head.data() + 5, static_cast<std::uint16_t>(frame.key.size()));
  out.append(head.data(), head.size());
  out += frame.key;
  append_number(out, static_cast<std::uint32_t>(value_bytes));
}

}  // namespace kvs::kv1
