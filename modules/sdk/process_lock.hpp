// A lock in shared memory that dies with its holder. The word says who holds it and since when, so
// that whoever finds it taken can judge: a holder that has ended, at whatever instruction, is
// taken over from; one that is only stopped is not, for it may go on writing at any time, and the
// others are told "busy" instead of waiting for it. A mutex will not do: nobody is told that the
// holder of a plain one has died, and a robust one is unlocked through pointers that lie in it,
// where every process that shares the memory may write.
#pragma once

#include <sched.h>
#include <sys/types.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>

namespace drover {

// Zeroed memory is a lock that nobody holds. Any process that maps it, of any user and generation,
// one thread of it; not in a signal handler. A process that holds it and takes it again is busy.
class ProcessLock {
 public:
  // Milliseconds that take() waits for a living holder at most, and that any hold is waited for:
  // who finds it held for longer does not wait at all.
  static constexpr std::uint64_t kLongestWaitMs = 20;

  // True: held until give_back(). False: busy, the holder lives and may be stopped.
  [[nodiscard]] bool take() {
    const std::uint64_t end = now_ms() + kLongestWaitMs;
    for (std::uint64_t holder = 0; !exchange(holder); holder = 0) {
      const std::uint64_t now = now_ms();
      if (now >= end || now - since_ms(holder) >= kLongestWaitMs) return take_over(holder);
      sched_yield();
    }
    return true;
  }
  // The same without waiting.
  [[nodiscard]] bool try_take() {
    std::uint64_t holder = 0;
    return exchange(holder) || take_over(holder);
  }
  // Only by who holds it.
  void give_back() { word_.store(0, std::memory_order_release); }
  // Held by whomever, dead or alive.
  [[nodiscard]] bool is_held() const { return word_.load(std::memory_order_relaxed) != 0; }

 private:
  // 0, or the holder's pid (Linux has no higher one than 2^22) under the milliseconds since boot
  // at which it took the lock: a process that began later has the pid of one that is dead.
  static constexpr int kPidBits = 22;
  static constexpr std::uint64_t kPidMask = (std::uint64_t{1} << kPidBits) - 1;
  static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

  struct Process {
    bool has_ended = false;  // a zombie
    std::uint64_t began_ms = 0;
  };

  static std::uint64_t now_ms() {
    timespec now{};
    clock_gettime(CLOCK_BOOTTIME, &now);  // that of /proc/PID/stat
    return static_cast<std::uint64_t>(now.tv_sec) * 1000 +
           static_cast<std::uint64_t>(now.tv_nsec) / 1'000'000;
  }
  static pid_t pid_of(std::uint64_t holder) { return static_cast<pid_t>(holder & kPidMask); }
  static std::uint64_t since_ms(std::uint64_t holder) { return holder >> kPidBits; }

  // When `from` is not who holds it, it is afterwards.
  bool exchange(std::uint64_t& from) {
    const std::uint64_t me = now_ms() << kPidBits | static_cast<std::uint64_t>(getpid());
    return word_.compare_exchange_strong(from, me, std::memory_order_acquire,
                                         std::memory_order_relaxed);
  }
  bool take_over(std::uint64_t holder) { return is_nobody(holder) && exchange(holder); }

  // Also what no holder can have written: a time to come. When in doubt it is somebody.
  static bool is_nobody(std::uint64_t holder) {
    constexpr std::uint64_t kClockSlackMs = 1000;
    if (pid_of(holder) == 0 || since_ms(holder) > now_ms() + kClockSlackMs) return true;
    // EPERM: it may be another user's process by now, with the number of the dead.
    if (kill(pid_of(holder), 0) != 0 && errno == ESRCH) return true;
    const auto process = look_at(pid_of(holder));
    return process && (process->has_ended || process->began_ms > since_ms(holder));
  }

  // proc(5): after the name, which may hold anything but ends with the last ')', come the state,
  // 18 fields that do not matter here, and the start in clock ticks since boot.
  static std::optional<Process> look_at(pid_t pid) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
    // read(), because an iterator throws when the process is reaped under it.
    std::array<char, 1024> bytes;
    file.read(bytes.data(), bytes.size());
    const std::string text(bytes.data(), static_cast<std::size_t>(file.gcount()));
    const std::size_t name_end = text.rfind(')');
    if (name_end == std::string::npos) return std::nullopt;
    std::istringstream fields(text.substr(name_end + 1));
    char state = 0;
    fields >> state;
    std::string other;
    for (int i = 0; i < 18; ++i) fields >> other;
    std::uint64_t ticks = 0;
    if (!(fields >> ticks)) return std::nullopt;
    const auto ticks_a_second = static_cast<std::uint64_t>(sysconf(_SC_CLK_TCK));
    return Process{state == 'Z' || state == 'X', ticks * 1000 / ticks_a_second};
  }

  std::atomic<std::uint64_t> word_{0};
};

}  // namespace drover
