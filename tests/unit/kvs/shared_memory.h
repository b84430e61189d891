// Memory for a store, shared with children that a test forks, and followed by a page that nobody
// may touch.
#pragma once

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <stdexcept>

#include "modules/kvs/store/store.h"

namespace kvs::testing {

class SharedMemory {
 public:
  explicit SharedMemory(std::size_t size) : size_(size) {
    void* memory =
        mmap(nullptr, size + kGuard, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) throw std::runtime_error("mmap");
    base_ = static_cast<std::byte*>(memory);
    mprotect(base_ + size, kGuard, PROT_NONE);
  }
  ~SharedMemory() { munmap(base_, size_ + kGuard); }
  SharedMemory(const SharedMemory&) = delete;
  SharedMemory& operator=(const SharedMemory&) = delete;

  [[nodiscard]] std::span<std::byte> bytes() const { return {base_, size_}; }

 private:
  static constexpr std::size_t kGuard = 4096;
  std::byte* base_ = nullptr;
  std::size_t size_;
};

inline constexpr std::size_t kMiB = std::size_t{1} << 20;
inline constexpr HashSecret kSecret{0x1234567812345678, 0x8765432187654321};

// A store in memory of its own, with this process attached.
struct TestStore {
  explicit TestStore(std::size_t size = 4 * kMiB, Options options = {.secret = kSecret},
                     const Settings& settings = {})
      : memory(size) {
    if (Store::create(memory.bytes(), options) != Attached::kAttached) {
      throw std::runtime_error("create");
    }
    store = attach(settings);
  }
  [[nodiscard]] std::unique_ptr<Store> attach(const Settings& settings = {}) const {
    return Store::attach(memory.bytes(), settings).store;
  }
  Store* operator->() const { return store.get(); }
  Store& operator*() const { return *store; }

  SharedMemory memory;
  std::unique_ptr<Store> store;
};

// A child that runs `work` and is then killed, or exits when `work` does that.
inline pid_t start(const std::function<void()>& work) {
  const pid_t child = fork();
  if (child != 0) return child;
  work();
  raise(SIGKILL);
  _exit(1);
}
inline void wait_for(pid_t child) {
  while (waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
  }
}
inline void run_and_kill(const std::function<void()>& work) { wait_for(start(work)); }

}  // namespace kvs::testing
