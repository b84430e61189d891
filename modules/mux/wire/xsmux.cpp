#include "modules/mux/wire/xsmux.h"

#include "modules/mux/wire/endian.h"

namespace mux::xsmux {

Head head_at(std::string_view bytes) {
  return {.version = wire::little_at<std::uint8_t>(bytes),
          .command = static_cast<Command>(wire::little_at<std::uint8_t>(bytes.substr(1))),
          .length = wire::little_at<std::uint16_t>(bytes.substr(2)),
          .id = wire::little_at<std::uint32_t>(bytes.substr(4))};
}

Update update_at(std::string_view bytes) {
  return {.consumed = wire::little_at<std::uint32_t>(bytes),
          .window = wire::little_at<std::uint32_t>(bytes.substr(4))};
}

void append_head(std::string& out, const Head& head) {
  wire::append_little(out, head.version);
  wire::append_little(out, static_cast<std::uint8_t>(head.command));
  wire::append_little(out, head.length);
  wire::append_little(out, head.id);
}

void append_update(std::string& out, const Update& update) {
  wire::append_little(out, update.consumed);
  wire::append_little(out, update.window);
}

}  // namespace mux::xsmux
