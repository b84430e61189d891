#include "tools/kv/bench.h"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <random>
#include <unordered_map>
#include <vector>

#include "common/units.h"
#include "tools/kv/session.h"

namespace drover::kv {
namespace {

using kvs::client::Answer;
using kvs::client::Client;
using kvs::client::Clock;
using kvs::client::Pipeline;

constexpr std::size_t kFillDepth = 512;

std::string key_of(std::int64_t number) { return fmt::format("/drover-kv-bench/{}", number); }

// The same requests in every run.
class Requests {
 public:
  explicit Requests(const BenchPlan& plan)
      : plan_(plan),
        key_(0, plan.keys - 1),
        weight_(0, plan.mix.total() - 1),
        value_(static_cast<std::size_t>(plan.value_bytes), 'v') {}

  Result<std::uint32_t> send_one(Pipeline& pipeline) {
    const std::string key = key_of(key_(random_));
    const std::int64_t weight = weight_(random_);
    if (weight < plan_.mix.get) return pipeline.send(kvs::kv1::kGet, key, {});
    if (weight < plan_.mix.get + plan_.mix.set) return pipeline.send(kvs::kv1::kSet, key, value_);
    return pipeline.send(kvs::kv1::kLpm, key + "/below", {});
  }

 private:
  const BenchPlan& plan_;
  std::mt19937_64 random_;  // seeded with its default, so as to be the same
  std::uniform_int_distribution<std::int64_t> key_;
  std::uniform_int_distribution<std::int64_t> weight_;
  std::string value_;
};

class Bench {
 public:
  Bench(const BenchPlan& plan, std::chrono::milliseconds timeout)
      : plan_(plan), timeout_(timeout), requests_(plan) {}

  Status connect(const Options& options) {
    for (std::int64_t i = 0; i < plan_.connections; ++i) {
      DROVER_TRY(Client client, open_client(options));
      lanes_.push_back(std::make_unique<Lane>(Lane{std::move(client), {}}));
    }
    return Done{};
  }

  // Every key, so that what is read is there.
  Status fill() {
    Pipeline& pipeline = lanes_.front()->client.pipeline();
    const std::string value(static_cast<std::size_t>(plan_.value_bytes), 'v');
    std::int64_t missing = 0;
    for (std::int64_t i = 0; i < plan_.keys; ++i, ++missing) {
      DROVER_TRY_DO(pipeline.send(kvs::kv1::kSet, key_of(i), value));
      if (pipeline.in_flight() < kFillDepth) continue;
      DROVER_TRY_DO(check_stored(pipeline.receive()));
      --missing;
    }
    for (; missing > 0; --missing) DROVER_TRY_DO(check_stored(pipeline.receive()));
    return Done{};
  }

  Result<BenchResult> run() {
    const Clock::time_point start = Clock::now();
    end_ = start + plan_.duration;
    for (const auto& lane : lanes_) DROVER_TRY_DO(top_up(*lane));
    while (in_flight_ > 0) DROVER_TRY_DO(turn());
    result_.elapsed = Clock::now() - start;
    return result_;
  }

 private:
  struct Lane {
    Client client;
    std::unordered_map<std::uint32_t, Clock::time_point> started;  // by RID
  };

  static Status check_stored(const Result<Answer>& answer) {
    if (!answer) return answer.error();
    if (answer.value().status == kvs::kv1::kOk) return Done{};
    return Error(kvs::client::describe(answer.value().status, answer.value().value));
  }

  [[nodiscard]] bool is_enough(Clock::time_point now) const {
    return plan_.duration.count() > 0 ? now >= end_ : issued_ >= plan_.requests;
  }

  Status top_up(Lane& lane) {
    while (lane.started.size() < static_cast<std::size_t>(plan_.depth)) {
      const Clock::time_point now = Clock::now();
      if (is_enough(now)) break;
      DROVER_TRY(const std::uint32_t rid, requests_.send_one(lane.client.pipeline()));
      lane.started.emplace(rid, now);
      ++issued_;
      ++in_flight_;
    }
    lane.client.pipeline().send_some();
    return Done{};
  }

  [[nodiscard]] int timeout_ms() const {  // for poll()
    return static_cast<int>(std::min<std::int64_t>(timeout_.count(), 1 << 30));
  }

  // Waits once and does what can be done.
  Status turn() {
    polls_.clear();
    for (const auto& lane : lanes_) {
      const bool has_output = lane->client.pipeline().has_output();
      polls_.push_back({lane->client.pipeline().fd(),
                        static_cast<short>(has_output ? POLLIN | POLLOUT : POLLIN), 0});
    }
    const int ready = ::poll(polls_.data(), polls_.size(), timeout_ms());
    if (ready < 0 && errno != EINTR) return Error::from_errno("poll");
    if (ready == 0) return Error("no answer within " + format_duration(timeout_));
    for (std::size_t i = 0; i < lanes_.size(); ++i)
      if (polls_[i].revents != 0) DROVER_TRY_DO(serve(*lanes_[i]));
    return Done{};
  }

  Status serve(Lane& lane) {
    DROVER_TRY_DO(lane.client.pipeline().advance());
    const Clock::time_point now = Clock::now();
    while (const auto answer = lane.client.pipeline().take()) count(lane, *answer, now);
    return top_up(lane);
  }

  void count(Lane& lane, const Answer& answer, Clock::time_point now) {
    const auto started = lane.started.find(answer.rid);
    result_.latency.record(
        static_cast<std::uint64_t>(std::chrono::nanoseconds(now - started->second).count()));
    lane.started.erase(started);
    --in_flight_;
    ++result_.requests;
    if (answer.status == kvs::kv1::kNotFound) {
      ++result_.misses;
    } else if (answer.status != kvs::kv1::kOk) {
      ++result_.refused;
    }
  }

  const BenchPlan& plan_;
  std::chrono::milliseconds timeout_;
  Requests requests_;
  std::vector<std::unique_ptr<Lane>> lanes_;
  std::vector<pollfd> polls_;
  Clock::time_point end_;
  std::int64_t issued_ = 0;
  std::int64_t in_flight_ = 0;
  BenchResult result_;
};

}  // namespace

Result<Exit> run_bench(const Options& options) {
  const BenchPlan& plan = options.bench;
  Bench bench(plan, options.timeout);
  DROVER_TRY_DO(bench.connect(options));
  const bool reads = plan.mix.get + plan.mix.lpm > 0;
  if (reads) DROVER_TRY_DO(bench.fill());
  DROVER_TRY(const BenchResult result, bench.run());
  DROVER_TRY_DO(print(options.is_json ? bench_json(result) : bench_text(result)));
  return kDone;
}

}  // namespace drover::kv
