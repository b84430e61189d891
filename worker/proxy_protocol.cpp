#include "worker/proxy_protocol.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <optional>
#include <string>

namespace drover {
namespace {

constexpr std::string_view kSignature1 = "PROXY ";
constexpr std::string_view kSignature2{"\r\n\r\n\0\r\nQUIT\n", 12};
constexpr std::size_t kMaxLine = 107;  // of version 1, with its CR LF
constexpr std::size_t kFixed2 = 16;    // signature, command, family, length

ProxyHeader need_more() { return {}; }

ProxyHeader malformed(const char* error) {
  ProxyHeader header;
  header.state = ProxyHeader::State::kMalformed;
  header.error = error;
  return header;
}

ProxyHeader without_source(std::size_t length) {
  ProxyHeader header;
  header.state = ProxyHeader::State::kComplete;
  header.length = length;
  return header;
}

ProxyHeader with_source(std::size_t length, const PeerAddress& source) {
  ProxyHeader header = without_source(length);
  header.has_source = true;
  header.source = source;
  return header;
}

bool may_become(std::string_view bytes, std::string_view signature) {
  const std::size_t common = std::min(bytes.size(), signature.size());
  return bytes.substr(0, common) == signature.substr(0, common);
}

PeerAddress v4_peer(const void* ip, std::uint16_t port) {
  PeerAddress peer;
  peer.family = AF_INET;
  peer.port = port;
  peer.ip[10] = peer.ip[11] = 0xff;
  std::memcpy(peer.ip.data() + 12, ip, 4);
  return peer;
}

PeerAddress v6_peer(const void* ip, std::uint16_t port) {
  PeerAddress peer;
  peer.family = AF_INET6;
  peer.port = port;
  std::memcpy(peer.ip.data(), ip, 16);
  return peer;
}

std::optional<PeerAddress> peer_from_text(bool is_v6, std::string_view ip, std::uint16_t port) {
  std::array<std::uint8_t, 16> raw{};
  if (inet_pton(is_v6 ? AF_INET6 : AF_INET, std::string(ip).c_str(), raw.data()) != 1) return {};
  return is_v6 ? v6_peer(raw.data(), port) : v4_peer(raw.data(), port);
}

std::optional<std::uint16_t> port_from_text(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (text.empty() || code != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return port;
}

// Cuts the next word off; words are separated by exactly one space.
std::string_view next_word(std::string_view& rest) {
  const std::string_view word = rest.substr(0, rest.find(' '));
  rest.remove_prefix(std::min(rest.size(), word.size() + 1));
  return word;
}

// `line` is what stands between "PROXY " and CR LF.
ProxyHeader parse_line(std::string_view line, std::size_t length) {
  const std::string_view family = next_word(line);
  if (family == "UNKNOWN") return without_source(length);
  if (family != "TCP4" && family != "TCP6") return malformed("version 1: unknown family");
  const bool is_v6 = family == "TCP6";
  const std::string_view source_ip = next_word(line);
  const std::string_view target_ip = next_word(line);
  const auto source_port = port_from_text(next_word(line));
  const auto target_port = port_from_text(line);
  if (!source_port || !target_port) return malformed("version 1: bad port");
  const auto source = peer_from_text(is_v6, source_ip, *source_port);
  if (!source || !peer_from_text(is_v6, target_ip, *target_port)) {
    return malformed("version 1: bad address");
  }
  return with_source(length, *source);
}

ProxyHeader parse_version1(std::string_view bytes) {
  const std::size_t end = bytes.substr(0, kMaxLine).find("\r\n");
  if (end != std::string_view::npos) {
    return parse_line(bytes.substr(kSignature1.size(), end - kSignature1.size()), end + 2);
  }
  return bytes.size() >= kMaxLine ? malformed("version 1: line is too long") : need_more();
}

std::uint8_t byte_at(std::string_view bytes, std::size_t at) {
  return static_cast<std::uint8_t>(bytes[at]);
}

std::uint16_t port_at(std::string_view bytes, std::size_t at) {
  return static_cast<std::uint16_t>(byte_at(bytes, at) << 8 | byte_at(bytes, at + 1));
}

// `body` is the address block, `length` that of the whole header.
ProxyHeader parse_addresses(std::uint8_t family, std::string_view body, std::size_t length) {
  constexpr std::size_t kV4 = 12;  // two addresses, two ports
  constexpr std::size_t kV6 = 36;
  constexpr std::size_t kUnix = 216;  // two paths
  switch (family >> 4) {
    case 0:
      return without_source(length);
    case 1:
      if (body.size() < kV4) return malformed("version 2: address block is too short");
      return with_source(length, v4_peer(body.data(), port_at(body, 8)));
    case 2:
      if (body.size() < kV6) return malformed("version 2: address block is too short");
      return with_source(length, v6_peer(body.data(), port_at(body, 32)));
    case 3: {
      if (body.size() < kUnix) return malformed("version 2: address block is too short");
      PeerAddress peer;
      peer.family = AF_UNIX;
      return with_source(length, peer);
    }
    default:
      return malformed("version 2: unknown family");
  }
}

ProxyHeader parse_version2(std::string_view bytes) {
  if (bytes.size() < kFixed2) return need_more();
  const std::uint8_t command = byte_at(bytes, 12);
  if (command >> 4 != 2) return malformed("version 2: unknown version");
  if ((command & 0xf) > 1) return malformed("version 2: unknown command");
  const std::size_t length = kFixed2 + port_at(bytes, 14);
  if (length > kMaxProxyHeader) return malformed("version 2: header is too long");
  if (bytes.size() < length) return need_more();
  if ((command & 0xf) == 0) return without_source(length);  // LOCAL: the balancer's own check
  return parse_addresses(byte_at(bytes, 13), bytes.substr(kFixed2, length - kFixed2), length);
}

}  // namespace

ProxyHeader parse_proxy_header(std::string_view bytes) {
  const bool is_1 = may_become(bytes, kSignature1);
  const bool is_2 = may_become(bytes, kSignature2);
  if (!is_1 && !is_2) return malformed("no PROXY header");
  if (is_1 && bytes.size() >= kSignature1.size()) return parse_version1(bytes);
  if (is_2 && bytes.size() >= kSignature2.size()) return parse_version2(bytes);
  return need_more();
}

}  // namespace drover
