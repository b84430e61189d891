// Keys made to be like paths of a web or file server: some 85 bytes, ten levels deep, most of them
// in directories that they share. The same ones in every program, for the same count.
#pragma once

#include <algorithm>
#include <cstddef>
#include <random>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

namespace drover::bench {

class Paths {
 public:
  std::vector<std::string> make(std::size_t count) {
    std::unordered_set<std::string> known;
    std::vector<std::string> made;
    while (made.size() < count) {
      std::string path = directory() + segment();
      if (known.insert(path).second) made.push_back(std::move(path));
    }
    std::shuffle(made.begin(), made.end(), random_);
    return made;
  }
  std::size_t pick(std::size_t below) { return random_() % below; }

 private:
  // One of twenty keys opens a directory, below one that there is.
  const std::string& directory() {
    if (pick(20) != 0) return directories_[pick(directories_.size())];
    std::string made = directories_[pick(directories_.size())];
    constexpr std::ptrdiff_t kDeepest = 10;
    const auto is_full = [&] { return std::count(made.begin(), made.end(), '/') > kDeepest; };
    for (std::size_t more = 2 + pick(8); more > 0 && !is_full(); --more) made += segment() + '/';
    return directories_.emplace_back(std::move(made));
  }
  std::string segment() {
    static constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyz0123456789-_";
    std::string made(3 + pick(8), ' ');
    for (char& letter : made) letter = kLetters[pick(kLetters.size())];
    return made;
  }

  std::mt19937_64 random_{20};
  std::vector<std::string> directories_{"/"};
};

}  // namespace drover::bench
