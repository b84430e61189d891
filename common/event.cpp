#include "common/event.h"

#include <ctime>

namespace drover {

Millis monotonic_now() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);  // cannot fail with this clock
  return Millis{now.tv_sec * 1000 + now.tv_nsec / 1'000'000};
}

EventBase make_event_base() {
  std::unique_ptr<event_config, decltype(&event_config_free)> config(event_config_new(),
                                                                     &event_config_free);
  DROVER_CHECK(config != nullptr);
  event_config_require_features(config.get(), EV_FEATURE_ET | EV_FEATURE_O1);  // epoll
  EventBase base(event_base_new_with_config(config.get()));
  DROVER_CHECK(base != nullptr);
  return base;
}

}  // namespace drover
