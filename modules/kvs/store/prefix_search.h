// Longest-prefix match: the longest stored key that the asked path begins with. One pass over the
// path gives the hash of each of its prefixes; its directories are walked from the deepest up, and
// only those lengths are looked for that the directory's marker has (markers.h).
//
// A search is many reads while others write. It is accepted when no key was created or deleted
// meanwhile (changes.h). When a change was under way all the time, as that of a stopped writer is,
// two passes must agree: no other change has begun, that one happens at most once, and so what both
// passes saw was so between them.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "modules/kvs/store/bucket.h"
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

enum class SearchEnd {
  kDone,
  kUnsettled,  // others changed the keys all the time; another search may do
  kTooCostly,  // the budget was spent by one pass; another search would do no better
};

struct SearchResult {
  SearchEnd end = SearchEnd::kDone;
  PrefixMatch match;  // of kDone
};

// Look: how a search sees the store.
//   TailBits tails(hash)       of a directory
//   Found find(hash, key)      without a record: not there
//   void prefetch(hash)        the tails of that directory will be asked for
template <class Look>
class PrefixSearch {
 public:
  PrefixSearch(const RollingHash& hash, Look look) : hashes_(hash), look_(look) {}

  // What a search may look at, markers and buckets, over all its passes: under a millisecond. Each
  // length is looked for once in a pass, and each directory's marker. So over any path of 2 KiB,
  // whatever is stored, two passes are within it where chains have one bucket, and one pass where
  // they have three. Not so over a path of 64 KiB, or where keys fall into one long chain.
  static constexpr std::size_t kMostLooks = 10'000;

  SearchResult find(std::string_view path, Match match, ChangeWatch watch) {
    constexpr int kMostAttempts = 100;
    prepare(path);
    for (int attempt = 0; attempt < kMostAttempts; ++attempt) {
      watch.start();
      const PrefixMatch first = pass(path, match);
      if (is_spent()) return {attempt == 0 ? SearchEnd::kTooCostly : SearchEnd::kUnsettled, {}};
      if (watch.is_at_rest() && watch.is_unmoved()) return {SearchEnd::kDone, first};
      if (watch.is_at_rest()) continue;
      // Each longer key was absent before the first pass read what it found, and again after it;
      // one change at most was under way for it, so it was absent at that moment, too. Of the
      // second pass that cannot be said.
      const PrefixMatch second = pass(path, match);
      if (is_spent()) break;
      if (first.length == second.length && watch.is_unmoved()) return {SearchEnd::kDone, first};
    }
    return {SearchEnd::kUnsettled, {}};
  }
  // Slots that were looked for; for the statistics.
  [[nodiscard]] std::uint64_t probes() const { return probes_; }

 private:
  struct Directory {
    std::size_t length;  // with its '/'
    std::uint64_t hash;
  };

  void prepare(std::string_view path) {
    looks_left_ = kMostLooks;
    is_spent_ = false;
    hashes_.prepare(path);
    directories_.clear();
    // From the deepest up; what the budget is not enough for, no pass comes to.
    for (std::size_t length = path.size(); directories_.size() <= kMostLooks; --length) {
      if (length == 0 || path[length - 1] == '/') add_directory(length);
      if (length == 0) break;
    }
  }
  void add_directory(std::size_t length) {
    directories_.push_back({length, hashes_.of(length)});
    look_.prefetch(directories_.back().hash);
  }

  // It wanted more than the budget: what such a pass says is nothing.
  [[nodiscard]] bool is_spent() const { return is_spent_; }
  void spend(std::size_t looks) {
    is_spent_ = is_spent_ || looks > looks_left_;
    looks_left_ -= std::min(looks, looks_left_);
  }

  // `end`: where the tails of the directory must end, at the next '/'.
  PrefixMatch pass(std::string_view path, Match match) {
    std::size_t end = path.size();
    for (const Directory& directory : directories_) {
      const std::string_view reach = path.substr(0, end);
      const PrefixMatch found =
          match == Match::kByte ? any_tail(reach, directory) : whole_tail(reach, directory);
      if (found.record != nullptr || is_spent()) return found;
      end = directory.length - 1;  // the root is the last one
    }
    return {};
  }

  PrefixMatch any_tail(std::string_view reach, const Directory& directory) {
    const TailBits tails = tails_of(directory);
    std::size_t most = reach.size() - directory.length;
    for (;;) {
      const std::size_t tail = tails == 0 ? kNoTail : longest_tail(tails, most);
      if (tail == kNoTail) return {};
      const PrefixMatch found = probe(reach.substr(0, directory.length + tail));
      if (found.record != nullptr || tail == 0 || is_spent()) return found;
      most = tail - 1;
    }
  }
  // The segment as a whole, or the directory itself.
  PrefixMatch whole_tail(std::string_view reach, const Directory& directory) {
    const TailBits tails = tails_of(directory);
    const std::size_t tail = reach.size() - directory.length;
    PrefixMatch found;
    if (tail > 0 && (tails & tail_bit(tail)) != 0) found = probe(reach);
    if (found.record != nullptr || (tails & tail_bit(0)) == 0) return found;
    return probe(reach.substr(0, directory.length));
  }

  TailBits tails_of(const Directory& directory) {
    spend(1);
    return look_.tails(directory.hash);
  }
  // There is no empty key.
  PrefixMatch probe(std::string_view key) {
    if (key.empty()) return {};
    ++probes_;
    const Found found = look_.find(hashes_.of(key.size()), key);
    spend(found.buckets);
    return found.record != nullptr ? PrefixMatch{key.size(), found.record} : PrefixMatch{};
  }

  PrefixHashes hashes_;
  Look look_;
  std::vector<Directory> directories_;
  std::size_t looks_left_ = 0;  // of the search that is under way
  bool is_spent_ = false;
  std::uint64_t probes_ = 0;
};

}  // namespace kvs
