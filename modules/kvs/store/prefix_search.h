// Longest-prefix match: the longest stored key that the asked path begins with. One pass over the
// path gives the hash of each of its prefixes; its directories are walked from the deepest up, and
// only those lengths are looked for that the directory's marker has (markers.h).
//
// A search is many reads while others write. It is accepted when no key was created or deleted
// meanwhile (changes.h). When a change was under way all the time, as that of a stopped writer is,
// two passes must agree: no other change has begun, that one happens at most once, and so what both
// passes saw was so between them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "modules/kvs/store/changes.h"
#include "modules/kvs/store/hash.h"
#include "modules/kvs/store/markers.h"
#include "modules/kvs/store/record.h"

namespace kvs {

enum class Match {
  kByte,     // any prefix
  kSegment,  // one that ends with a segment: /foo for /foo, /foo/ and /foo/bar, not for /foobar
};

struct PrefixMatch {
  std::size_t length = 0;    // of the key
  Record* record = nullptr;  // null: none
};

// Look: how a search sees the store.
//   TailBits tails(hash)       of a directory
//   Record* find(hash, key)    null: not there
//   void prefetch(hash)        the tails of that directory will be asked for
template <class Look>
class PrefixSearch {
 public:
  PrefixSearch(const RollingHash& hash, Look look) : hash_(hash), look_(look) {}

  // None: others changed the keys too often in the meantime. Every attempt is a whole search.
  std::optional<PrefixMatch> find(std::string_view path, Match match, ChangeWatch watch) {
    constexpr int kMostAttempts = 100;
    prepare(path);
    for (int attempt = 0; attempt < kMostAttempts; ++attempt) {
      watch.start();
      const PrefixMatch first = pass(path, match);
      if (watch.is_at_rest() && watch.is_unmoved()) return first;
      if (watch.is_at_rest()) continue;
      // Each longer key was absent before the first pass read what it found, and again after it; one
      // change at most was under way for it, so it was absent at that moment, too. Of the second
      // pass that cannot be said.
      const PrefixMatch second = pass(path, match);
      if (first.length == second.length && watch.is_unmoved()) return first;
    }
    return std::nullopt;
  }
  // Slots that were looked for; for the statistics.
  [[nodiscard]] std::uint64_t probes() const { return probes_; }

 private:
  struct Directory {
    std::size_t length;  // with its '/'
    std::uint64_t hash;
  };

  void prepare(std::string_view path) {
    states_.resize(path.size() + 1);
    hash_.extend_each(RollingHash::kEmpty, path, states_.data());
    directories_.clear();
    add_directory(0);
    for (std::size_t i = 0; i < path.size(); ++i) {
      if (path[i] == '/') add_directory(i + 1);
    }
  }
  void add_directory(std::size_t length) {
    directories_.push_back({length, hash_.finish(states_[length])});
    look_.prefetch(directories_.back().hash);
  }

  // `end`: where the tails of the directory must end, at the next '/'.
  PrefixMatch pass(std::string_view path, Match match) {
    std::size_t end = path.size();
    for (auto directory = directories_.rbegin(); directory != directories_.rend(); ++directory) {
      const std::string_view reach = path.substr(0, end);
      const PrefixMatch found =
          match == Match::kByte ? any_tail(reach, *directory) : whole_tail(reach, *directory);
      if (found.record != nullptr) return found;
      end = directory->length - 1;  // the root is the last one
    }
    return {};
  }

  PrefixMatch any_tail(std::string_view reach, const Directory& directory) {
    const TailBits tails = look_.tails(directory.hash);
    std::size_t most = reach.size() - directory.length;
    for (;;) {
      const std::size_t tail = tails == 0 ? kNoTail : longest_tail(tails, most);
      if (tail == kNoTail) return {};
      const PrefixMatch found = probe(reach.substr(0, directory.length + tail));
      if (found.record != nullptr || tail == 0) return found;
      most = tail - 1;
    }
  }
  // The segment as a whole, or the directory itself.
  PrefixMatch whole_tail(std::string_view reach, const Directory& directory) {
    const TailBits tails = look_.tails(directory.hash);
    PrefixMatch found;
    if ((tails & tail_bit(reach.size() - directory.length)) != 0) found = probe(reach);
    if (found.record != nullptr || (tails & tail_bit(0)) == 0) return found;
    return probe(reach.substr(0, directory.length));
  }

  // There is no empty key.
  PrefixMatch probe(std::string_view key) {
    if (key.empty()) return {};
    ++probes_;
    Record* record = look_.find(hash_.finish(states_[key.size()]), key);
    return record != nullptr ? PrefixMatch{key.size(), record} : PrefixMatch{};
  }

  const RollingHash& hash_;
  Look look_;
  std::vector<RollingHash::State> states_{
      RollingHash::kEmpty};  // by length; kept for the next path
  std::vector<Directory> directories_;
  std::uint64_t probes_ = 0;
};

}  // namespace kvs
