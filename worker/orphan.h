// A worker whose master has died serves on. Of all such workers one, by a lease, answers the
// control socket in the master's place: it gives the heritage to a new master, and tells everybody
// to leave when it is asked to. The others follow what the scoreboard's head says (`leave_by_ms`).
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/channel.h"
#include "common/event.h"
#include "common/heritage.h"
#include "common/unique_fd.h"

namespace drover {

// Until when an orphan is to be gone, nothing: it serves on. A successor has said so; or there are
// workers of a later generation, because the master died over a reload; or of another master, whose
// place this one's had not taken yet when it died: that one is the judge.
[[nodiscard]] std::optional<Millis> orphans_end(const Heritage& heritage, Millis otherwise);
// Whether the generation's acceptor lives.
[[nodiscard]] bool has_acceptor(const Heritage& heritage);

class Orphan final : private Channel::Listener {
 public:
  Orphan(event_base* base, const Heritage& heritage);
  Orphan(const Orphan&) = delete;
  Orphan& operator=(const Orphan&) = delete;
  ~Orphan() = default;

  // Each heartbeat: keeps the lease, or takes it when its holder has been silent.
  void on_heartbeat(Millis now);
  // It leaves: another may answer.
  void retire();
  // Ids of listeners that the new master has no longer, when it was this one that gave it the
  // heritage: their queues are to be emptied.
  [[nodiscard]] const std::vector<std::uint32_t>& removed();

 private:
  void on_control_readable();
  void on_exhausted(int error_number);
  void on_session();
  void on_command(const std::string& command);
  void answer(int status, std::string_view text);
  void end_session();
  void tell_all_to_leave(Millis timeout);
  void give_heritage(pid_t asker);
  void on_message(Message message) override;
  void on_channel_closed() override;

  event_base* base_;
  const Heritage& heritage_;
  bool has_lease_ = false;
  Millis abstains_until_{0};
  RateLimit exhaustion_log_{1, Millis{10'000}};
  UniqueFd session_;  // one at a time; the others wait in the socket's queue
  std::string line_;  // what it has said
  Millis session_deadline_{0};
  std::optional<Channel> to_heir_;
  std::vector<std::uint32_t> removed_;
  Event<&Orphan::on_control_readable> control_readable_;
  Event<&Orphan::on_session> session_event_;
};

}  // namespace drover
