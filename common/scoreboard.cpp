#include "common/scoreboard.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <new>

#include "common/check.h"
#include "common/fault.h"
#include "common/process.h"
#include "common/sealed_memfd.h"

namespace drover {
namespace {

// Changes with every change of what follows the head that the sizes do not show.
constexpr std::uint32_t kVersion = 2;
constexpr std::uint32_t kLayout = kVersion << 24U | static_cast<std::uint32_t>(sizeof(Scoreboard));
static_assert(sizeof(Scoreboard) < (1U << 24U));

template <class Mapping>
Result<Mapping> map_shared(int fd, std::size_t size) {
  void* memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
  if (memory == MAP_FAILED) return Error::from_errno("mmap of the scoreboard");
  return Mapping(static_cast<typename Mapping::pointer>(memory));
}

}  // namespace

SharedScoreboard make_scoreboard() {
  SharedScoreboard shared;
  auto fd = make_sealed_memfd("drover-scoreboard", sizeof(Scoreboard));
  DROVER_CHECK(fd.ok());
  shared.fd = std::move(fd).value();
  auto mapping = map_shared<ScoreboardMapping>(shared.fd.get(), sizeof(Scoreboard));
  DROVER_CHECK(mapping.ok());
  shared.mapping = std::move(mapping).value();
  new (shared.mapping.get()) Scoreboard;
  shared.mapping->head.layout = kLayout;
  shared.mapping->head.master_pid = getpid();
  return shared;
}

Result<ScoreboardMapping> map_scoreboard(int fd) {
  if (fault("scoreboard")) return Error("the scoreboard has another layout");
  DROVER_TRY(const std::size_t size, size_of_sealed_memfd(fd));
  if (size != sizeof(Scoreboard))
    return Error(fmt::format("the scoreboard has {} bytes, not {}", size, sizeof(Scoreboard)));
  DROVER_TRY(ScoreboardMapping mapping, map_shared<ScoreboardMapping>(fd, sizeof(Scoreboard)));
  if (mapping->head.magic != ScoreboardHead{}.magic || mapping->head.layout != kLayout)
    return Error("the scoreboard has another layout");
  return mapping;
}

Result<HeadMapping> map_scoreboard_head(int fd) {
  DROVER_TRY(const std::size_t size, size_of_sealed_memfd(fd));
  if (size < kScoreboardHead) return Error("it is no scoreboard");
  DROVER_TRY(HeadMapping head, map_shared<HeadMapping>(fd, kScoreboardHead));
  if (head->magic != ScoreboardHead{}.magic) return Error("it is no scoreboard");
  return head;
}

void ScoreboardUnmap::operator()(Scoreboard* board) const { munmap(board, sizeof(Scoreboard)); }

void HeadUnmap::operator()(ScoreboardHead* head) const { munmap(head, kScoreboardHead); }

void tell_to_leave(ScoreboardHead& head, Millis deadline) {
  std::atomic<std::int64_t>& word = head.leave_by_ms;
  if (word.load() == 0 || word.load() > deadline.count()) word = deadline.count();
}

ino_t inode_of_scoreboard(int fd) {
  struct stat status {};
  return fstat(fd, &status) == 0 ? status.st_ino : 0;
}

bool is_alive(const Seat& seat, ino_t inode) {
  return seat.state.load() != SeatState::kFree && has_mapped(seat.pid.load(), inode);
}

bool has_later_generation(const Scoreboard& board, std::uint32_t generation, ino_t inode) {
  return std::ranges::any_of(board.seats, [&](const Seat& seat) {
    return seat.state == SeatState::kServing && seat.slot >= 0 && seat.generation > generation &&
           is_alive(seat, inode);
  });
}

}  // namespace drover
