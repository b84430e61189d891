#include "tests/support/access_lines.h"

#include <array>
#include <cinttypes>
#include <cstdio>
#include <sstream>

#include "tests/support/failure.h"
#include "tests/support/files.h"

namespace drover::test {
namespace {

AccessLine parse(const std::string& text) {
  std::array<char, 128> time{};
  std::array<char, 128> peer{};
  std::array<char, 128> server{};
  std::array<char, 128> reason{};
  AccessLine line;
  int end = 0;
  const int fields =
      std::sscanf(text.c_str(),
                  "%127s %127s %127s in=%" SCNd64 " out=%" SCNd64 " ms=%" SCNd64 " reason=%127s%n",
                  time.data(), peer.data(), server.data(), &line.bytes_in, &line.bytes_out,
                  &line.duration_ms, reason.data(), &end);
  if (fields != 7 || static_cast<size_t>(end) != text.size()) fail("no access line: " + text);
  line.time = time.data();
  line.peer = peer.data();
  line.server = server.data();
  line.reason = reason.data();
  return line;
}

}  // namespace

std::vector<AccessLine> read_access_log(const std::string& path) {
  const std::string text = read_file(path);
  std::istringstream whole(text.substr(0, text.rfind('\n') + 1));
  std::vector<AccessLine> lines;
  for (std::string line; std::getline(whole, line);) lines.push_back(parse(line));
  return lines;
}

std::vector<AccessLine> wait_for_access_lines(const std::string& path, size_t count,
                                              Millis patience) {
  std::vector<AccessLine> lines;
  const bool all = wait_until(
      [&] {
        lines = read_access_log(path);
        return lines.size() >= count;
      },
      patience, Millis{20});
  if (!all)
    fail(path + ": " + std::to_string(lines.size()) + " of " + std::to_string(count) + " lines");
  return lines;
}

}  // namespace drover::test
