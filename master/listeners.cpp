#include "master/listeners.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <set>
#include <utility>

#include "master/listen_socket.h"
#include "master/steering.h"

namespace drover {
namespace {

constexpr const char* kCannotJoin =
    "a socket that systemd opened as another user cannot be joined with accept = reuseport: take "
    "another strategy, or let the service open its sockets itself";
constexpr std::size_t kMaxSockets = 1024;  // their ids must fit into one kDrain message

std::uint64_t inode_of(const Address& address) {
  struct stat status {};
  const bool is_there = address.is_unix() && lstat(address.path().c_str(), &status) == 0;
  return is_there && S_ISSOCK(status.st_mode) ? status.st_ino : 0;
}

// An orphan may have been told, or may say, anything.
bool listens_on(int fd, const Address& address) {
  sockaddr_storage name{};
  socklen_t size = sizeof name;
  int listens = 0;
  socklen_t listens_size = sizeof listens;
  const bool has_any_port = !address.is_unix() && address.port() == 0;
  return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &listens_size) == 0 && listens != 0 &&
         getsockname(fd, reinterpret_cast<sockaddr*>(&name), &size) == 0 &&
         (has_any_port || Address(reinterpret_cast<const sockaddr*>(&name), size) == address);
}

std::string where(const ListenSettings& settings) {
  return fmt::format("{}: listen {}", settings.source.to_string(), settings.address.to_string());
}

}  // namespace

void ListenGroup::inherit(const MasterHeritage::Group& group, Inheritance& inheritance,
                          bool from_orphans) {
  for (const MasterHeritage::Member& member : group.members) {
    UniqueFd fd = inheritance.claim(member.fd);
    if (from_orphans && !listens_on(fd.get(), address_)) continue;
    members_.push_back({member.id, std::move(fd), true, member.is_lent});
  }
  active_ = std::min(std::max(group.active, 1), static_cast<int>(members_.size()));
  is_steered_ = group.is_steered;
  path_inode_ = inode_of(address_);
}

void ListenGroup::lend(UniqueFd fd, std::uint32_t& next_id) {
  if (!members_.empty()) return void(members_.front().is_lent = true);
  members_.push_back({next_id++, std::move(fd), true, true});
  active_ = 1;
}

MasterHeritage::Group ListenGroup::heritage() const {
  MasterHeritage::Group group{address_.to_string(), active_, is_steered_, {}};
  for (const Member& member : members_) {
    if (member.is_committed) group.members.push_back({member.id, member.fd.get(), member.is_lent});
  }
  return group;
}

std::vector<StoredFd> ListenGroup::stored() const {
  std::vector<StoredFd> all;
  for (const Member& member : members_) {
    if (member.is_committed && !member.is_lent)
      all.push_back({stored_listener_name(member.id, path_inode_), member.fd.get()});
  }
  return all;
}

bool ListenGroup::is_lent() const {
  return std::ranges::any_of(members_, [](const Member& member) { return member.is_lent; });
}

Status ListenGroup::plan(int count, const ListenSettings& settings, std::uint32_t& next_id) {
  planned_ = count;
  while (static_cast<int>(members_.size()) < count) {
    Result<UniqueFd> fd = bind_socket(settings, !members_.empty());
    if (!fd && is_lent())
      return Error(fmt::format("{}: {}; {}", where(settings), fd.error().message(), kCannotJoin));
    if (!fd) return std::move(fd).error().in(where(settings));
    members_.push_back({next_id++, std::move(fd).value(), false});
    path_inode_ = inode_of(address_);
  }
  return Done{};
}

void ListenGroup::drop_planned() {
  planned_ = 0;
  std::erase_if(members_, [](const Member& member) { return !member.is_committed; });
  if (is_steered_) steer(board_);
}

void ListenGroup::commit(int count, const ListenSettings& settings) {
  committed_ = settings;
  active_ = count;
  planned_ = 0;
  for (Member& member : members_) member.is_committed = true;
  steer(nullptr);  // the generation that begins to serve is whole
}

// New members join while the group is steered to the old ones, so that nothing reaches them before
// commit().
Status ListenGroup::listen_all(const ListenSettings& settings) {
  if (active_ > 0) steer(board_);
  for (const Member& member : members_) DROVER_TRY_DO(set_up(member, settings));
  return Done{};
}

