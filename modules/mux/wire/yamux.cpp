#include "modules/mux/wire/yamux.h"

#include "modules/mux/wire/endian.h"

namespace mux::yamux {

Head head_at(std::string_view bytes) {
  Head head;
  head.version = wire::big_at<std::uint8_t>(bytes);
  head.type = static_cast<Type>(wire::big_at<std::uint8_t>(bytes.substr(1)));
  head.flags = wire::big_at<std::uint16_t>(bytes.substr(2));
  head.id = wire::big_at<std::uint32_t>(bytes.substr(4));
  head.length = wire::big_at<std::uint32_t>(bytes.substr(8));
  return head;
}

void append_head(std::string& out, const Head& head) {
  wire::append_big(out, head.version);
  wire::append_big(out, static_cast<std::uint8_t>(head.type));
  wire::append_big(out, head.flags);
  wire::append_big(out, head.id);
  wire::append_big(out, head.length);
}

}  // namespace mux::yamux
