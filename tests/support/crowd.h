// Many clients at once that each send one byte and wait for it to come back: who was served, who
// was turned away, who still waits. For tests of what happens when there are more than a server
// may take.
#pragma once

#include <string>
#include <vector>

#include "tests/support/client.h"
#include "tests/support/endpoint.h"

namespace drover::test {

struct CrowdOptions {
  size_t count = 1;
  std::vector<std::string> sources = {};  // addresses to come from, taken in turn
  size_t threads = 1;                     // that connect at the same time
};

class Crowd {
 public:
  // Connects all and sends their bytes.
  Crowd(const Endpoint& to, const CrowdOptions& options);

  // Takes the answers that have come, then says how many were served and are still connected.
  size_t served();
  // Those whose connection was refused or ended without an answer, and served ones that ended
  // later.
  [[nodiscard]] size_t turned_away() const { return turned_away_; }
  [[nodiscard]] size_t waiting() const { return waiting_.size(); }

  // Waits until everybody is served or turned away.
  [[nodiscard]] bool wait_until_settled(Millis patience = kPatience);
  // Those that are served leave at once, so that those who wait get their turn, until nobody waits.
  [[nodiscard]] bool take_turns(Millis patience = kPatience);

  // The first `count` of the served close; the others stay.
  void leave(size_t count);
  [[nodiscard]] const std::vector<Client>& served_clients() const { return served_; }
  // Served by now and gone again.
  [[nodiscard]] size_t left() const { return left_; }

 private:
  void look();
  void drop_ended();

  std::vector<Client> waiting_;
  std::vector<Client> served_;
  size_t turned_away_ = 0;
  size_t left_ = 0;
};

}  // namespace drover::test
