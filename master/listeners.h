// The listening sockets. They belong to the master and stay open across reload and respawn; a
// generation only uses them. A `listen` line is a group: one socket, or one per slot with accept =
// reuseport. Opening is in two steps: open() binds what is new, which harms nobody and can be taken
// back; commit() lets it listen, when the generation is sure.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/heritage.h"
#include "common/master_heritage.h"
#include "common/unique_fd.h"
#include "master/context.h"
#include "master/fd_store.h"

namespace drover {

// The sockets of one address.
class ListenGroup {
 public:
  struct Member {
    std::uint32_t id;
    UniqueFd fd;
    bool is_committed = false;  // belongs to a generation that served; else to one being built
    bool is_lent = false;       // systemd's own, from a socket unit
  };

  ListenGroup(MasterContext& context, const Address& address)
      : context_(context), address_(address) {}
  ListenGroup(const ListenGroup&) = delete;
  ListenGroup& operator=(const ListenGroup&) = delete;

  [[nodiscard]] const std::vector<Member>& members() const { return members_; }
  [[nodiscard]] const Address& address() const { return address_; }
  // One is systemd's own: the group stays, with nobody to serve it, when no server has it any more.
  [[nodiscard]] bool is_lent() const;
  // How many members, from the first, get new connections.
  [[nodiscard]] int active() const { return active_; }

  // A socket of systemd's: one that is here already, or a new member.
  void lend(UniqueFd fd, std::uint32_t& next_id);
  // Members that a predecessor, or systemd, has opened.
  void inherit(const MasterHeritage::Group& group, Inheritance& inheritance, bool from_orphans);
  // For a successor: what a generation that served has.
  [[nodiscard]] MasterHeritage::Group heritage() const;
  // For systemd to keep; it has what it lends anyway.
  [[nodiscard]] std::vector<StoredFd> stored() const;

  // Binds up to `count` members for a generation that is being built; they stay until it is
  // committed or dropped.
  Status plan(int count, const ListenSettings& settings, std::uint32_t& next_id);
  // Gives up what was bound for a generation that is not to be.
  void drop_planned();
  Status listen_all(const ListenSettings& settings);
  // After listen_all(), when the generation is not to be: the committed members listen as before.
  void listen_as_committed();
  // The first `count` members get new connections from now on; the others are surplus.
  void commit(int count, const ListenSettings& settings);
  [[nodiscard]] bool has_surplus() const {
    return members_.size() > static_cast<std::size_t>(std::max(active_, planned_));
  }
  // Takes the surplus out; the ids of what was closed.
  std::vector<std::uint32_t> close_surplus();
  // Steers new connections to the active members whose slots are served.
  void steer(const Board* board);
  // The same once more: another process has steered the group.
  void steer_as_before();
  // Removes the file of a unix socket, unless another has taken its place.
  void unlink_path();

 private:
  [[nodiscard]] Status set_up(const Member& member, const ListenSettings& settings) const;

  MasterContext& context_;
  Address address_;
  std::optional<ListenSettings> committed_;
  std::vector<Member> members_;  // in the order in which they joined the kernel's group
  int active_ = 0;
  int planned_ = 0;  // what a generation that is being built counts on
  bool is_steered_ = false;
  const Board* board_ = nullptr;  // of the last steer()
  std::uint64_t path_inode_ = 0;
};

// What one generation listens on.
struct ListenPlan {
  struct Use {
    std::uint16_t server;
    std::uint16_t listen;
    std::shared_ptr<ListenGroup> group;
    int active;
    const ListenSettings* settings;
  };
  std::vector<Use> uses;

  [[nodiscard]] std::vector<ListenerHeritage> heritage() const;
};

class Listeners {
 public:
  // `close_everywhere` tells every child to let go of a listener.
  Listeners(MasterContext& context, std::function<void(std::uint32_t)> close_everywhere)
      : context_(context), close_everywhere_(std::move(close_everywhere)) {}

  // Binds what the settings need and is not there. An error leaves everything as it was.
  Result<ListenPlan> open(const Settings& settings, int slots);
  // Gives up a plan that was not committed.
  void abandon(const ListenPlan& plan);
  // Lets the plan's sockets listen; an error leaves the old ones as they were. Returns the ids of
  // listeners that are in the plan no longer; the master's own descriptors of them are closed, but
  // not of those that systemd lends.
  Result<std::vector<std::uint32_t>> commit(const ListenPlan& plan, Millis steer_linger);
  [[nodiscard]] std::vector<const ListenGroup*> groups() const;
  // Takes what these servers listen on out of a committed plan, and closes it everywhere; what
  // systemd lends stays here. Not while another plan is open.
  void close(ListenPlan& plan, const std::vector<std::uint32_t>& servers);
  // Follows the board's steered-around slots.
  void steer(const Board* board);
  // Before the first open(): what a predecessor had is not bound anew.
  // What orphans give is a worker's word: only what listens at its address is taken.
  void inherit(Inheritance& inheritance, bool from_orphans);
  // After that, when orphans left it: what systemd lends. They do not know what is lent, and have
  // no more what none of them served.
  void inherit_lent(Inheritance& lent);
  [[nodiscard]] std::vector<MasterHeritage::Group> heritage() const;
  [[nodiscard]] std::vector<StoredFd> stored() const;
  // A successor has them now.
  void let_go() { linger_.stop(), groups_.clear(); }
  // A successor that failed may have set options and steered.
  void put_back();

  // At the master's end: nobody is to connect any more. Returns the ids, for the drain.
  std::vector<std::uint32_t> close_all();

 private:
  static Status listen_all(const ListenPlan& plan);
  void drop(ListenGroup& group);
  void drop_surplus_later();
  void drop_surplus();

  MasterContext& context_;
  std::function<void(std::uint32_t)> close_everywhere_;
  std::map<std::string, std::shared_ptr<ListenGroup>> groups_;
  std::uint32_t next_id_ = 1;
  Millis steer_linger_{0};  // of the generation that serves
  Timer<&Listeners::drop_surplus> linger_;
};

}  // namespace drover
