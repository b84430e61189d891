// The PROXY header: no input may crash the parser, and what it answers must be consistent.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "common/check.h"
#include "worker/proxy_protocol.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using State = drover::ProxyHeader::State;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const drover::ProxyHeader header = drover::parse_proxy_header(bytes);
  if (header.state == State::kNeedMore) DROVER_CHECK(size < drover::kMaxProxyHeader);
  if (header.state != State::kComplete) return 0;
  DROVER_CHECK(header.length > 0 && header.length <= size);
  // The header alone says the same, and no part of it is a header already.
  DROVER_CHECK(drover::parse_proxy_header(bytes.substr(0, header.length)).state ==
               State::kComplete);
  DROVER_CHECK(drover::parse_proxy_header(bytes.substr(0, header.length - 1)).state ==
               State::kNeedMore);
  return 0;
}
