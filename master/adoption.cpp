#include "master/adoption.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>

#include "common/address.h"
#include "common/control.h"
#include "common/scm_rights.h"

namespace drover {
namespace {

constexpr Millis kAnswerPatience{5'000};
constexpr Millis kHeritagePatience{5'000};
constexpr int kAskAgain = 100;  // ms

struct Answer {
  std::string text;
  std::vector<UniqueFd> fds;
};

// False: the end of the stream.
Result<bool> receive_more(int fd, Millis deadline, Answer& answer) {
  pollfd ready{fd, POLLIN, 0};
  const Millis left = deadline - monotonic_now();
  if (left <= Millis{0} || poll(&ready, 1, static_cast<int>(left.count())) <= 0)
    return Error("no answer");
  char buffer[1024];
  iovec data{buffer, sizeof buffer};
  DescriptorRoom<1> room;
  msghdr header{};
  header.msg_iov = &data;
  header.msg_iovlen = 1;
  make_room_for_descriptors(header, room.bytes);
  const ssize_t size = recvmsg(fd, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (size < 0) return Error::from_errno("recvmsg");
  answer.text.append(buffer, static_cast<std::size_t>(size));
  for (UniqueFd& each : take_descriptors(header)) answer.fds.push_back(std::move(each));
  return size > 0;
}

Result<Answer> ask(int fd) {
  const std::string line = std::string(kAdoptCommand) + "\n";
  if (send(fd, line.data(), line.size(), MSG_NOSIGNAL) < 0) return Error::from_errno("send");
  Answer answer;
  bool has_more = true;
  while (has_more) {
    DROVER_TRY(has_more, receive_more(fd, monotonic_now() + kAnswerPatience, answer));
  }
  return answer;
}

// "1\nalready running, pid 7\n" without what is for machines.
Error refusal(const Answer& answer, pid_t listener) {
  if (!answer.text.starts_with("1\n"))
    return Error(fmt::format("already running, pid {}, which does not talk to us", listener));
  return Error(answer.text.substr(2, answer.text.find_last_not_of('\n') - 1));
}

Result<std::optional<Adoption>> ask_once(const Address& address, bool& is_worth_another) {
  const UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (connect(fd.get(), address.get(), address.size()) != 0) {
    if (errno == EAGAIN) return Error("already running, and many wait there for an answer");
    return std::optional<Adoption>();
  }
  const pid_t listener = peer_of(fd.get()).pid;
  Result<Answer> answer = ask(fd.get());
  is_worth_another = !answer || answer->text.empty();
  if (!answer)
    return Error(fmt::format("already running, pid {}, which does not answer", listener));
  if (answer->fds.size() != 1) return refusal(*answer, listener);
  DROVER_TRY(Inheritance inheritance,
             receive_heritage(answer->fds.front().get(), kHeritagePatience));
  return std::optional<Adoption>(Adoption{std::move(inheritance), std::move(answer->fds.front())});
}

}  // namespace

// Who hangs up without a word may have been about to leave: then nobody listens there any more, or
// another does.
Result<std::optional<Adoption>> ask_for_heritage(const std::string& control_path) {
  DROVER_TRY(const Address address, Address::parse("unix:" + control_path));
  const Millis deadline = monotonic_now() + kAnswerPatience;
  while (true) {
    bool is_worth_another = false;
    auto found = ask_once(address, is_worth_another);
    if (!is_worth_another || monotonic_now() >= deadline) return found;
    poll(nullptr, 0, kAskAgain);
  }
}

}  // namespace drover
