// A connected socket, within a time.
#pragma once

#include <chrono>

#include "common/address.h"
#include "common/result.h"
#include "common/unique_fd.h"

namespace kvs::client {

// Non-blocking. The error names the address.
[[nodiscard]] drover::Result<drover::UniqueFd> connect_to(const drover::Address& address,
                                                          std::chrono::milliseconds timeout);

}  // namespace kvs::client
