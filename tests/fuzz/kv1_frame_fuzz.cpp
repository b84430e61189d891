// What a client of the key-value module sends: however it is split, the frames are the same.
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "modules/kvs/kv1/frame.h"

namespace {

using kvs::kv1::FrameReader;

constexpr FrameReader::Limits kLimits{.key_bytes = 20, .value_bytes = 40};

struct Events {
  std::string text;

  void read(FrameReader& reader, std::string_view bytes) {
    while (const auto received = reader.next(bytes)) {
      kvs::kv1::append_frame(text, received->frame);
      text += static_cast<char>(received->fault);
    }
  }
};

}  // namespace

// The first byte says how long the pieces are.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::size_t piece = 1 + data[0] % 32;
  FrameReader whole(FrameReader::Side::kRequests, kLimits);
  FrameReader split(FrameReader::Side::kRequests, kLimits);
  Events expected;
  Events seen;
  expected.read(whole, bytes);
  for (std::size_t at = 0; at < bytes.size(); at += piece)
    seen.read(split, std::string(bytes.substr(at, piece)));
  if (seen.text != expected.text || whole.is_inside_frame() != split.is_inside_frame())
    __builtin_trap();
  if (split.held_bytes() > kLimits.key_bytes + kLimits.value_bytes) __builtin_trap();
  return 0;
}
