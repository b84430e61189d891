// Where each strategy is made; strategy.cpp's table names them. Each is defined in the file of its
// name.
#pragma once

#include <cstdint>
#include <memory>

#include "worker/accept/strategy.h"

namespace drover {

[[nodiscard]] std::unique_ptr<Strategy> make_shared_strategy(AcceptHost& host,
                                                             std::uint16_t server);
[[nodiscard]] std::unique_ptr<Strategy> make_exclusive_strategy(AcceptHost& host,
                                                                std::uint16_t server);
[[nodiscard]] std::unique_ptr<Strategy> make_mutex_strategy(AcceptHost& host, std::uint16_t server);
[[nodiscard]] std::unique_ptr<Strategy> make_acceptor_strategy(AcceptHost& host,
                                                               std::uint16_t server);
[[nodiscard]] std::unique_ptr<Strategy> make_reuseport_strategy(AcceptHost& host,
                                                                std::uint16_t server);

}  // namespace drover
