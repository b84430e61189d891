// What all connections of a worker share: the loop, the read buffer, the gathered writes of the
// running hook, the table, and the batch. A *batch* is what one epoll_wait returned; the first
// callback of it begins it, and an event that begin_batch() activates runs after all of its
// callbacks and ends it: small writes to connections whose hook was not running are flushed there.
#pragma once

#include <event2/event.h>

#include <algorithm>
#include <memory>
#include <unordered_map>
#include <vector>

#include "common/event.h"
#include "common/log.h"
#include "common/scoreboard.h"
#include "worker/connection_table.h"
#include "worker/lent_input.h"
#include "worker/linger_queue.h"
#include "worker/module_timers.h"
#include "worker/stream_lists.h"
#include "worker/turn_lengths.h"
#include "worker/write_gather.h"

namespace drover {

class Admission;

struct CoreOptions {
  event_base* base = nullptr;
  Log* log = nullptr;
  Seat* seat = nullptr;      // its counters, live and heartbeat are kept here
  std::size_t capacity = 0;  // connections with a socket at most
  std::size_t streams = 0;   // and without
  Millis (*clock)() = &monotonic_now;
};

class ConnectionCore {
 public:
  struct Listener {
    // The callbacks of the batch are over, its writes have left. True: a module was told, and may
    // have written more.
    virtual bool on_batch_ending() = 0;
    // The batch is over; connections may have come and gone.
    virtual void on_batch_end() = 0;

   protected:
    ~Listener() = default;
  };

  static constexpr std::size_t kReadBuffer = std::size_t{256} * 1024;
  static constexpr std::size_t kMaxLeftover = std::size_t{128} * 1024;
  static constexpr std::size_t kHighWater = DROVER_HIGH_WATER;  // pending output: reading stops
  static constexpr std::size_t kLowWater = kHighWater / 4;      // and goes on

  // `listener` may be null; it and what the options name must outlive the core.
  ConnectionCore(const CoreOptions& options, Listener* listener);
  ConnectionCore(const ConnectionCore&) = delete;
  ConnectionCore& operator=(const ConnectionCore&) = delete;

  // Every callback of the loop that may touch connections calls this first.
  void begin_batch();
  // The time when the batch began.
  [[nodiscard]] Millis now() const { return now_; }
  // The time itself.
  [[nodiscard]] Millis clock() const { return options_.clock(); }
  // The loop begins to turn: what has run in this batch so far, the start of modules, is no turn.
  void begin_turning() { turn_began_ = std::chrono::steady_clock::now(); }

  // How long the callbacks of the last batch took.
  [[nodiscard]] std::chrono::microseconds last_turn() const { return last_turn_; }

  // Has connection `index` settled at the end of this batch.
  void settle_later(drover_conn handle) { unsettled_.push_back(handle); }
  // Closes what is past its deadline, gives back shares of limits that were busy, and tells how
  // long turns have been. Every heartbeat.
  void sweep();
  // Ends every connection now. Before the servers go, and before the core does.
  void end_all(drover_close_reason reason);
  // The connection has left the table; gives its number and its share of the limits free, now or
  // later.
  void recycle(std::uint32_t index, Admission& admission);

  [[nodiscard]] event_base* base() const { return options_.base; }
  [[nodiscard]] Log& log() const { return *options_.log; }
  [[nodiscard]] Seat& seat() const { return *options_.seat; }
  [[nodiscard]] SlotCounters& counters() const { return options_.seat->counters; }
  [[nodiscard]] char* read_buffer() const { return read_buffer_.get(); }
  [[nodiscard]] WriteGather& gather() { return gather_; }
  [[nodiscard]] LentInput& lent() { return lent_; }
  [[nodiscard]] ConnectionTable& table() { return table_; }
  [[nodiscard]] ModuleTimers& timers() { return timers_; }
  [[nodiscard]] LingerQueue& lingering() { return lingering_; }
  [[nodiscard]] StreamLists& streams() { return streams_; }
  // Connections with a socket.
  [[nodiscard]] std::size_t sockets() const { return table_.size() - streams_.size(); }
  [[nodiscard]] std::size_t capacity() const {
    return std::min(options_.capacity, sockets() + table_.room());
  }
  [[nodiscard]] bool has_room_for_socket() const { return sockets() < capacity(); }
  [[nodiscard]] bool has_room_for_stream() const {
    return streams_.size() < options_.streams && !table_.is_full();
  }
  // The modules' words for outgoing connections, which are few: not in every connection's record.
  [[nodiscard]] std::unordered_map<drover_conn, std::uint64_t>& tags() { return tags_; }
  // For what a client or a module on its behalf can cause.
  [[nodiscard]] bool may_log() { return client_log_.allow(now_); }

  // Each counter has one writer, so a load and a store are enough.
  template <class Counter>
  static void count(Counter& counter, std::uint64_t by = 1) {
    counter.store(counter.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
  }

 private:
  struct Unreturned {
    std::uint32_t index;
    Admission* admission;
  };
  void on_end_of_batch();
  void settle_round();
  [[nodiscard]] bool may_settle_more() const;
  void on_more_to_settle() { begin_batch(); }
  void account_turn();
  void tell_turn_lengths();

  CoreOptions options_;
  Listener* listener_;
  std::unique_ptr<char[]> read_buffer_;
  WriteGather gather_;
  LentInput lent_;
  ConnectionTable table_;
  ModuleTimers timers_;
  LingerQueue lingering_{*this};
  StreamLists streams_;
  std::unordered_map<drover_conn, std::uint64_t> tags_;
  std::vector<drover_conn> unsettled_;
  std::vector<drover_conn> settling_;  // of the running round
  std::vector<Unreturned> unreturned_;
  RateLimit client_log_{10, Millis{10'000}};
  bool in_batch_ = false;
  Millis now_;
  std::chrono::steady_clock::time_point turn_began_;
  std::chrono::microseconds last_turn_{0};
  TurnLengths turn_lengths_;
  Timer<&ConnectionCore::on_end_of_batch> end_of_batch_;
  Timer<&ConnectionCore::on_more_to_settle> more_to_settle_;
};

}  // namespace drover
