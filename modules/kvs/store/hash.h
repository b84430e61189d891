// The hash of keys and of their prefixes: a polynomial over the bytes, modulo the prime 2^61 - 1,
// at a secret point. One pass over a path gives the hash of each of its prefixes, which a
// longest-prefix search asks for; and who does not know the secret cannot choose keys that fall
// together (two keys of n bytes do for n in 2^58 secrets). Modulo 2^64, which would be faster,
// there are strings that collide at every point.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace kvs {

struct HashSecret {
  std::uint64_t point = 0;
  std::uint64_t whitening = 0;
  bool operator==(const HashSecret&) const = default;
};

class RollingHash {
 public:
  // Of some prefix: to be lengthened by extend(), and to be asked for its hash by finish().
  using State = std::uint64_t;
  static constexpr State kEmpty = 0;

  explicit RollingHash(const HashSecret& secret) : whitening_(secret.whitening) {
    constexpr std::uint64_t kLeastPoint = std::uint64_t{1} << 58;
    powers_[0] = 1;
    powers_[1] = kLeastPoint | (secret.point & (kLeastPoint - 1));
    for (std::size_t i = 2; i < powers_.size(); ++i) {
      powers_[i] = canonical(reduce(Wide{powers_[i - 1]} * powers_[1]));
    }
  }

  // The state is not reduced to the end, which takes half of the time; it stays below 2^62.
  [[nodiscard]] State extend(State state, char byte) const {
    return reduce(Wide{state} * powers_[1] + digit(byte));
  }
  // The same for many bytes, in steps of eight that do not wait for each other.
  [[nodiscard]] State extend(State state, std::string_view bytes) const {
    for (; bytes.size() >= kStep; bytes.remove_prefix(kStep)) {
      Wide sum = Wide{fold(state)} * powers_[kStep];
      for (std::size_t i = 0; i < kStep; ++i) sum += Wide{powers_[kStep - 1 - i]} * digit(bytes[i]);
      state = fold(reduce(sum));
    }
    for (const char byte : bytes) state = extend(state, byte);
    return state;
  }
  // The states of all prefixes that begin with those of `state`: states[i] is that after i more
  // bytes. Has room for bytes.size() + 1. Eight at a time, each from the state before the eight.
  void extend_each(State state, std::string_view bytes, State* states) const {
    *states++ = state;
    for (; bytes.size() >= kStep; bytes.remove_prefix(kStep)) {
      State tail = kEmpty;
      for (std::size_t i = 0; i < kStep; ++i) {
        tail = extend(tail, bytes[i]);
        states[i] = reduce(Wide{fold(state)} * powers_[i + 1] + tail);
      }
      state = states[kStep - 1];
      states += kStep;
    }
    for (const char byte : bytes) *states++ = state = extend(state, byte);
  }
  // Spreads it over all 64 bits (the finaliser of MurmurHash3).
  [[nodiscard]] std::uint64_t finish(State state) const {
    std::uint64_t hash = canonical(state) ^ whitening_;
    hash = (hash ^ (hash >> 33)) * 0xff51afd7ed558ccd;
    hash = (hash ^ (hash >> 33)) * 0xc4ceb9fe1a85ec53;
    return hash ^ (hash >> 33);
  }
  [[nodiscard]] std::uint64_t of(std::string_view bytes) const {
    return finish(extend(kEmpty, bytes));
  }

 private:
  __extension__ using Wide = unsigned __int128;
  static constexpr std::uint64_t kPrime = (std::uint64_t{1} << 61) - 1;
  static constexpr std::size_t kStep = 8;

  // Not zero, so that a byte 0 counts.
  static std::uint64_t digit(char byte) {
    return std::uint64_t{1} + static_cast<unsigned char>(byte);
  }
  // Both keep the value modulo the prime, for 2^61 is 1.
  static std::uint64_t reduce(Wide value) {
    return (static_cast<std::uint64_t>(value) & kPrime) + static_cast<std::uint64_t>(value >> 61);
  }
  static std::uint64_t fold(std::uint64_t value) { return (value & kPrime) + (value >> 61); }
  static std::uint64_t canonical(std::uint64_t value) {
    const std::uint64_t folded = fold(value);
    return folded >= kPrime ? folded - kPrime : folded;
  }

  std::array<std::uint64_t, kStep + 1> powers_{};  // of the secret point
  std::uint64_t whitening_;
};

}  // namespace kvs
