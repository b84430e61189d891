// While a large value is copied others have the shard. The value lies where nobody may read at
// first: who copies it stops at its first byte, in a signal handler that looks whether the shard is
// locked.
#include <gtest/gtest.h>

#include <cstring>
#include <string>

#include "tests/unit/kvs/audit.h"
#include "tests/unit/kvs/shared_memory.h"

namespace kvs {
namespace {

using testing::kMiB;
using testing::SharedMemory;
using testing::TestStore;

struct Trap {
  Mapping* mapping;
  std::span<std::byte> value;
  int times = 0;
  int times_locked = 0;
};
Trap* trap = nullptr;

void on_read(int) {
  ++trap->times;
  if (!LockedShard(*trap->mapping, 0, 1)) ++trap->times_locked;
  mprotect(trap->value.data(), trap->value.size(), PROT_READ | PROT_WRITE);
}

class KvsLargeValue : public ::testing::Test {
 protected:
  void SetUp() override {
    std::memset(memory_.bytes().data(), 'v', memory_.bytes().size());
    trap = &trap_;
    struct sigaction action {};
    action.sa_handler = on_read;
    sigaction(SIGSEGV, &action, &before_);
  }
  void TearDown() override { sigaction(SIGSEGV, &before_, nullptr); }

  [[nodiscard]] std::string_view value() const {
    return {reinterpret_cast<const char*>(memory_.bytes().data()), memory_.bytes().size()};
  }
  void set_trap() { mprotect(memory_.bytes().data(), memory_.bytes().size(), PROT_NONE); }

  TestStore store_{4 * kMiB, {.shards = 1, .secret = testing::kSecret}};
  SharedMemory memory_{kMiB / 4};
  std::unique_ptr<Store> other_ = store_.attach();
  Trap trap_{&other_->mapping(), memory_.bytes()};
  struct sigaction before_ {};
};

TEST_F(KvsLargeValue, IsWrittenWithoutTheLock) {
  set_trap();
  const Written written = store_->write({.key = "k", .value = value()});
  EXPECT_EQ(written.answer, Answer::kOk);
  EXPECT_EQ(trap_.times, 1);
  EXPECT_EQ(trap_.times_locked, 0);
  EXPECT_EQ(store_->get("k")->value, value());
  EXPECT_EQ(store_->get("k")->cas, written.cas);
}

TEST_F(KvsLargeValue, IsAppendedWithoutTheLock) {
  ASSERT_EQ(store_->write({.key = "k", .value = "old", .flags = 7}).answer, Answer::kOk);
  set_trap();
  EXPECT_EQ(store_->append("k", value()).answer, Answer::kOk);
  EXPECT_EQ(trap_.times_locked, 0);
  EXPECT_EQ(store_->get("k")->value, "old" + std::string(value()));
  EXPECT_EQ(store_->get("k")->flags, 7U);
}

TEST_F(KvsLargeValue, IsTouchedAsAnyOther) {
  ASSERT_EQ(store_->write({.key = "k", .value = value(), .flags = 7}).answer, Answer::kOk);
  EXPECT_EQ(store_->touch("k", 5000).answer, Answer::kOk);
  EXPECT_EQ(store_->get("k")->value, value());
  EXPECT_EQ(store_->get("k")->flags, 7U);
  EXPECT_EQ(store_->get("k")->expires_ms, 5000U);
}

TEST_F(KvsLargeValue, IsRefusedByItsConditions) {
  EXPECT_EQ(
      store_->write({.key = "k", .value = value(), .condition = Condition::kIfPresent}).answer,
      Answer::kNotStored);
  ASSERT_EQ(store_->write({.key = "k", .value = value()}).answer, Answer::kOk);
  EXPECT_EQ(store_->write({.key = "k", .value = value(), .cas = 4711}).answer, Answer::kExists);
  EXPECT_EQ(store_->mapping().readers.held().size(), 0U);
  EXPECT_EQ(testing::audit(*store_), "");
}

// Then it is copied under the lock: later than others like, but it is.
TEST_F(KvsLargeValue, IsWrittenAlthoughAllReservationsAreTaken) {
  while (store_->reserve("other", 1).answer == Answer::kOk) {
  }
  EXPECT_EQ(store_->write({.key = "k", .value = value()}).answer, Answer::kOk);
  EXPECT_EQ(store_->append("k", "more").answer, Answer::kOk);
  EXPECT_EQ(store_->touch("k", 5000).answer, Answer::kOk);
  EXPECT_EQ(store_->get("k")->value, std::string(value()) + "more");
}

}  // namespace
}  // namespace kvs