Status ListenGroup::set_up(const Member& member, const ListenSettings& settings) const {
  Status applied = apply_listen_options(member.fd.get(), settings);
  if (!applied && member.is_lent)
    return Error(fmt::format("{}: {} (the socket is systemd's: change its socket unit, or this)",
                             where(settings), applied.error().message()));
  if (!applied) return std::move(applied).error().in(where(settings));
  if (!member.is_lent) DROVER_TRY_DO(apply_file_options(settings));
  Status listening = start_listening(member.fd.get(), settings);
  if (!listening) return std::move(listening).error().in(where(settings));
  return Done{};
}

void ListenGroup::listen_as_committed() {
  for (const Member& member : members_) {
    if (!committed_ || !member.is_committed) continue;
    Status restored = set_up(member, *committed_);
    if (!restored) context_.log->warning("not restored: {}", restored.error().message());
  }
}

std::vector<std::uint32_t> ListenGroup::close_surplus() {
  std::vector<std::uint32_t> ids;
  while (has_surplus()) {  // from the back: the kernel fills a hole with its last member, and
                           // indices must not change
    ids.push_back(members_.back().id);
    members_.pop_back();
  }
  return ids;
}

void ListenGroup::steer_as_before() {
  if (members_.size() > 1) is_steered_ = true;
  steer(board_);
}

// Once steered, a group stays steered: a process that is stopped may hold a socket open that
// everybody else has closed, and the kernel's own hash would go on giving it its share.
void ListenGroup::steer(const Board* board) {
  board_ = board;
  if (members_.size() < 2 && !is_steered_) return;
  std::vector<int> everyone;
  std::vector<int> wanted;
  for (int member = 0; member < active_; ++member) {
    const bool is_avoided = active_ > 1 && board != nullptr && board->is_steered_around(member);
    everyone.push_back(member);
    if (!is_avoided) wanted.push_back(member);
  }
  if (wanted.empty()) wanted = everyone;
  if (wanted.empty() || (!is_steered_ && wanted.size() == members_.size())) return;
  is_steered_ = true;
  if (Status steered = steer_to(members_.front().fd.get(), wanted); !steered) {
    context_.log->warning("listen {}: {}", address_.to_string(), steered.error().message());
  }
}

void ListenGroup::unlink_path() {
  if (path_inode_ != 0 && !is_lent() && inode_of(address_) == path_inode_)
    unlink(address_.path().c_str());
}

std::vector<ListenerHeritage> ListenPlan::heritage() const {
  std::vector<ListenerHeritage> all;
  for (const Use& use : uses) {
    for (std::size_t i = 0; i < use.group->members().size(); ++i) {
      const ListenGroup::Member& member = use.group->members()[i];
      all.push_back({member.id, member.fd.get(), use.server, use.listen,
                     static_cast<std::uint16_t>(i), static_cast<std::uint16_t>(use.active)});
    }
  }
  return all;
}

Result<ListenPlan> Listeners::open(const Settings& settings, int slots) {
  ListenPlan plan;
  for (std::size_t s = 0; s < settings.servers.size(); ++s) {
    const ServerSettings& server = settings.servers[s];
    for (std::size_t l = 0; l < server.listens.size(); ++l) {
      const ListenSettings& listen = server.listens[l];
      auto& group = groups_[listen.address.to_string()];
      if (group == nullptr) group = std::make_shared<ListenGroup>(context_, listen.address);
      const int active = server.accept == AcceptStrategy::kReuseport ? slots : 1;
      plan.uses.push_back(
          {static_cast<std::uint16_t>(s), static_cast<std::uint16_t>(l), group, active, &listen});
      if (Status bound = group->plan(active, listen, next_id_); !bound) {
        abandon(plan);
        return std::move(bound).error();
      }
    }
  }
  if (plan.heritage().size() > kMaxSockets) {
    abandon(plan);
    return Error(fmt::format(
        "more than {} listening sockets: fewer servers, or fewer workers with accept = reuseport",
        kMaxSockets));
  }
  return plan;
}

void Listeners::abandon(const ListenPlan& plan) {
  for (const ListenPlan::Use& use : plan.uses) {
    use.group->drop_planned();
    if (!use.group->members().empty()) continue;
    use.group->unlink_path();
    groups_.erase(use.group->address().to_string());
  }
  drop_surplus_later();  // the time may have come while the plan counted on it
}

Status Listeners::listen_all(const ListenPlan& plan) {
  for (const ListenPlan::Use& use : plan.uses) {
    DROVER_TRY_DO(use.group->listen_all(*use.settings));
  }
  return Done{};
}

