#include "worker/orphan.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <map>

#include "common/control.h"
#include "common/master_heritage.h"
#include "common/process.h"
#include "common/scm_rights.h"
#include "worker/accept/lease.h"

namespace drover {
namespace {

constexpr Millis kOrphanLease{2'000};  // a holder that lives renews it eight times in it
constexpr Millis kAskTimeout{5'000};
constexpr Millis kFastLeave{0};
constexpr Millis kExhaustedPause{1'000};  // four heartbeats of each of the others

bool listens(int fd) {
  int value = 0;
  socklen_t size = sizeof value;
  return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &value, &size) == 0 && value != 0;
}

// By `listen` line. A listener that this worker was told to close is one no longer.
std::vector<MasterHeritage::Group> groups_of(const Heritage& heritage) {
  std::map<std::string, MasterHeritage::Group> groups;
  for (const ListenerHeritage& listener : heritage.listeners) {
    if (!listens(listener.fd)) continue;
    const ServerSettings& server = heritage.settings->servers[listener.server];
    const std::string address = server.listens[listener.listen].address.to_string();
    MasterHeritage::Group& group = groups[address];
    group.address = address;
    group.active = listener.active;
    group.members.push_back({listener.id, listener.fd});
  }
  std::vector<MasterHeritage::Group> all;
  for (auto& [address, group] : groups) {
    group.is_steered = group.members.size() > 1;  // it may be, and steering once more harms nothing
    all.push_back(std::move(group));
  }
  return all;
}

bool is_counted(const PredecessorHeritage& predecessor) {
  const auto head = map_scoreboard_head(predecessor.scoreboard_fd);
  return !head.ok() || head.value()->is_counted;
}

MasterHeritage heritage_for_master(const Heritage& mine) {
  MasterHeritage heritage;
  heritage.version = DROVER_VERSION;
  heritage.generation = mine.generation;
  heritage.groups = groups_of(mine);
  for (const ZoneHeritage& zone : mine.zones)
    heritage.zones.push_back({zone.name, zone.size_bytes, zone.fd});
  heritage.predecessors.push_back(
      {mine.scoreboard->head.master_pid.load(), mine.scoreboard_fd, mine.metrics_fd});
  for (const PredecessorHeritage& each : mine.predecessors) {
    if (!is_counted(each)) heritage.predecessors.push_back(each);
  }
  heritage.control = {mine.control_path, mine.control_fd};
  return heritage;
}

void send_answer(int session, std::string_view text, std::span<const int> fds = {}) {
  iovec data{const_cast<char*>(text.data()), text.size()};
  DescriptorRoom<1> room;
  msghdr header{};
  header.msg_iov = &data;
  header.msg_iovlen = 1;
  attach_descriptors(header, room.bytes, fds);
  sendmsg(session, &header, MSG_NOSIGNAL | MSG_DONTWAIT);  // an asker that has gone is not told
}

}  // namespace

std::optional<Millis> orphans_end(const Heritage& heritage, Millis otherwise) {
  const ScoreboardHead& head = heritage.scoreboard->head;
  if (const Millis leave_by{head.leave_by_ms.load()}; leave_by != Millis{0}) return leave_by;
  const bool has_never_been_master =
      heritage.predecessor != nullptr && heritage.predecessor->heir_pid != head.master_pid;
  const bool is_superfluous =
      has_never_been_master ||
      has_later_generation(*heritage.scoreboard, heritage.generation, heritage.scoreboard_inode);
  return is_superfluous ? std::optional(otherwise) : std::nullopt;
}

bool has_acceptor(const Heritage& heritage) {
  return std::ranges::any_of(heritage.scoreboard->seats, [&heritage](const Seat& seat) {
    return seat.is_acceptor && seat.generation == heritage.generation &&
           is_alive(seat, heritage.scoreboard_inode);
  });
}

Orphan::Orphan(event_base* base, const Heritage& heritage) : base_(base), heritage_(heritage) {}

void Orphan::on_heartbeat(Millis now) {
  if (session_.is_open() && now >= session_deadline_) end_session();
  if (now < abstains_until_) return;
  std::atomic<std::uint64_t>& word = heritage_.scoreboard->head.orphan_lease;
  std::uint64_t seen = word.load();
  const Lease lease = Lease::unpack(seen);
  const bool is_mine = lease.holder == heritage_.seat;
  const std::uint64_t renewed = Lease{heritage_.seat, now + kOrphanLease}.pack();
  has_lease_ = (is_mine || lease.is_free(now)) && word.compare_exchange_strong(seen, renewed);
  if (!has_lease_) return control_readable_.stop();
  if (!is_mine) heritage_.log->notice("answering the control socket in place of the master");
  if (heritage_.control_fd < 0 || session_.is_open() || control_readable_.is_pending(EV_READ))
    return;
  control_readable_.start(base_, heritage_.control_fd, EV_READ, this);
}

void Orphan::retire() {
  control_readable_.stop();
  session_event_.stop();
  session_.reset();
  std::uint64_t seen = heritage_.scoreboard->head.orphan_lease.load();
  const bool is_mine = Lease::unpack(seen).holder == heritage_.seat;
  if (is_mine) heritage_.scoreboard->head.orphan_lease.compare_exchange_strong(seen, 0);
  has_lease_ = false;
}

// What the new master has said may be on its way still.
const std::vector<std::uint32_t>& Orphan::removed() {
  if (to_heir_) to_heir_->read_pending();
  return removed_;
}

// A new master may have begun to answer since: it has said so on the board before.
void Orphan::on_control_readable() {
  if (heritage_.scoreboard->head.leave_by_ms.load() != 0) return control_readable_.stop();
  UniqueFd session(accept4(heritage_.control_fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (!session.is_open() && !is_nobody_there(errno)) return on_exhausted(errno);
  if (!session.is_open() || !may_control(peer_of(session.get()))) return;
  session_ = std::move(session);
  line_.clear();
  session_deadline_ = monotonic_now() + kAskTimeout;
  control_readable_.stop();
  session_event_.start(base_, session_.get(), EV_READ, this);
}

// Who asks is still in the queue, and would wake this one again and again: it leaves the lease to
// another, who may have descriptors left.
void Orphan::on_exhausted(int error_number) {
  if (exhaustion_log_.allow(monotonic_now())) {
    heritage_.log->warning("cannot answer the control socket: {}; leaving it to another for {} ms",
                           strerrordesc_np(error_number), kExhaustedPause.count());
  }
  abstains_until_ = monotonic_now() + kExhaustedPause;
  retire();
}

void Orphan::on_session() {
  char buffer[512];
  const ssize_t size = recv(session_.get(), buffer, sizeof buffer, MSG_DONTWAIT);
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (size <= 0 || line_.size() + static_cast<std::size_t>(size) > kMaxControlLine)
    return end_session();
  line_.append(buffer, static_cast<std::size_t>(size));
  const std::size_t end = line_.find('\n');
  if (end == std::string::npos) return;
  on_command(line_.substr(0, end));
  end_session();
}

void Orphan::end_session() {
  session_event_.stop();
  session_.reset();
  if (has_lease_) control_readable_.start(base_, heritage_.control_fd, EV_READ, this);
}

void Orphan::on_command(const std::string& command) {
  if (command == kAdoptCommand) return give_heritage(peer_of(session_.get()).pid);
  if (command == "stop") return tell_all_to_leave(kFastLeave);
  if (command == "quit") return tell_all_to_leave(heritage_.settings->worker_shutdown_timeout);
  answer(1,
         "the master is gone and its workers serve on: start drover again, and it takes over "
         "(or end them with -s quit or -s stop)\n");
}

void Orphan::answer(int status, std::string_view text) {
  send_answer(session_.get(), fmt::format("{}\n{}", status, text));
}

// The workers see it at their next heartbeat, and so does whoever was master before.
void Orphan::tell_all_to_leave(Millis timeout) {
  const Millis deadline = monotonic_now() + timeout;
  tell_to_leave(heritage_.scoreboard->head, deadline);
  for (const PredecessorHeritage& each : heritage_.predecessors) {
    const auto head = map_scoreboard_head(each.scoreboard_fd);
    if (head.ok()) tell_to_leave(*head.value(), deadline);
  }
  answer(0, "the master is gone; its workers have been told to leave\n");
}

// Two masters that have the same sockets would each believe to be the one: the second is told who
// was first.
void Orphan::give_heritage(pid_t asker) {
  std::atomic<std::int32_t>& heir = heritage_.scoreboard->head.heir_pid;
  std::int32_t seen = heir.load();
  const bool is_taken = is_running(seen) || !heir.compare_exchange_strong(seen, asker);
  if (is_taken) return answer(1, fmt::format("pid {} is taking over already\n", heir.load()));
  Result<SocketPair> pair = make_seqpacket_pair();
  if (!pair) {
    heir = 0;
    return answer(1, pair.error().message() + "\n");
  }
  heritage_.log->notice("giving the heritage to pid {}", asker);
  const int end = pair->second.get();
  send_answer(session_.get(), "0\n", {&end, 1});
  Channel::Listener* me = this;
  to_heir_.emplace(base_, std::move(pair->first), me);
  send_heritage(*to_heir_, heritage_for_master(heritage_));
}

// The new master serves.
void Orphan::on_message(Message message) {
  if (message.type != MessageType::kSucceeded) return;
  removed_ = listener_ids(message.body);
  heritage_.scoreboard->head.leave_by_ms =
      (monotonic_now() + heritage_.settings->worker_shutdown_timeout).count();
}

// It has failed, or it serves and has told everybody to leave.
void Orphan::on_channel_closed() {
  if (heritage_.scoreboard->head.leave_by_ms.load() == 0) heritage_.scoreboard->head.heir_pid = 0;
}

}  // namespace drover
