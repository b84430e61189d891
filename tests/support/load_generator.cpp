#include "tests/support/load_generator.h"

#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <utility>

#include "tests/support/failure.h"

namespace drover::test {
namespace {

constexpr int kSources = 8;  // 127.0.0.2 .. 127.0.0.9
constexpr size_t kMostFailuresKept = 10'000;

// The thread must not take signals meant for the test.
void block_signals() {
  sigset_t all;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
}

void add(LoadStats& sum, const LoadStats& more) {
  sum.connected += more.connected;
  sum.completed += more.completed;
  sum.messages += more.messages;
  sum.bytes += more.bytes;
  sum.max_first_byte = std::max(sum.max_first_byte, more.max_first_byte);
  sum.max_answer = std::max(sum.max_answer, more.max_answer);
}

void count(LoadStats& sum, LoadError error) {
  switch (error) {
    case LoadError::kRefused:
      ++sum.refused;
      break;
    case LoadError::kReset:
      ++sum.reset;
      break;
    case LoadError::kTimeout:
      ++sum.timeouts;
      break;
    case LoadError::kWrongBytes:
      ++sum.wrong_bytes;
      break;
    case LoadError::kShortEof:
      ++sum.short_eof;
      break;
  }
}

}  // namespace

LoadGenerator::LoadGenerator(LoadOptions options)
    : options_(std::move(options)),
      random_(static_cast<std::minstd_rand::result_type>(options_.seed)),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      refilled_(Clock::now()),
      swept_(refilled_) {
  if (options_.targets.empty()) fail("a load needs a target");
  thread_ = std::thread([this] { run(); });
}

LoadGenerator::~LoadGenerator() { stop(); }

LoadStats LoadGenerator::stop() {
  stopping_ = true;
  if (thread_.joinable()) thread_.join();
  return stats();
}

LoadStats LoadGenerator::stats() const {
  const std::lock_guard lock(mutex_);
  return stats_;
}

std::vector<LoadFailure> LoadGenerator::failures() const {
  const std::lock_guard lock(mutex_);
  return failures_;
}

void LoadGenerator::reset_latencies() {
  const std::lock_guard lock(mutex_);
  stats_.max_first_byte = stats_.max_answer = Millis{0};
}

bool LoadGenerator::wait_for_completed(std::int64_t count, Millis patience) const {
  const std::int64_t goal = stats().completed + count;
  return wait_until([&] { return stats().completed >= goal; }, patience);
}

void LoadGenerator::run() {
  block_signals();
  while (!is_over()) {
    if (!stopping_) open_new();
    wait_and_advance();
    sweep(Clock::now());
  }
}

bool LoadGenerator::is_over() const { return stopping_ && live_.empty() && waiting_.empty(); }

void LoadGenerator::open_new() {
  Connections again;
  again.swap(waiting_);
  for (auto& connection : again) {
    LoadConnection& started = *connection;
    const bool ok = started.start();
    if (ok) started.watch(epoll_.get());
    (ok ? live_ : waiting_).push_back(std::move(connection));
  }
  refill_tokens(Clock::now());
  while (pinging_live_ < options_.pinging && tokens_ >= 1) {
    open_one(true);
    ++pinging_live_;
  }
  const auto wanted = static_cast<size_t>(options_.concurrency + options_.pinging);
  while (live_.size() + waiting_.size() < wanted && tokens_ >= 1) open_one(false);
}

// A token a connection, a tenth of a second's worth at most: after a stall there is no flood.
void LoadGenerator::refill_tokens(Clock::time_point now) {
  const double rate = options_.connections_per_second;
  const std::chrono::duration<double> passed = now - std::exchange(refilled_, now);
  tokens_ = std::min(tokens_ + passed.count() * rate, rate / 10 + 1);
}

void LoadGenerator::open_one(bool pinging) {
  const auto index = static_cast<size_t>(opened_++);
  tokens_ -= 1;
  LoadPlan plan;
  plan.messages = 1 + static_cast<int>(random_()) % options_.max_messages;
  plan.max_message = options_.max_message;
  plan.end = std::array{LoadPlan::End::kHalfClose, LoadPlan::End::kHalfClose, LoadPlan::End::kClose,
                        LoadPlan::End::kReset}[random_() % 4];
  plan.pinging = pinging;
  plan.pause = options_.ping_pause;
  plan.pings = options_.pings;
  plan.seed = options_.seed * 1'000'003 + index;
  const std::string source =
      "127.0.0." + std::to_string(2 + index / options_.targets.size() % kSources);
  auto connection = std::make_unique<LoadConnection>(
      options_.targets[index % options_.targets.size()], source, plan);
  const bool ok = connection->start();
  if (ok) connection->watch(epoll_.get());
  (ok ? live_ : waiting_).push_back(std::move(connection));
}

void LoadGenerator::wait_and_advance() {
  std::array<epoll_event, 256> events;
  const int count = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), 2);
  for (int i = 0; i < count; ++i) {
    auto* connection = static_cast<LoadConnection*>(events[static_cast<size_t>(i)].data.ptr);
    if (!connection->is_done()) connection->advance();
  }
}

// Every few milliseconds: pauses, deadlines, and what has ended.
void LoadGenerator::sweep(Clock::time_point now) {
  if (now - swept_ < kGlance) return;
  swept_ = now;
  LoadStats news;
  std::vector<LoadFailure> failed;
  int mid_message = 0;
  int pinging = 0;
  if (stopping_) waiting_.clear();
  for (Connections* group : {&live_, &waiting_}) {
    for (auto& connection : *group) {
      if (stopping_) connection->finish();
      connection->tick(now, options_.timeout);
      add(news, connection->take_stats());
      mid_message += connection->is_mid_message() ? 1 : 0;
      pinging += connection->is_pinging() && !connection->is_done() ? 1 : 0;
      if (connection->failure()) failed.push_back(*connection->failure());
    }
    std::erase_if(*group, [](const auto& connection) { return connection->is_done(); });
  }
  mid_message_ = mid_message;
  pinging_live_ = pinging;
  open_ = static_cast<int>(live_.size());
  publish(news, std::move(failed));
}

void LoadGenerator::publish(const LoadStats& news, std::vector<LoadFailure> failed) {
  const std::lock_guard lock(mutex_);
  add(stats_, news);
  for (LoadFailure& failure : failed) {
    count(stats_, failure.error);
    if (failures_.size() < kMostFailuresKept) failures_.push_back(std::move(failure));
  }
}

}  // namespace drover::test
