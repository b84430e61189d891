#include "master/log_reopening.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <utility>

#include "master/log_files.h"

namespace drover {

namespace {

// All of them or none: a log that stayed behind would be one that logrotate compresses under us.
Status open_again(ErrorLog& error_log, const std::vector<Generation*>& generations) {
  DROVER_TRY(Log log, error_log.open_again());
  std::vector<std::vector<UniqueFd>> access_logs;
  for (const Generation* generation : generations) {
    DROVER_TRY(std::vector<UniqueFd> opened, open_access_logs(generation->settings()));
    access_logs.push_back(std::move(opened));
  }
  error_log.use(std::move(log));
  for (std::size_t i = 0; i < generations.size(); ++i) {
    generations[i]->set_access_logs(std::move(access_logs[i]));
  }
  return Done{};
}

void send_logs(Generation& generation, const Log& error_log, std::uint64_t serial) {
  std::vector<int> fds{error_log.fd()};
  for (const int fd : generation.access_log_fds()) fds.push_back(fd);
  for (Child* child : generation.pool().children()) child->reopen_logs(serial, fds);
}

}  // namespace

void LogReopening::begin(ErrorLog& error_log, const std::vector<Generation*>& generations,
                         const Reply& reply) {
  if (Status opened = open_again(error_log, generations); !opened) {
    error_log.log().error("reopen: {}", opened.error().message());
    return reply(1, opened.error().message() + "\n");
  }
  ++serial_;
  waiting_for_.clear();
  for (Generation* generation : generations) {
    for (const Child* child : generation->pool().children()) waiting_for_.insert(child->pid());
    send_logs(*generation, error_log.log(), serial_);
  }
  askers_.push_back(reply);
  timeout_.start(base_, kPatience, this);
  finish_if_complete();
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
