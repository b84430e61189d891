#include "modules/mux/wire/smux.h"

#include "modules/mux/wire/endian.h"

namespace mux::smux {

Head head_at(std::string_view bytes) {
  return {.length = wire::big_at<std::uint16_t>(bytes),
          .type = wire::big_at<std::uint8_t>(bytes.substr(2)),
          .flag = wire::big_at<std::uint8_t>(bytes.substr(3)),
          .id = wire::big_at<std::uint32_t>(bytes.substr(4))};
}

void append_head(std::string& out, const Head& head) {
  wire::append_big(out, head.length);
  wire::append_big(out, head.type);
  wire::append_big(out, head.flag);
  wire::append_big(out, head.id);
}

}  // namespace mux::smux
