// A run of pages is looked for while another process takes one of them, at any instruction of the
// search.
#include <gtest/gtest.h>
#include <sys/ptrace.h>

#include <array>
#include <cstring>

#include "modules/kvs/store/pages.h"
#include "tests/unit/kvs/shared_memory.h"

namespace kvs {
namespace {

constexpr std::uint32_t kPages = 8;
constexpr std::uint32_t kTop = kPages - 1;

struct Pages {
  PageHints hints;
  std::array<PageOwner, kPages> owners;
  std::array<PageInfo, kPages> infos;
};

class KvsPageRace : public ::testing::Test {
 protected:
  // The upper half is free.
  void prepare() {
    std::memset(static_cast<void*>(&shared_), 0, sizeof shared_);
    PageMap pages = map();
    for (std::uint32_t i = 0; i < kPages / 2; ++i) {
      ASSERT_TRUE(pages.take({.kind = PageKind::kCells, .shard = 1}));
    }
  }
  PageMap map() { return {shared_.owners, shared_.infos, shared_.hints, kPageBytes}; }
  // Stops itself before the search, and tells by its status whether it has found a run of three.
  pid_t start() {
    return testing::start([this] {
      PageMap pages = map();
      if (ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) _exit(77);
      raise(SIGSTOP);
      _exit(pages.take_run(0, 3) ? 0 : 1);
    });
  }
  static bool wait_until_stopped(pid_t child) {
    int status = 0;
    return waitpid(child, &status, 0) == child && WIFSTOPPED(status);
  }
  static int go_on(pid_t child) {
    int status = 0;
    ptrace(PTRACE_CONT, child, nullptr, nullptr);
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

  testing::SharedMemory memory_{kPageBytes};
  Pages& shared_ = *reinterpret_cast<Pages*>(memory_.bytes().data());
};

TEST_F(KvsPageRace, LeavesARunThatIsThereToWhoHasLostAPage) {
  constexpr int kStride = 5;  // less than from a look at a page to its taking
  bool is_lost = true;        // has the child not yet taken the page itself
  int races = 0;
  for (int instructions = 0; is_lost && !HasFailure(); instructions += kStride) {
    prepare();
    const pid_t child = start();
    ASSERT_TRUE(wait_until_stopped(child)) << "ptrace(2) is not allowed here";
    for (int i = 0; i < instructions; ++i) {
      ptrace(PTRACE_SINGLESTEP, child, nullptr, nullptr);
      ASSERT_TRUE(wait_until_stopped(child));
    }
    is_lost = map().use_of(kTop).kind == PageKind::kFree;
    if (is_lost) {
      ++races;
      EXPECT_EQ(map().take_run(1, 1), kTop);
    }
    EXPECT_EQ(go_on(child), 0) << "after " << instructions << " instructions";
  }
  EXPECT_GT(races, 10);
}

}  // namespace
}  // namespace kvs
