// The hash of keys and of their prefixes: a polynomial modulo the prime 2^61 - 1, at a secret
// point. Its digits are seven bytes each, which fit below the prime, and with them how many they
// are, so that no two keys have the same digits; the last one may have fewer. One pass over a path
// gives the hash of each of its prefixes, which a longest-prefix search asks for; and who does not
// know the secret cannot choose keys that fall together (two keys of n digits do for n in 2^58
// secrets). Modulo 2^64, which would be faster, there are strings that collide at every point.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

namespace kvs {

struct HashSecret {
  std::uint64_t point = 0;
  std::uint64_t whitening = 0;
  bool operator==(const HashSecret&) const = default;
};

class RollingHash {
 public:
  explicit RollingHash(const HashSecret& secret) : whitening_(secret.whitening) {
    constexpr std::uint64_t kLeastPoint = std::uint64_t{1} << 58;
    powers_[0] = 1;
    powers_[1] = kLeastPoint | (secret.point & (kLeastPoint - 1));
    for (std::size_t i = 2; i < powers_.size(); ++i) {
      powers_[i] = canonical(reduce(Wide{powers_[i - 1]} * powers_[1]));
    }
  }

  [[nodiscard]] std::uint64_t of(std::string_view bytes) const {
    Value value = 0;
    for (; bytes.size() >= kStep * kDigit; bytes.remove_prefix(kStep * kDigit)) {
      value = extend_by_step(value, bytes.data());
    }
    for (; bytes.size() >= kDigit; bytes.remove_prefix(kDigit)) {
      value = extend(value, digit(bytes.data()));
    }
    return finish(value, bytes);
  }

 private:
  friend class PrefixHashes;
  __extension__ using Wide = unsigned __int128;
  // Of whole digits. Not reduced to the end, which takes half of the time; it stays below 2^63.
  using Value = std::uint64_t;
  static constexpr std::uint64_t kPrime = (std::uint64_t{1} << 61) - 1;
  static constexpr std::size_t kDigit = 7;  // bytes
  static constexpr std::size_t kStep = 4;   // digits at once, which do not wait for each other

  static_assert(std::endian::native == std::endian::little, "or the halves below do not meet");
  // In two halves that overlap: seven bytes at once would go through memory.
  static std::uint64_t digit(const char* bytes) {
    return load(bytes) | load(bytes + kDigit - 4) << (8 * (kDigit - 4)) |
           std::uint64_t{kDigit} << 56;
  }
  // Of fewer, but not none: by four that overlap, or, of three at most, the first, the middle one
  // and the last.
  static std::uint64_t short_digit(std::string_view bytes) {
    const std::size_t size = bytes.size();
    const std::uint64_t length = std::uint64_t{size} << 56;
    if (size >= 4) return length | load(bytes.data()) | load(&bytes[size - 4]) << (8 * (size - 4));
    const auto at = [bytes](std::size_t i) {
      return std::uint64_t{static_cast<unsigned char>(bytes[i])} << (8 * i);
    };
    return length | at(0) | at(size / 2) | at(size - 1);
  }
  static std::uint64_t load(const char* bytes) {
    std::uint32_t four = 0;
    std::memcpy(&four, bytes, sizeof four);
    return four;
  }
  [[nodiscard]] Value extend(Value value, std::uint64_t digit) const {
    return reduce(Wide{fold(value)} * powers_[1] + digit);
  }
  [[nodiscard]] Value extend_by_step(Value value, const char* bytes) const {
    Wide sum = Wide{fold(value)} * powers_[kStep];
    for (std::size_t i = 0; i < kStep; ++i) {
      sum += Wide{powers_[kStep - 1 - i]} * digit(bytes + i * kDigit);
    }
    return reduce(sum);
  }
  // With the bytes behind the last whole digit. Times the point once more: of short keys, too, the
  // secret decides which are neighbours. Spread over all 64 bits (the finaliser of MurmurHash3).
  [[nodiscard]] std::uint64_t finish(Value value, std::string_view rest) const {
    if (!rest.empty()) value = extend(value, short_digit(rest));
    std::uint64_t hash = canonical(extend(value, 0)) ^ whitening_;
    hash = (hash ^ (hash >> 33)) * 0xff51afd7ed558ccd;
    hash = (hash ^ (hash >> 33)) * 0xc4ceb9fe1a85ec53;
    return hash ^ (hash >> 33);
  }

  // Both keep the value modulo the prime, for 2^61 is 1. Of less than 2^123 is left less than 2^63,
  // and of 64 bits less than the prime and eight more.
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

// The hashes of all prefixes of a path, each made when it is asked for.
class PrefixHashes {
 public:
  explicit PrefixHashes(const RollingHash& hash) : hash_(hash) {}

  // The bytes stay where they are while prefixes of them are asked for.
  void prepare(std::string_view path) {
    path_ = path;
    values_.resize(path.size() / RollingHash::kDigit + 1);
    for (std::size_t i = 1; i < values_.size(); ++i) {
      values_[i] =
          hash_.extend(values_[i - 1], RollingHash::digit(&path[(i - 1) * RollingHash::kDigit]));
    }
  }
  // What RollingHash::of() makes of that prefix.
  [[nodiscard]] std::uint64_t of(std::size_t length) const {
    const std::size_t digits = length / RollingHash::kDigit;
    const std::size_t begin = digits * RollingHash::kDigit;
    return hash_.finish(values_[digits], path_.substr(begin, length - begin));
  }

 private:
  const RollingHash& hash_;
  std::string_view path_;
  std::vector<RollingHash::Value> values_{0};  // by whole digits; kept for the next path
};

}  // namespace kvs
