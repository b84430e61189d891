#include "master/hang_policy.h"

#include <algorithm>

namespace drover {

Millis HangPolicy::age_of(const Vitals& child, Millis now) const {
  return now - std::min(now, std::max(child.last_beat, baseline_));
}

HangVerdict HangPolicy::judge(Millis now, const std::vector<Vitals>& children) {
  if (last_call_.count() >= 0 && now - last_call_ > kLate) baseline_ = now;
  last_call_ = now;
  HangVerdict verdict;
  for (const Vitals& child : children)
    verdict.is_silent.push_back(age_of(child, now) >= steer_after_);
  if (now - last_kill_ < between_kills(now, children)) return verdict;
  verdict.kill = choose_victim(now, children);
  if (verdict.kill) last_kill_ = now;
  return verdict;
}

Millis HangPolicy::between_kills(Millis now, const std::vector<Vitals>& children) const {
  const bool any_healthy = std::any_of(children.begin(), children.end(), [&](const Vitals& child) {
    return child.is_serving && age_of(child, now) < steer_after_;
  });
  return any_healthy ? kBetweenKills : std::max(kBetweenKills, hang_timeout_);
}

std::optional<std::size_t> HangPolicy::choose_victim(Millis now,
                                                     const std::vector<Vitals>& children) const {
  std::optional<std::size_t> stalest;
  for (std::size_t i = 0; i < children.size(); ++i) {
    if (children[i].is_traced || age_of(children[i], now) < hang_timeout_) continue;
    if (!stalest || age_of(children[i], now) > age_of(children[*stalest], now)) stalest = i;
  }
  return stalest;
}

}  // namespace drover
