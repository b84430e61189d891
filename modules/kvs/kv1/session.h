// One client of KV1: bytes in, answers out; no socket, no loop. Requests are served one after the
// other, so they take effect in the order in which they came. One that has to wait stops those
// behind it: what has come of them is kept, and no more is to be read.
//
// After each call:  is_over() ? send what there is, then close
//                   : stop reading while wait() is not kNothing, and call resume() when it is over
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "modules/kvs/kv1/call.h"
#include "modules/kvs/kv1/frame.h"
#include "modules/kvs/kv1/service.h"

namespace kvs::kv1 {

// How long a request waits for a shard, or for room that is to be free in a moment, before the
// client is told BUSY: it looks in the next turn, and then each kBusyGlance.
inline constexpr std::chrono::milliseconds kBusyPatience{5};
inline constexpr std::chrono::milliseconds kBusyGlance{1};
// A client with nothing under way, when the server goes, may have sent what has not come yet: that
// is waited for so long, and answered SHUTTING_DOWN.
inline constexpr std::chrono::milliseconds kDrainLinger{100};
// A frame up to this size is kept whatever the budget says.
inline constexpr std::size_t kSmallFrame = 4096;

enum class Wait {
  kNothing,
  kShortly,   // until kBusyGlance is over
  kNextTurn,  // until this batch of events is over
  kOutput,    // until the client has taken most of what it was sent, or may_go_on()
};

class Session {
 public:
  explicit Session(Service& service);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // All bytes are taken, and answers are appended.
  void receive(std::string_view bytes, Output& output);
  // What it waited for may be over.
  void resume(Output& output);
  // The client says no more.
  void end(Output& output);
  // No new requests, the server goes: what has come is served, and a frame that has begun. What
  // begins after that is answered SHUTTING_DOWN, and kDrainLinger later it is over. A client of
  // whom nothing has come is served what comes first.
  void drain(Output& output);
  // It has all its time again: what it waits for was not read.
  void prolong();
  // deadline() has passed.
  void time_out(Output& output);

  // Answers count as not taken from when they are given. So whoever sends them says what has become
  // of them, while there are many.
  [[nodiscard]] bool has_counted_output() const { return output_charge_.bytes() > 0; }
  void set_pending(std::size_t pending);
  // Whether what waits for kOutput should try, with what is pending now. Nobody is told when what
  // leaves was less than kWatchedOutput, so this is to be asked when a batch has been sent, and now
  // and then.
  [[nodiscard]] bool may_go_on() const;

  [[nodiscard]] Wait wait() const { return wait_; }
  [[nodiscard]] bool is_over() const { return is_over_; }
  // The client must have sent the rest of its frame by then, or something at all, if the server
  // goes. None: nothing is awaited from it.
  [[nodiscard]] std::optional<Time> deadline() const {
    if (wait_ != Wait::kNothing) return std::nullopt;
    return frame_deadline_ ? frame_deadline_ : linger_until_;
  }

 private:
  void serve(std::string_view& bytes, Output& output);
  [[nodiscard]] bool may_take_on(Client& client, std::size_t taken);
  [[nodiscard]] std::optional<ReceivedFrame> next_frame(std::string_view& bytes);
  void begin(Client& client, const ReceivedFrame& received, std::optional<std::uint64_t> key_hash);
  [[nodiscard]] std::optional<Refusal> refusal_of(const ReceivedFrame& received, const Row* row);
  void start(Client& client, Call call);
  [[nodiscard]] bool has_time(const Call& call);
  // True: it is answered.
  [[nodiscard]] bool advance(Client& client, Call& call);
  [[nodiscard]] bool wait_shortly(Client& client, Call& call);
  [[nodiscard]] bool wait_for(Wait wait) {
    wait_ = wait;
    return false;
  }
  void work(std::string_view bytes, Output& output);
  void begin_drain();
  void settle(const Output& output);
  void charge_frame();
  void set_frame_deadline();
  void linger();
  [[nodiscard]] std::size_t backlog_size() const { return backlog_.size() - backlog_taken_; }
  Client client(Output& output) { return {service_, output, output_charge_, is_known_}; }

  Service& service_;
  FrameReader reader_;
  std::unique_ptr<Call> call_;     // the one that waits
  std::string backlog_;            // input that waits behind it
  std::size_t backlog_taken_ = 0;  // of its bytes
  std::size_t before_drain_ = 0;   // bytes of the backlog that came before drain()
  std::optional<Time> frame_deadline_;
  std::optional<Time> linger_until_;
  Charge frame_charge_;
  Charge backlog_charge_;
  Charge output_charge_;
  Wait wait_ = Wait::kNothing;
  bool is_known_;
  bool is_over_ = false;
  bool has_ended_ = false;   // the client's end has come
  bool has_begun_ = false;   // something has come
  bool must_drain_ = false;  // drain() was called
  bool drains_ = false;      // and no frame that begins from now on is served
  bool is_late_ = false;     // the frame under way began after drain()
};

}  // namespace kvs::kv1
