// This master's word to whoever left it the heritage: the master of an upgrade, or an orphan.
#pragma once

#include <functional>
#include <utility>
#include <vector>

#include "common/channel.h"
#include "common/master_heritage.h"

namespace drover {

class Succession final : private Channel::Listener {
 public:
  // `on_over`: the other one has nothing more to do for us.
  Succession(event_base* base, UniqueFd channel, std::function<void()> on_over)
      : on_over_(std::move(on_over)), channel_(base, std::move(channel), this) {}

  // This master serves; listeners that it has no longer.
  void succeed(const std::vector<std::uint32_t>& removed) {
    channel_.send(MessageType::kSucceeded, as_bytes(removed));
  }

 private:
  void on_message(Message /*message*/) override {}
  void on_channel_closed() override { on_over_(); }

  std::function<void()> on_over_;
  Channel channel_;
};

}  // namespace drover
