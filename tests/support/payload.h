// Random bytes that both ends can compute: the byte at an offset depends only on the seed and the
// offset, so an answer is checked without keeping what was sent.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace drover::test {

class Payload {
 public:
  explicit Payload(std::uint64_t seed) : seed_(seed) {}

  [[nodiscard]] std::string bytes(std::uint64_t offset, size_t size) const;
  // How many leading bytes of `got` are those at `offset`; got.size() when all are right.
  [[nodiscard]] size_t matching(std::uint64_t offset, std::string_view got) const;

 private:
  [[nodiscard]] std::uint64_t word(std::uint64_t index) const;

  std::uint64_t seed_;
};

}  // namespace drover::test
