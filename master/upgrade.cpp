#include "master/upgrade.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <optional>

#include "common/fault.h"
#include "common/process.h"
#include "master/process_end.h"

namespace drover {
namespace {

// What execve takes, made before the fork: the child only copies and calls.
class CharPointers {
 public:
  explicit CharPointers(std::vector<std::string> texts) : texts_(std::move(texts)) {
    for (std::string& text : texts_) pointers_.push_back(text.data());
    pointers_.push_back(nullptr);
  }
  [[nodiscard]] char* const* get() { return pointers_.data(); }

 private:
  std::vector<std::string> texts_;
  std::vector<char*> pointers_;
};

// Descriptors of socket activation have been claimed, and the watchdog's interval is in the
// heritage.
std::vector<std::string> environment_with(int channel_fd) {
  std::vector<std::string> all;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    if (!text.starts_with("LISTEN_") && !text.starts_with("WATCHDOG_")) all.emplace_back(text);
  }
  all.push_back(fmt::format("{}={}", kHeritageVariable, channel_fd));
  return all;
}

// The next binary's configuration may have no limit of its own. Lowering cannot fail, and the hard
// one has only been raised.
void restore_soft_nofile(rlim_t soft) {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = std::min(soft, limit.rlim_max);
  setrlimit(RLIMIT_NOFILE, &limit);
}

// The child's side of fork. What goes wrong is told as the new binary would tell it.
[[noreturn]] void become(event_base* base, const Launch& launch, int channel_fd) {
  CharPointers arguments(launch.arguments);
  CharPointers environment(environment_with(channel_fd));
  shed_parent(base, {channel_fd});
  reset_signals();
  SignalsBlocked::unblock_all();
  fcntl(channel_fd, F_SETFD, 0);
  restore_soft_nofile(launch.soft_nofile);
  if (chdir(launch.folder.c_str()) == 0)
    execve(launch.binary.c_str(), arguments.get(), environment.get());
  const std::string why = fmt::format("cannot run {}: {}", launch.binary, strerrordesc_np(errno));
  const std::string packet = encode_message(MessageType::kRefused, why);
  [[maybe_unused]] const ssize_t sent = write(channel_fd, packet.data(), packet.size());
  _exit(1);
}

}  // namespace

// The name it was called by, which may be a link that will point elsewhere; what was found by the
// PATH is asked of the kernel.
Launch Launch::of_this_process(int argc, char** argv) {
  namespace fs = std::filesystem;
  std::error_code ignored;
  const fs::path folder = fs::current_path(ignored);
  const fs::path itself = fs::read_symlink("/proc/self/exe", ignored);
  const fs::path named = folder / argv[0];
  const bool is_named =
      std::strchr(argv[0], '/') != nullptr && fs::equivalent(named, itself, ignored);
  rlimit descriptors{};
  getrlimit(RLIMIT_NOFILE, &descriptors);
  return {is_named ? named : itself, {argv, argv + argc}, folder, descriptors.rlim_cur};
}

Result<UniqueFd> take_heritage_channel() {
  const char* text = std::getenv(kHeritageVariable);
  if (text == nullptr) return UniqueFd();
  int fd = -1;
  const auto [end, error] = std::from_chars(text, text + std::strlen(text), fd);
  struct stat status {};
  const bool is_socket = error == std::errc() && *end == '\0' && fd > STDERR_FILENO &&
                         fstat(fd, &status) == 0 && S_ISSOCK(status.st_mode);
  if (!is_socket)
    return Error(fmt::format("{}={} in the environment is no channel of a running master",
                             kHeritageVariable, text));
  unsetenv(kHeritageVariable);
  fcntl(fd, F_SETFD, FD_CLOEXEC);
  return UniqueFd(fd);
}

Result<std::unique_ptr<Upgrade>> Upgrade::start(MasterContext& context, const Launch& launch,
                                                const MasterHeritage& heritage, Millis patience,
                                                Owner* owner) {
  DROVER_TRY(SocketPair pair, make_seqpacket_pair());
  const SignalsBlocked blocked;
  const pid_t pid = fault("upgrade_fork") ? (errno = EAGAIN, -1) : fork();
  if (pid < 0) return Error::from_errno("fork");
  if (pid == 0) become(context.base, launch, pair.second.get());
  context.scoreboard->head.heir_pid = pid;  // before it can have anything
  std::unique_ptr<Upgrade> upgrade(
      new Upgrade(context, pid, std::move(pair.first), patience, owner));
  send_heritage(upgrade->channel_, heritage);
  return upgrade;
}

Upgrade::Upgrade(MasterContext& context, pid_t pid, UniqueFd channel, Millis patience, Owner* owner)
    : pid_(pid),
      patience_(patience),
      owner_(owner),
      channel_(context.base, std::move(channel), this) {
  overdue_.start(context.base, patience, this);
}

void Upgrade::on_message(Message message) {
  switch (message.type) {
    case MessageType::kSucceeded:
      if (is_aborted_ || std::exchange(has_succeeded_, true)) return;
      overdue_.stop();
      return owner_->on_upgrade_succeeded(listener_ids(message.body));
    case MessageType::kRefused:
      if (why_not_.empty()) why_not_ = message.body;
      return;
    case MessageType::kSuccessor: {
      const auto body = message.body_as<SuccessorBody>();
      if (!has_succeeded_ || !body.ok()) return;
      pid_ = body.value().pid;
      return owner_->on_successor_changed(pid_);
    }
    default:
      return;  // of a later version
  }
}

void Upgrade::on_overdue() {
  channel_.read_pending();
  if (has_succeeded_) return;
  abort(fmt::format("the new binary did not serve within {} ms", patience_.count()));
}

// Its children are told by the kernel (die_with_parent).
void Upgrade::abort(const std::string& why) {
  if (has_succeeded_) return;
  is_aborted_ = true;
  if (why_not_.empty()) why_not_ = why;
  ::kill(pid_, SIGKILL);
}

bool Upgrade::on_exit(pid_t pid, int wait_status) {
  if (pid != pid_ || has_succeeded_) return false;
  channel_.read_pending();
  if (has_succeeded_) return true;  // it served, and was ended at once
  overdue_.stop();
  const std::string why = why_not_.empty()
                              ? "the new binary " + describe_end(wait_status) + " before it served"
                              : why_not_;
  owner_->on_upgrade_failed(why);
  return true;
}

}  // namespace drover
