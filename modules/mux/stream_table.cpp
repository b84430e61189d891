#include "modules/mux/stream_table.h"

#include <algorithm>

namespace mux {
namespace {

constexpr std::uint64_t kOneOpen = 1'000;  // thousandths: a rate a second, per millisecond

std::size_t room_below(std::size_t limit, std::size_t used) {
  return limit - std::min(limit, used);
}

}  // namespace

StreamTable::StreamTable(const Limits& limits, Worker& worker, Time now)
    : limits_(limits),
      worker_(worker),
      opens_(limits.opens_per_second * kOneOpen),
      opens_at_(now) {}

StreamTable::~StreamTable() {
  for (Stream* stream : all()) release(*stream);
}

Stream* StreamTable::find(std::uint32_t id) const {
  const auto found = numbered_.find(id);
  return found == numbered_.end() ? nullptr : found->second.get();
}

Stream& StreamTable::add(std::uint32_t id) {
  auto stream = std::make_unique<Stream>();
  stream->id = id;
  return *(numbered_[id] = std::move(stream));
}

void StreamTable::release_number(Stream& stream) {
  if (find(stream.id) != &stream) return;
  auto node = numbered_.extract(stream.id);
  unnumbered_.emplace(&stream, std::move(node.mapped()));
}

void StreamTable::remove(Stream& stream) {
  release(stream);
  if (find(stream.id) == &stream) {
    numbered_.erase(stream.id);
  } else {
    unnumbered_.erase(&stream);
  }
}

void StreamTable::release(Stream& stream) {
  set_ready(stream, false);
  set_deadline(stream, std::nullopt);
  drop_input(stream);
  drop_output(stream);
  worker_.window_used -= stream.window - std::min(stream.window, kFirstWindow);
  stream.window = 0;
}

std::vector<Stream*> StreamTable::all() const {
  std::vector<Stream*> streams;
  streams.reserve(size());
  for (const auto& [id, stream] : numbered_) streams.push_back(stream.get());
  for (const auto& [key, stream] : unnumbered_) streams.push_back(stream.get());
  return streams;
}

bool StreamTable::may_open(Time now) {
  if (size() >= limits_.max_streams) {
    ++worker_.counts.streams_refused;
    return false;
  }
  const std::uint64_t rate = limits_.opens_per_second;
  if (rate == 0) return true;
  const auto elapsed =
      static_cast<std::uint64_t>(std::clamp(now - opens_at_, Time{0}, Time{1'000}).count());
  opens_ = std::min(opens_ + elapsed * rate, rate * kOneOpen);
  opens_at_ = now;
  if (opens_ < kOneOpen) {
    ++worker_.counts.streams_over_rate;
    return false;
  }
  opens_ -= kOneOpen;
  return true;
}

bool StreamTable::take_input(std::size_t size_bytes) {
  const std::size_t room = std::min(room_below(limits_.max_session_input, input_),
                                    room_below(worker_.memory_limit, worker_.memory_used));
  if (size_bytes > room) return false;
  input_ += size_bytes;
  worker_.memory_used += size_bytes;
  return true;
}

void StreamTable::use_input(Stream& stream, std::size_t size_bytes) {
  const std::size_t size = std::min(size_bytes, waiting_input(stream));
  stream.consumed += size;
  input_ -= size;
  worker_.memory_used -= size;
}

std::size_t StreamTable::output_room() const {
  return std::min(room_below(limits_.max_session_output, output_),
                  room_below(worker_.memory_limit, worker_.memory_used));
}

std::size_t StreamTable::put(Stream& stream, std::string_view bytes) {
  const auto taken = bytes.substr(0, output_room());
  stream.pending += taken;
  output_ += taken.size();
  worker_.memory_used += taken.size();
  return taken.size();
}

// Moved to the front only when that is no more than what has gone.
void StreamTable::sent(Stream& stream, std::size_t size_bytes) {
  stream.sent += size_bytes;
  stream.pending_begin += size_bytes;
  output_ -= size_bytes;
  worker_.memory_used -= size_bytes;
  if (stream.pending_size() == 0) {
    std::string().swap(stream.pending);
    stream.pending_begin = 0;
  } else if (stream.pending_begin > stream.pending_size()) {
    stream.pending.erase(0, stream.pending_begin);
    stream.pending_begin = 0;
  }
}

void StreamTable::drop_output(Stream& stream) {
  const std::uint64_t sent_before = stream.sent;
  sent(stream, stream.pending_size());
  stream.sent = sent_before;
}

void StreamTable::grow_window(Stream& stream, Time now) {
  const std::uint32_t window = stream.window;
  const bool is_fast = now - stream.granted_at <= limits_.window_span;
  const bool may_grow = window <= limits_.max_window / 2 &&
                        window <= room_below(worker_.window_limit, worker_.window_used);
  if (!is_fast || !may_grow) return;
  stream.window = window * 2;
  worker_.window_used += window;
  ++worker_.counts.windows_grown;
}

void StreamTable::set_ready(Stream& stream, bool is_ready) {
  if (stream.is_ready() == is_ready) return;
  if (is_ready && turn_ == nullptr) {
    turn_ = stream.next_ready = stream.previous_ready = &stream;
  } else if (is_ready) {  // the last whose turn it is
    stream.next_ready = turn_;
    stream.previous_ready = turn_->previous_ready;
    turn_->previous_ready->next_ready = &stream;
    turn_->previous_ready = &stream;
  } else {
    stream.previous_ready->next_ready = stream.next_ready;
    stream.next_ready->previous_ready = stream.previous_ready;
    if (turn_ == &stream) turn_ = stream.next_ready == &stream ? nullptr : stream.next_ready;
    stream.next_ready = stream.previous_ready = nullptr;
  }
}

Stream& StreamTable::take_turn() {
  Stream& stream = *turn_;
  turn_ = stream.next_ready;
  return stream;
}

void StreamTable::set_deadline(Stream& stream, std::optional<Time> deadline) {
  if (stream.deadline == deadline) return;
  if (stream.deadline) deadlines_.erase({*stream.deadline, &stream});
  if (deadline) deadlines_.emplace(*deadline, &stream);
  stream.deadline = deadline;
}

std::optional<Time> StreamTable::first_deadline() const {
  if (deadlines_.empty()) return std::nullopt;
  return deadlines_.begin()->first;
}

Stream* StreamTable::take_due(Time now) {
  if (deadlines_.empty() || deadlines_.begin()->first > now) return nullptr;
  Stream* stream = deadlines_.begin()->second;
  set_deadline(*stream, std::nullopt);
  return stream;
}

}  // namespace mux
