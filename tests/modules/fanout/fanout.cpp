// Tells each line of any client to all clients of all workers, but answers these itself:
//   who      "SLOT/SLOTS"
//   dropped  how many lines were dropped, because the ring of some worker was full
//
// Each worker has a ring in the zone "fanout", which it claims when it starts, from whoever left
// or died; who has a line puts it into every ring that is claimed, its own too, and rings all
// doorbells. A worker that does not read loses lines for its own clients, and nobody else waits.
//
// During a reload the workers of both generations have rings, so the clients of an old one are
// told every line until they leave, and their lines are told to all. Only the doorbell does not
// reach the other generation: what came from there is found by a timer, kGlance later at most.
#include <array>
#include <deque>
#include <set>
#include <stdexcept>
#include <string>

#include "modules/sdk/module.hpp"
#include "modules/sdk/ring.hpp"
#include "tests/modules/lines.hpp"

namespace {

constexpr std::chrono::milliseconds kGlance{50};
constexpr std::size_t kMembers = 32;  // workers at a time, of all generations
constexpr std::size_t kMostWaiting = 1000;
constexpr std::size_t kMostPending = 4 * DROVER_HIGH_WATER;

using MemberRing = drover::Ring<16'384>;

struct Shared {
  std::array<MemberRing, kMembers> rings;
};

class Fanout {
 public:
  explicit Fanout(drover::Host host)
      : host_(host), zone_(host.zone<Shared>("fanout", 1)), mine_(claim_ring()) {
    host_.start_timer(kGlance);
  }
  Fanout(const Fanout&) = delete;
  Fanout& operator=(const Fanout&) = delete;
  ~Fanout() { mine_.resign(); }

  void on_open(drover_conn conn) {
    on_doorbell();  // what was said before it came is not for it
    all_.insert(conn);
  }
  void on_close(drover_conn conn, drover_close_reason /*reason*/) { all_.erase(conn); }

  std::size_t on_data(drover_conn conn, std::string_view bytes) {
    const std::size_t consumed =
        for_each_line(bytes, [&](std::string_view line) { obey(conn, line); });
    ring_all();
    return consumed;
  }
  void on_doorbell() {
    mine_.drain([this](std::string_view line) { tell_clients(line); });
  }
  void on_worker_timer(std::uint64_t /*tag*/) {
    for (std::size_t i = 0; i < kMembers; ++i) push_waiting(i);
    on_doorbell();
    host_.start_timer(kGlance);
  }

 private:
  MemberRing& claim_ring() const {
    for (MemberRing& ring : zone_->rings) {
      if (!ring.claim()) continue;
      ring.skip();  // was meant for the clients of another
      return ring;
    }
    throw std::runtime_error("fanout: too many workers");
  }

  void obey(drover_conn conn, std::string_view line) {
    if (line == "who") {
      return answer(conn, std::to_string(host_.slot()) + "/" + std::to_string(host_.slots()));
    }
    if (line == "dropped") return answer(conn, std::to_string(dropped()));
    for (std::size_t i = 0; i < kMembers; ++i) {
      if (zone_->rings[i].is_claimed()) tell_member(i, line);
    }
  }
  void answer(drover_conn conn, const std::string& text) { host_.write(conn, text + "\n"); }
  [[nodiscard]] std::uint64_t dropped() const {
    std::uint64_t sum = 0;
    for (const MemberRing& ring : zone_->rings) sum += ring.dropped();
    return sum;
  }

  // In order behind what waits for that ring, because another was stopped while writing to it.
  void tell_member(std::size_t member, std::string_view line) {
    std::deque<std::string>& waiting = waiting_[member];
    if (waiting.size() < kMostWaiting) waiting.emplace_back(line);
    push_waiting(member);
  }
  void push_waiting(std::size_t member) {
    std::deque<std::string>& waiting = waiting_[member];
    while (!waiting.empty() &&
           zone_->rings[member].push(waiting.front()) != drover::RingPush::kBusy) {
      waiting.pop_front();
    }
  }
  void ring_all() {
    for (std::uint32_t slot = 0; slot < host_.slots(); ++slot) host_.ring(slot);
  }
  void tell_clients(std::string_view line) {
    const std::string text = std::string(line) + "\n";
    for (const drover_conn conn : all_) {
      host_.write(conn, text);
      if (host_.pending_output(conn) > kMostPending) host_.close(conn);  // it does not read
    }
  }

  drover::Host host_;
  drover::Zone<Shared> zone_;
  MemberRing& mine_;
  std::set<drover_conn> all_;
  std::array<std::deque<std::string>, kMembers> waiting_;
};

}  // namespace

DROVER_MODULE(Fanout, "fanout", "1.0");
