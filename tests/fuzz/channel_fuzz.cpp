// A child's packet as the master reads it: any bytes give a message or an error, and reading bodies
// stays in bounds.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "common/channel.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view packet(reinterpret_cast<const char*>(data), size);
  auto message = drover::decode_message(packet);
  if (!message) return 0;
  (void)message->body_as<drover::DrainBody>();
  (void)message->body_as<drover::ReopenBody>();
  if (drover::encode_message(message->type, message->body).size() < message->body.size())
    std::abort();
  return 0;
}
