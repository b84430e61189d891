// Addresses and ranges from any text: what is read prints to something that is read to the same.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "common/address.h"
#include "common/check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  auto address = drover::Address::parse(text);
  if (address.ok()) {
    DROVER_CHECK(drover::Address::parse(address->to_string()).value() == *address);
    const auto peer = drover::PeerAddress::from(address->get());
    DROVER_CHECK(!peer.to_string().empty());
    DROVER_CHECK(drover::Cidr::parse(peer.ip_to_string())->contains(peer));
  }
  auto cidr = drover::Cidr::parse(text);
  if (cidr.ok()) {
    DROVER_CHECK(drover::Cidr::parse(cidr->to_string())->to_string() == cidr->to_string());
  }
  return 0;
}
