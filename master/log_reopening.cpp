#include "master/log_reopening.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <utility>

namespace drover {

std::uint64_t LogReopening::begin(std::set<int> pids, Reply reply) {
  ++serial_;
  waiting_for_ = std::move(pids);
  askers_.push_back(std::move(reply));
  timeout_.start(base_, kPatience, this);
  finish_if_complete();
  return serial_;
}

void LogReopening::on_reopened(int pid, std::uint64_t serial) {
  if (serial != serial_) return;
  on_exit(pid);
}

void LogReopening::on_exit(int pid) {
  if (waiting_for_.erase(pid) > 0) finish_if_complete();
}

void LogReopening::finish_if_complete() {
  if (!waiting_for_.empty()) return;
  timeout_.stop();
  for (const Reply& reply : std::exchange(askers_, {})) reply(0, "logs reopened\n");
}

void LogReopening::on_timeout() {
  const std::string text =
      fmt::format("logs reopened, but not acknowledged within {} s by pid {}\n",
                  kPatience.count() / 1000, fmt::join(waiting_for_, ", "));
  waiting_for_.clear();
  for (const Reply& reply : std::exchange(askers_, {})) reply(1, text);
}

}  // namespace drover
