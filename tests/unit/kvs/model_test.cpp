// The store against a map that does the same in the simplest way.
#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <random>
#include <string>

#include "tests/unit/kvs/audit.h"
#include "tests/unit/kvs/shared_memory.h"

namespace kvs {
namespace {

using testing::kMiB;
using testing::TestStore;

struct ModelItem {
  std::string value;
  std::uint64_t expires_ms = 0;
};

class Model {
 public:
  explicit Model(std::uint32_t seed) : random_(seed) {}

  void step(Store& store) {
    now_ms_ += pick(3);
    store.set_now(now_ms_);
    const std::string key = this->key();
    switch (pick(12)) {
      case 0:
      case 1:
      case 2:
        return write(store, key);
      case 3:
      case 4:
        return erase(store, key);
      case 5:
        return append(store, key);
      case 6:
        return add(store, key);
      case 7:
        return touch(store, key);
      case 8:
      case 9:
        return search(store, key);
      default:
        return get(store, key);
    }
  }
  void compare_all(Store& store) {
    for (const auto& [key, item] : items_) {
      if (!live(key)) continue;
      const auto found = store.get(key);
      ASSERT_TRUE(found) << key;
      ASSERT_EQ(found->value, item.value);
    }
  }

 private:
  std::uint32_t pick(std::uint32_t below) { return static_cast<std::uint32_t>(random_()) % below; }
  // Few enough to meet again, with slashes anywhere.
  std::string key() {
    static constexpr std::string_view kParts[] = {"/",   "a",  "b",  "/a",
                                                  "/b/", "cc", "//", "/long-name"};
    std::string key;
    for (std::uint32_t parts = 1 + pick(5); parts > 0; --parts) key += kParts[pick(8)];
    return key;
  }
  std::string value() {
    return std::string(pick(20) == 0 ? pick(90'000) : pick(300), static_cast<char>('a' + pick(26)));
  }
  ModelItem* live(const std::string& key) {
    const auto item = items_.find(key);
    if (item == items_.end()) return nullptr;
    if (item->second.expires_ms != 0 && item->second.expires_ms <= now_ms_) return nullptr;
    return &item->second;
  }

  void write(Store& store, const std::string& key) {
    const std::string value = this->value();
    const auto condition = static_cast<Condition>(pick(3));
    const std::uint64_t expires = pick(3) == 0 ? now_ms_ + 1 + pick(500) : 0;
    const bool may = condition == Condition::kAlways ||
                     (condition == Condition::kIfPresent) == (live(key) != nullptr);
    const Answer answer =
        store.write({.key = key, .value = value, .expires_ms = expires, .condition = condition})
            .answer;
    ASSERT_EQ(answer, may ? Answer::kOk : Answer::kNotStored);
    if (may) items_[key] = {value, expires};
  }
  void erase(Store& store, const std::string& key) {
    ASSERT_EQ(store.erase(key), live(key) != nullptr ? Answer::kOk : Answer::kNotFound);
    items_.erase(key);
  }
  void append(Store& store, const std::string& key) {
    const bool front = pick(2) == 0;
    ModelItem* item = live(key);
    const auto answer = front ? store.prepend(key, "xy").answer : store.append(key, "xy").answer;
    ASSERT_EQ(answer, item != nullptr ? Answer::kOk : Answer::kNotStored);
    if (item != nullptr) item->value = front ? "xy" + item->value : item->value + "xy";
  }
  void add(Store& store, const std::string& key) {
    const std::string number_key = key + "#";
    ModelItem* item = live(number_key);
    const std::int64_t expected = item != nullptr ? std::stoll(item->value) + 3 : 10;
    const Sum sum = store.add(number_key, 3, 10);
    ASSERT_EQ(sum.answer, Answer::kOk);
    ASSERT_EQ(sum.value, expected);
    items_[number_key] = {std::to_string(expected), item != nullptr ? item->expires_ms : 0};
  }
  void touch(Store& store, const std::string& key) {
    ModelItem* item = live(key);
    const std::uint64_t expires = now_ms_ + 1 + pick(500);
    ASSERT_EQ(store.touch(key, expires).answer, item != nullptr ? Answer::kOk : Answer::kNotFound);
    if (item != nullptr) item->expires_ms = expires;
  }
  void get(Store& store, const std::string& key) {
    const ModelItem* item = live(key);
    const auto found = store.get(key);
    ASSERT_EQ(found.has_value(), item != nullptr) << key;
    if (item == nullptr) return;
    ASSERT_EQ(found->value, item->value);
  }

  static bool is_match(const std::string& path, std::size_t length, Match match) {
    return match == Match::kByte || length == path.size() || path[length] == '/' ||
           path[length - 1] == '/';
  }
  std::string longest_by_force(const std::string& path, Match match) {
    for (std::size_t length = path.size(); length > 0; --length) {
      if (is_match(path, length, match) && live(path.substr(0, length)) != nullptr) {
        return path.substr(0, length);
      }
    }
    return "";
  }
  void search(Store& store, const std::string& key) {
    const std::string path = key + this->key();
    for (const Match match : {Match::kByte, Match::kSegment}) {
      const auto found = store.longest_prefix(path, match);
      ASSERT_EQ(found.item.key, longest_by_force(path, match)) << path;
      ASSERT_EQ(found.answer, found.item.key.empty() ? Answer::kNotFound : Answer::kOk);
      if (!found.item.key.empty()) {
        ASSERT_EQ(found.item.value, live(std::string(found.item.key))->value);
      }
    }
  }

  std::mt19937 random_;
  std::uint64_t now_ms_ = 1000;
  std::map<std::string, ModelItem> items_;
};

class KvsModel : public ::testing::TestWithParam<Options> {};

TEST_P(KvsModel, DoesWhatAMapDoes) {
  const TestStore store(256 * kMiB, GetParam());
  const auto other = store.attach();
  Model model(42);
  for (int i = 0; i < 20'000 && !HasFatalFailure(); ++i) {
    Store& one = i % 3 == 0 ? *other : *store;
    model.step(one);
    if (i % 16 == 0) one.end_batch();
  }
  model.compare_all(*store);
  other->end_batch();
  EXPECT_EQ(testing::audit(*store), "");
}
INSTANTIATE_TEST_SUITE_P(
    All, KvsModel,
    ::testing::Values(Options{.secret = testing::kSecret},
                      Options{.shards = 1, .average_item = 1 << 22, .secret = testing::kSecret},
                      Options{.shards = 64, .secret = HashSecret{99, 7}}),
    [](const auto& row) { return "Row" + std::to_string(row.index); });

}  // namespace
}  // namespace kvs
