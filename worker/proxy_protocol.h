// The PROXY header (haproxy's proxy-protocol.txt, versions 1 and 2) that a load balancer puts in
// front of a connection to say who its client is. A pure function: bytes in, a verdict out.
#pragma once

#include <cstddef>
#include <string_view>

#include "common/address.h"

namespace drover {

struct ProxyHeader {
  enum class State { kNeedMore, kComplete, kMalformed };
  State state = State::kNeedMore;
  std::size_t length = 0;   // kComplete: bytes of the header; the client's own follow
  bool has_source = false;  // false: LOCAL or UNKNOWN, the peer of the socket stands
  PeerAddress source;
  const char* error = "";  // kMalformed: what is wrong
};

// A header longer than this is refused: its TLVs are nothing that Drover reads.
inline constexpr std::size_t kMaxProxyHeader = 4096;

// `bytes` is everything received so far.
[[nodiscard]] ProxyHeader parse_proxy_header(std::string_view bytes);

}  // namespace drover
