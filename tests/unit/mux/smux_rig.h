// What the tests of smux sessions share: the frames of its Go client, captured, and what lies in a
// session's output.
#pragma once

#include "tests/unit/mux/framed_rig.h"

namespace mux::testing {

inline constexpr auto kHello = "0005 00 01 00000001 68656c6c6f";
inline constexpr auto kEndOf1 = "0000000100000001";

struct Frames {
  std::vector<std::size_t> sizes;
  std::size_t ends = 0;
  std::size_t bytes = 0;
  bool ends_last = false;
};

inline Frames frames_in(std::string_view out) {
  Frames frames;
  while (out.size() >= smux::kHeadBytes) {
    const auto head = smux::head_at(out);
    frames.sizes.push_back(head.length);
    frames.bytes += head.length;
    frames.ends_last = head.flag == 1;
    frames.ends += head.flag;
    out.remove_prefix(smux::kHeadBytes + head.length);
  }
  EXPECT_TRUE(out.empty());
  return frames;
}

// A server's session whose peer is the test.
struct SmuxTest : ::testing::Test {
  Session& session() { return *peer.session; }
  // As much as is taken, again and again.
  std::string answer_with(std::size_t size) {
    const std::string all(size, 'a');
    std::string out;
    for (std::size_t done = 0; done < size;) {
      const std::size_t taken = session().write(peer.stream(1), std::string_view(all).substr(done));
      out += peer.output();
      if (taken == 0 && !peer.session->has_output()) break;
      done += taken;
    }
    session().end(peer.stream(1));
    return out + peer.output();
  }
  Peer peer{Kind::kSmux};
};

}  // namespace mux::testing
