// Moving a connection from one instance to another, as the hand-over of connections will.
#include <algorithm>
#include <utility>

#include "testkit.hpp"

namespace drover::testkit {
namespace {

constexpr std::size_t kFirstRoom = 16;  // little: a module that needs more is asked twice

}  // namespace

std::optional<Host::Frozen> Host::freeze(drover_conn conn) {
  Connection& target = at(conn);
  const bool carries = std::ranges::any_of(children_, [conn](const auto& entry) {
    return entry.second.parent == conn && !entry.second.closed;
  });
  const bool may_move = target.is_open && !target.is_closing && !target.ended && !carries;
  if (!may_move || module_.freeze == nullptr) return std::nullopt;
  std::optional<std::string> blob = ask_to_freeze(conn);
  if (!blob) return std::nullopt;

  auto rest = std::make_unique<Connection>(std::move(target));
  target = Connection{};
  target.is_open = true;
  target.state = std::move(rest->state);  // on_close has it still
  if (rest->timer_ms) *rest->timer_ms -= now_ms_;
  close(conn, DROVER_MOVED);
  end_batch();
  return Frozen{module_.freeze_version, std::move(*blob), std::move(rest)};
}

// In memory of exactly that size, so that a sanitizer sees a module write beyond it.
std::optional<std::string> Host::ask_to_freeze(drover_conn conn) {
  for (std::size_t room = kFirstRoom;;) {
    const auto buffer = std::make_unique<char[]>(room);
    const std::int64_t answer =
        module_.freeze(instance_, conn, at(conn).state.get(), buffer.get(), room);
    if (answer < 0 || static_cast<std::size_t>(answer) > DROVER_MOST_FROZEN) return std::nullopt;
    const auto size = static_cast<std::size_t>(answer);
    if (size <= room) return std::string(buffer.get(), size);
    room = size;
  }
}

std::optional<drover_conn> Host::thaw(Frozen frozen) {
  const drover_conn conn = add(frozen.rest->peer);
  Connection& target = at(conn);
  frozen.rest->state = std::move(target.state);
  target = std::move(*frozen.rest);
  if (target.timer_ms) *target.timer_ms += now_ms_;
  target.drain_told = false;
  const bool is_taken = offer_to_thaw(conn, frozen);
  if (!is_taken) {
    target.is_open = false;  // nobody is told of its end
    close(conn, DROVER_RESET);
  } else {
    if (is_draining_) tell_drain(conn);
    settle(conn);
  }
  end_batch();
  return is_taken ? std::optional(conn) : std::nullopt;
}

bool Host::offer_to_thaw(drover_conn conn, const Frozen& frozen) {
  if (module_.thaw == nullptr) return false;
  const auto memory = std::make_unique<char[]>(frozen.blob.size());
  frozen.blob.copy(memory.get(), frozen.blob.size());
  hook_has_run_ = true;
  return module_.thaw(instance_, conn, at(conn).state.get(), frozen.version,
                      {memory.get(), frozen.blob.size()}) != 0;
}

}  // namespace drover::testkit
