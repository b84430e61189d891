#include "master/post.h"

#include <fmt/format.h>
#include <sys/wait.h>

#include <csignal>
#include <cstring>
#include <utility>

#include "master/process_end.h"

namespace drover {

Status Post::fill() {
  Result<std::unique_ptr<Child>> child = owner_->spawn_for(*this, this);
  if (!child) return std::move(child).error();
  child_ = std::move(child).value();
  return Done{};
}

void Post::replace(Millis drain_deadline) {
  child_->drain(drain_deadline, {});
  leaving_.push_back(std::move(child_));
  on_refill();
}

void Post::drain(Millis deadline, const std::vector<std::uint32_t>& removed_listeners) {
  drain_deadline_ = deadline;
  for (Child* child : children()) child->drain(deadline, removed_listeners);
  const bool is_first = !is_closed_;
  stop_refilling();
  if (is_first && child_ == nullptr) live_once_more();
}

void Post::forgive() {
  policy_ = RestartPolicy();
  if (refill_.is_pending(EV_TIMEOUT)) refill_.start(context_.base, Millis{0}, this);
}

// Once: one that dies whenever it drains must not keep its generation. It is there when this
// returns, so that nobody takes the post for empty meanwhile.
void Post::live_once_more() {
  if (!std::exchange(has_last_life_, false)) return;
  if (const Status filled = fill(); !filled) {
    return context_.log->error("{}: {}", place_.name, filled.error().message());
  }
  context_.log->notice("{} lives once more to drain: pid={}", child_->name(), child_->pid());
  child_->drain(drain_deadline_, {});  // a helper has no listeners
}

std::vector<Child*> Post::children() const {
  std::vector<Child*> all;
  if (child_ != nullptr) all.push_back(child_.get());
  for (const auto& child : leaving_) all.push_back(child.get());
  return all;
}

bool Post::on_exit(pid_t pid, int wait_status) {
  for (auto leaver = leaving_.begin(); leaver != leaving_.end(); ++leaver) {
    if ((*leaver)->pid() != pid) continue;
    past_.add((*leaver)->seat()->counters);
    if (!is_clean_end(wait_status)) on_unexpected_end(**leaver, wait_status);
    leaving_.erase(leaver);
    return true;
  }
  if (child_ == nullptr || child_->pid() != pid) return false;
  child_->hear_last_words();
  // Its last word was that it leaves.
  if (child_ == nullptr || child_->pid() != pid) return on_exit(pid, wait_status);
  past_.add(child_->seat()->counters);
  const std::optional<Millis> served = child_->served();
  const bool was_told = child_->state() == Child::State::kDraining;
  if (!(was_told && is_clean_end(wait_status))) on_unexpected_end(*child_, wait_status);
  const std::string why =
      last_words_.empty() ? child_->name() + " " + describe_end(wait_status) : last_words_;
  last_words_.clear();
  child_.reset();
  if (is_closed_ && !is_clean_end(wait_status)) live_once_more();
  after_end(served, why);
  return true;
}

void Post::after_end(std::optional<Millis> served, const std::string& why) {
  if (!is_closed_) {
    const Millis wait = policy_.after_death(served);
    // Even "at once" goes through the loop: the caller may be walking over the posts.
    refill_.start(context_.base, wait, this);
    if (wait > Millis{0} && log_rate_.allow(monotonic_now())) {
      context_.log->warning("{}: starting the next in {} ms", place_.name, wait.count());
    }
  }
  owner_->on_post_vacated(*this, why);
}

void Post::on_unexpected_end(const Child& child, int wait_status) {
  const auto report = describe_crash(child.seat()->crash);
  if (!is_clean_end(wait_status)) {
    const bool is_signal = WIFSIGNALED(wait_status);
    last_crash_ = Crash{timestamp(),
                        monotonic_now(),
                        child.pid(),
                        is_signal ? signal_name(WTERMSIG(wait_status)) : "",
                        describe_end(wait_status),
                        report};
  }
  if (log_rate_.allow(monotonic_now())) {
    log_end(child, wait_status);
    if (report) log_crash(*context_.log, child.name(), *report);
  }
  owner_->on_child_lost(child, wait_status);
}

void Post::log_end(const Child& child, int wait_status) {
  const std::optional<Millis> served = child.served();
  const std::string life =
      served ? fmt::format("after {} ms of service", served->count()) : "before it was ready";
  context_.log->error("{} ended: pid={} {} {} connections={} suppressed={}", child.name(),
                      child.pid(), describe_end(wait_status), life, child.seat()->live.load(),
                      log_rate_.suppressed());
}

void Post::on_refill() {
  if (is_closed_ || child_ != nullptr) return;
  ++restarts_;
  Status filled = fill();
  if (!filled) return after_end(std::nullopt, filled.error().message());
  not_ready_.start(context_.base, ready_timeout_, this);
}

void Post::on_not_ready_in_time() {
  if (child_ == nullptr || child_->state() != Child::State::kStarting) return;
  context_.log->error("{} not ready: pid={} after {} ms, killing it", child_->name(), child_->pid(),
                      ready_timeout_.count());
  child_->kill_as_hung(SIGKILL);
}

void Post::on_child_ready(Child& child) {
  if (restarts_ > 0) context_.log->info("{} ready: pid={}", child.name(), child.pid());
  owner_->on_post_ready(*this);
}

void Post::on_child_failed(Child& child, const std::string& why) {
  last_words_ = why;
  if (log_rate_.allow(monotonic_now())) context_.log->error("{} failed: {}", child.name(), why);
}

void Post::on_child_leaving(Child& child) {
  if (&child != child_.get()) return;
  context_.log->notice("{} drains on its own: pid={}", child.name(), child.pid());
  leaving_.push_back(std::move(child_));
  if (is_closed_) {
    live_once_more();
  } else {
    refill_.start(context_.base, Millis{0}, this);
  }
  owner_->on_post_vacated(*this, "drains on its own");
}

void Post::on_child_reopened_logs(Child& child, std::uint64_t serial) {
  owner_->on_logs_reopened(child.pid(), serial);
}

}  // namespace drover
