// Streams under load: connections of one protocol on which requests are opened without a pause, by
// a client that does what a correct one does. One that is told to open no more takes a new
// connection and finishes what it has begun on the old one; who has done so many requests leaves;
// some stay for as long as the load does, and every connection has a stream that lasts as long as
// itself and is spoken on in both directions. Every byte is checked, and what did not come is
// told.
#pragma once

#include <future>
#include <iostream>
#include <set>
#include <sstream>

#include "tests/integration/mux_client.h"

namespace drover::test {

class MuxLoad {
 public:
  // What is under way: a test in which nothing is shows nothing.
  struct Moment {
    std::size_t connections = 0;
    std::size_t open = 0;         // streams
    std::size_t lasting = 0;      // ... of them that last
    std::size_t mid_message = 0;  // ... of which bytes were sent that have not come back
  };

  MuxLoad(Daemon& daemon, mux::Protocol protocol) : daemon_(daemon), protocol_(protocol) {
    while (std::ssize(lanes_) < kLanes) connect(staying() < kStaying);
  }

  // True as soon as `done` holds, with the load going on meanwhile.
  template <class Done>
  bool run_until(Done done, Millis patience = kPatience) {
    const auto end = Clock::now() + patience;
    while (!done()) {
      if (Clock::now() >= end) return false;
      turn();
    }
    return true;
  }
  bool run_until_completed(std::size_t more) {
    return run_until([this, wanted = completed_ + more] { return completed_ >= wanted; },
                     Millis{30'000});
  }
  // Waits for a moment that counts, prints it, and begins to watch how few streams there ever are.
  bool wait_for_loaded_moment() {
    const bool is_loaded = run_until([this] {
      const Moment now = moment();
      return now.lasting > 0 && now.open > now.lasting && now.mid_message > 0;
    });
    const Moment now = moment();
    std::cout << "at the event: connections=" << now.connections << " open=" << now.open
              << " lasting=" << now.lasting << " mid-message=" << now.mid_message << "\n";
    least_open_ = now.open;
    for (Lane& lane : lanes_) lane.at_the_event = lane.lasting->received.size();
    return is_loaded;
  }
  // Runs the operator's command with the load going on until it has ended.
  CommandResult run_beside(const std::vector<std::string>& arguments) {
    auto result = std::async(std::launch::async, [&] { return daemon_.run_command(arguments); });
    run_until([&] { return result.wait_for(Millis{0}) == std::future_status::ready; });
    return result.get();
  }
  // Opens no more, and lets all that is under way come to its end.
  bool finish() {
    is_finishing_ = true;
    const bool is_over = run_until([this] { return lanes_.empty(); }, Millis{30'000});
    std::cout << "in all: connections=" << connected_ << " completed=" << completed_
              << " lasting ones across the event=" << across_
              << " fewest open since=" << least_open_ << " told to go elsewhere=" << sent_elsewhere_
              << " lost with their worker=" << excused_ << "\n";
    return is_over;
  }
  // What ends with these is not the daemon's fault.
  void excuse(const std::set<std::string>& connections) { may_end_ = connections; }

  [[nodiscard]] Moment moment() const {
    Moment now{.connections = lanes_.size()};
    for (const Lane& lane : lanes_) {
      count(*lane.lasting, now);
      if (!lane.lasting->has_ended) ++now.lasting;
      for (const MuxStream* request : lane.requests) count(*request, now);
    }
    return now;
  }
  [[nodiscard]] std::set<std::string> connections() const {
    std::set<std::string> names;
    for (const Lane& lane : lanes_) names.insert(lane.name);
    return names;
  }
  [[nodiscard]] const std::string& failures() const { return failures_; }
  [[nodiscard]] const std::set<std::string>& ended() const { return ended_; }
  [[nodiscard]] std::size_t across() const { return across_; }
  [[nodiscard]] std::size_t least_open() const { return least_open_; }

 private:
  static constexpr std::ptrdiff_t kLanes = 8;
  static constexpr std::ptrdiff_t kStaying = 3;    // of them
  static constexpr std::size_t kAtOnce = 4;        // requests on a connection
  static constexpr std::size_t kRequests = 25;     // of a connection that does not stay
  static constexpr std::size_t kLongest = 40'000;  // bytes of one
  // smux answers a stream when it has ended, so that nothing says how far it is.
  static constexpr std::size_t kMostUnanswered = 200'000;

  struct Lane {
    std::unique_ptr<MuxClient> client;
    std::string name;
    bool stays = false;
    MuxStream* lasting = nullptr;
    std::vector<MuxStream*> requests;
    std::size_t opened = 0;
    bool is_leaving = false;  // opens no more: told so, or has done its share
    std::size_t at_the_event = kNever;
  };
  static constexpr std::size_t kNever = ~std::size_t{0};

  static void count(const MuxStream& stream, Moment& now) {
    if (stream.has_ended || stream.is_broken) return;
    ++now.open;
    if (stream.sent > 0 && stream.received.size() < stream.to_send.size()) ++now.mid_message;
  }

  void connect(bool stays) {
    Lane& lane = lanes_.emplace_back();
    lane.client = std::make_unique<MuxClient>(daemon_, protocol_);
    lane.name = lane.client->socket().name();
    lane.stays = stays;
    lane.lasting = lane.client->open(random_bytes(1'000, ++seed_), false);
    ++connected_;
  }

  void turn() {
    wait_for_any();
    for (Lane& lane : lanes_) {
      drive(lane);
      lane.client->turn(Millis{0});
      collect(lane);
    }
    for (Lane& lane : lanes_)
      if (is_over(lane)) end(lane);
    std::erase_if(lanes_, [](const Lane& lane) { return lane.client == nullptr; });
    if (is_finishing_) return;
    while (std::ranges::count(lanes_, false, &Lane::is_leaving) < kLanes)
      connect(staying() < kStaying);
    least_open_ = std::min(least_open_, moment().open);
  }
  [[nodiscard]] std::ptrdiff_t staying() const {
    return std::ranges::count_if(lanes_,
                                 [](const Lane& lane) { return lane.stays && !lane.is_leaving; });
  }

  void wait_for_any() {
    std::vector<pollfd> all;
    for (Lane& lane : lanes_) all.push_back({lane.client->socket().fd(), POLLIN, 0});
    ::poll(all.data(), all.size(), 2);
  }

  void drive(Lane& lane) {
    if (is_finishing_ || (!lane.stays && lane.opened >= kRequests)) lane.is_leaving = true;
    while (!lane.is_leaving && lane.requests.size() < kAtOnce) {
      std::string bytes = next_request();
      MuxStream* request = lane.client->open(bytes);
      if (request == nullptr) {  // the session was told so
        again_.push_back(std::move(bytes));
        lane.is_leaving = true;
        break;
      }
      ++lane.opened;
      lane.requests.push_back(request);
    }
    speak(lane);
  }
  std::string next_request() {
    ++seed_;
    if (again_.empty()) return random_bytes(1 + seed_ * 7'919 % kLongest, seed_);
    std::string bytes = std::move(again_.back());
    again_.pop_back();
    return bytes;
  }
  // The one that lasts ends last: a connection on which it is open has no reason to go.
  void speak(Lane& lane) {
    MuxStream& lasting = *lane.lasting;
    if (lasting.ends || lasting.is_broken) return;
    if (lane.is_leaving && lane.requests.empty() && again_.empty()) {
      return lane.client->end(lasting);
    }
    const bool is_smux = protocol_ == mux::Protocol::kSmux;
    const bool has_answer = lasting.received.size() == lasting.to_send.size();
    const bool may_speak = is_smux ? lasting.to_send.size() < kMostUnanswered : has_answer;
    if (may_speak) lane.client->say(lasting, random_bytes(1'000, ++seed_));
  }

  void collect(Lane& lane) {
    std::erase_if(lane.requests, [&](MuxStream* request) {
      if (!request->has_ended && !request->is_broken) return false;
      judge(lane, *request);
      lane.client->forget(*request);
      return true;
    });
  }
  void judge(Lane& lane, const MuxStream& stream) {
    if (stream.has_ended && stream.received == stream.to_send) {
      ++completed_;
      return;
    }
    const bool may_be_sent_again =
        stream.is_broken && stream.received.empty() && lane.client->open("") == nullptr;
    if (may_be_sent_again) {
      ++sent_elsewhere_;
      again_.push_back(stream.to_send);
      return;
    }
    fail(lane, stream.is_broken ? "was broken off" : "ended", stream);
  }
  void fail(const Lane& lane, const char* how, const MuxStream& stream) {
    std::ostringstream line;
    line << lane.name << ": a stream " << how << " after " << stream.received.size() << " of "
         << stream.to_send.size() << " bytes\n";
    failures_ += line.str();
  }

  [[nodiscard]] static bool is_over(const Lane& lane) {
    return lane.client->has_ended() || lane.lasting->has_ended || lane.lasting->is_broken;
  }
  void end(Lane& lane) {
    const bool has_gone = lane.client->has_ended() && !lane.lasting->has_ended;
    if (has_gone) ended_.insert(lane.name);
    if (has_gone && may_end_.contains(lane.name)) {
      excused_ += lane.requests.size() + 1;
    } else {
      for (const MuxStream* request : lane.requests) fail(lane, "lost its connection", *request);
      judge(lane, *lane.lasting);
      const bool is_across = lane.at_the_event != kNever && lane.lasting->has_ended &&
                             lane.lasting->received.size() > lane.at_the_event;
      if (is_across) ++across_;
    }
    lane.client.reset();
  }

  Daemon& daemon_;
  mux::Protocol protocol_;
  std::vector<Lane> lanes_;
  std::vector<std::string> again_;  // requests that were refused unseen
  std::set<std::string> may_end_;
  std::set<std::string> ended_;  // connections that ended under their streams
  std::string failures_;
  bool is_finishing_ = false;
  std::uint32_t seed_ = 0;
  std::size_t connected_ = 0;
  std::size_t completed_ = 0;
  std::size_t across_ = 0;
  std::size_t least_open_ = kNever;
  std::size_t sent_elsewhere_ = 0;
  std::size_t excused_ = 0;
};

}  // namespace drover::test
