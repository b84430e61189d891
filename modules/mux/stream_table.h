// The streams of one session, and what they have of the worker: by number, in the order of their
// turns to send, by deadline. It gives back all it counted when it goes.
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "modules/mux/limits.h"
#include "modules/mux/stream.h"

namespace mux {

class StreamTable {
 public:
  StreamTable(const Limits& limits, Worker& worker, Time now);
  ~StreamTable();
  StreamTable(const StreamTable&) = delete;
  StreamTable& operator=(const StreamTable&) = delete;

  // Null: there is none of that number.
  [[nodiscard]] Stream* find(std::uint32_t id) const;
  // There must be none of that number.
  Stream& add(std::uint32_t id);
  // The number is free for another stream; this one stays until remove().
  void release_number(Stream& stream);
  void remove(Stream& stream);
  [[nodiscard]] std::size_t size() const { return numbered_.size() + unnumbered_.size(); }
  [[nodiscard]] std::vector<Stream*> all() const;

  // Whether the peer may open one more; counted when not.
  [[nodiscard]] bool may_open(Time now);

  // Input that waits, which a stream counts in `received`. False: it is over a limit, and not
  // counted.
  [[nodiscard]] bool take_input(std::size_t size_bytes);
  void use_input(Stream& stream, std::size_t size_bytes);
  void drop_input(Stream& stream) { use_input(stream, waiting_input(stream)); }
  // Half of the limit: what is above is for bytes that are under way.
  [[nodiscard]] bool has_input_room() const { return input_ <= limits_.max_session_input / 2; }

  // Output that waits: how much was taken of it, as far as the session and the worker have room.
  [[nodiscard]] std::size_t put(Stream& stream, std::string_view bytes);
  void sent(Stream& stream, std::size_t size_bytes);
  void drop_output(Stream& stream);
  [[nodiscard]] std::size_t output_room() const;

  // The window of a stream that was used up fast enough, if the worker has room for a larger one.
  void grow_window(Stream& stream, Time now);

  // The turns.
  void set_ready(Stream& stream, bool is_ready);
  [[nodiscard]] bool has_ready() const { return turn_ != nullptr; }
  // Whose turn it is; the next is another's. There must be one.
  Stream& take_turn();

  void set_deadline(Stream& stream, std::optional<Time> deadline);
  [[nodiscard]] std::optional<Time> first_deadline() const;
  // One whose deadline is over, without a deadline now. Null: none.
  Stream* take_due(Time now);

 private:
  static std::size_t waiting_input(const Stream& stream) {
    return static_cast<std::size_t>(stream.received - stream.consumed);
  }
  void release(Stream& stream);

  const Limits& limits_;
  Worker& worker_;
  std::unordered_map<std::uint32_t, std::unique_ptr<Stream>> numbered_;
  std::unordered_map<const Stream*, std::unique_ptr<Stream>> unnumbered_;
  std::set<std::pair<Time, Stream*>> deadlines_;
  Stream* turn_ = nullptr;
  std::size_t input_ = 0;
  std::size_t output_ = 0;
  std::uint64_t opens_ = 0;  // that the rate allows, in thousandths
  Time opens_at_;            // when that was so
};

}  // namespace mux
