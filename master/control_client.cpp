#include "master/control_client.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <map>

#include "common/address.h"
#include "common/result.h"
#include "common/unique_fd.h"
#include "master/pid_file.h"

namespace drover {
namespace {

struct Answer {
  int status = 1;
  std::string text;
};

Result<UniqueFd> connect_to(const std::string& path) {
  if (path.empty()) return Error("no control socket is configured");
  DROVER_TRY(const Address address, Address::parse("unix:" + path));
  UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (connect(fd.get(), address.get(), address.size()) != 0)
    return Error::from_errno("control socket " + path);
  return fd;
}

// An empty answer means that the master hung up: it refuses other users that way.
Result<Answer> ask(const std::string& path, const std::string& command) {
  DROVER_TRY(const UniqueFd fd, connect_to(path));
  const std::string line = command + "\n";
  if (send(fd.get(), line.data(), line.size(), MSG_NOSIGNAL) < 0)
    return Answer{1, "refused: not your daemon\n"};
  std::string all;
  char buffer[4096];
  ssize_t count = 0;
  while ((count = recv(fd.get(), buffer, sizeof buffer, 0)) > 0)
    all.append(buffer, static_cast<std::size_t>(count));
  if (all.size() < 2) return Answer{1, "refused: only root and the daemon's own user may ask\n"};
  return Answer{all[0] - '0', all.substr(2)};
}

// A command with a flag has no signal: SIGHUP would not plan a reload, it would do it.
Result<Answer> signal_instead(const std::string& pid_file, const std::string& command,
                              const Error& why) {
  static const std::map<std::string, int, std::less<>> kSignals{{"stop", SIGTERM},
                                                                {"quit", SIGQUIT},
                                                                {"reload", SIGHUP},
                                                                {"reopen", SIGUSR1},
                                                                {"upgrade", SIGUSR2}};
  const auto signal_number = kSignals.find(command);
  if (signal_number == kSignals.end() || pid_file.empty()) return why;
  Result<int> pid = read_pid_file(pid_file);
  if (!pid) return Error(why.message() + "; " + pid.error().message());
  if (kill(*pid, signal_number->second) != 0)
    return Error::from_errno(fmt::format("signal to pid {}", *pid));
  return Answer{0, fmt::format("{}; sent SIG{} to pid {}\n", why.message(),
                               sigabbrev_np(signal_number->second), *pid)};
}

}  // namespace

int run_command(const ControlPaths& paths, const std::string& command, bool is_quiet) {
  Result<Answer> answer = ask(paths.control, command);
  if (!answer) answer = signal_instead(paths.pid, command, answer.error());
  if (!answer) {
    fmt::print(stderr, "drover: -s {}: {}\n", command, answer.error().message());
    return 1;
  }
  const bool is_good = answer->status == 0;
  if (!is_quiet || !is_good) std::fputs(answer->text.c_str(), is_good ? stdout : stderr);
  return answer->status;
}

}  // namespace drover
