// What the connections of one server in one worker have together.
#pragma once

#include <string>
#include <vector>

#include "modules/mux/config.h"
#include "modules/mux/metrics.h"

namespace mux {

class CarrierConnection;

struct Service {
  drover::Host host;
  Config config;
  const drover_server* inner = nullptr;  // serves the streams
  Worker worker{};
  Metrics metrics{host};

  std::vector<CarrierConnection*> touched{};    // to be settled at the end of this batch
  std::vector<CarrierConnection*> next_turn{};  // has more to send than one turn's share
  std::vector<CarrierConnection*> slow{};       // ... and a peer that does not keep up
  std::string out{};                            // what is being sent
  Time complained_at{-1'000};                   // the last line in the log that a peer caused
};

}  // namespace mux