Result<std::vector<std::uint32_t>> Listeners::commit(const ListenPlan& plan, Millis steer_linger) {
  if (Status listening = listen_all(plan); !listening) {
    for (const ListenPlan::Use& use : plan.uses) use.group->listen_as_committed();
    return std::move(listening).error();
  }
  std::set<std::string> kept;
  for (const ListenPlan::Use& use : plan.uses) {
    use.group->commit(use.active, *use.settings);
    kept.insert(use.group->address().to_string());
  }
  std::vector<std::uint32_t> removed;
  for (const auto& [address, group] : std::map(groups_)) {
    if (kept.count(address) != 0) continue;
    for (const ListenGroup::Member& member : group->members()) removed.push_back(member.id);
    drop(*group);
  }
  steer_linger_ = steer_linger;
  drop_surplus_later();
  return removed;
}

void Listeners::close(ListenPlan& plan, const std::vector<std::uint32_t>& servers) {
  const auto is_closed = [&servers](const ListenPlan::Use& use) {
    return std::ranges::find(servers, use.server) != servers.end();
  };
  std::vector<std::shared_ptr<ListenGroup>> closed;
  for (const ListenPlan::Use& use : plan.uses) {
    if (is_closed(use)) closed.push_back(use.group);
  }
  std::erase_if(plan.uses, is_closed);
  for (const auto& group : closed) {
    drop(*group);
    for (const ListenGroup::Member& member : group->members()) close_everywhere_(member.id);
  }
}

// systemd listens on at what it has lent, so whoever bound there anew would find the address taken.
void Listeners::drop(ListenGroup& group) {
  if (group.is_lent()) return;
  group.unlink_path();
  groups_.erase(group.address().to_string());
}

void Listeners::drop_surplus_later() {
  const bool lingers = std::any_of(groups_.begin(), groups_.end(),
                                   [](const auto& entry) { return entry.second->has_surplus(); });
  if (lingers) linger_.start(context_.base, steer_linger_, this);
}

void Listeners::drop_surplus() {
  for (auto& [address, group] : groups_) {
    for (const std::uint32_t id : group->close_surplus()) close_everywhere_(id);
  }
}

std::vector<const ListenGroup*> Listeners::groups() const {
  std::vector<const ListenGroup*> all;
  for (const auto& [address, group] : groups_) all.push_back(group.get());
  return all;
}

void Listeners::steer(const Board* board) {
  for (auto& [address, group] : groups_) group->steer(board);
}

void Listeners::inherit(Inheritance& inheritance, bool from_orphans) {
  for (const MasterHeritage::Group& group : inheritance.heritage().groups) {
    for (const MasterHeritage::Member& member : group.members)
      next_id_ = std::max(next_id_, member.id + 1);
    const Result<Address> address = Address::parse(group.address);
    if (!address || group.members.empty()) continue;
    auto& mine = groups_[address.value().to_string()];
    mine = std::make_shared<ListenGroup>(context_, address.value());
    mine->inherit(group, inheritance, from_orphans);
    if (mine->members().empty()) groups_.erase(address.value().to_string());
  }
}

void Listeners::inherit_lent(Inheritance& lent) {
  for (const MasterHeritage::Group& group : lent.heritage().groups) {
    const Result<Address> address = Address::parse(group.address);
    if (!address || group.members.empty()) continue;
    auto& mine = groups_[address.value().to_string()];
    if (mine == nullptr) mine = std::make_shared<ListenGroup>(context_, address.value());
    mine->lend(lent.claim(group.members.front().fd), next_id_);
  }
}

std::vector<MasterHeritage::Group> Listeners::heritage() const {
  std::vector<MasterHeritage::Group> all;
  for (const auto& [address, group] : groups_) all.push_back(group->heritage());
  return all;
}

std::vector<StoredFd> Listeners::stored() const {
  std::vector<StoredFd> all;
  for (const auto& [address, group] : groups_)
    std::ranges::move(group->stored(), std::back_inserter(all));
  return all;
}

void Listeners::put_back() {
  for (auto& [address, group] : groups_) group->listen_as_committed(), group->steer_as_before();
}

std::vector<std::uint32_t> Listeners::close_all() {
  std::vector<std::uint32_t> ids;
  for (auto& [address, group] : std::exchange(groups_, {})) {
    for (const ListenGroup::Member& member : group->members()) ids.push_back(member.id);
    group->unlink_path();
  }
  return ids;
}

}  // namespace drover
