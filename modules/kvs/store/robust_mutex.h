// A mutex in shared memory that tells the next holder when the last one died: at whatever
// instruction, by the kernel, without a race on process ids. It is never waited for. A holder that
// is stopped keeps it; the others hear "busy" and go on.
//
// Its holder is a thread. It must not be unmapped while it is held: the kernel walks the list of a
// dying thread's mutexes through the memory that they lie in.
#pragma once

#include <pthread.h>

#include <cerrno>

namespace kvs {

enum class LockResult {
  kLocked,
  kOwnerDied,  // locked, and what the mutex guards may be half done: repair, then make_consistent()
  kBusy,
};

class RobustMutex {
 public:
  // In zeroed memory, before anybody else has it. False: refused by the C library.
  [[nodiscard]] bool initialise() {
    pthread_mutexattr_t attributes;
    if (pthread_mutexattr_init(&attributes) != 0) return false;
    const bool done = pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED) == 0 &&
                      pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST) == 0 &&
                      pthread_mutex_init(&mutex_, &attributes) == 0;
    pthread_mutexattr_destroy(&attributes);
    return done;
  }

  // Anything unexpected, as from memory that was overwritten, is "busy": nobody is let in.
  [[nodiscard]] LockResult try_lock() {
    const int result = pthread_mutex_trylock(&mutex_);
    if (result == 0) return LockResult::kLocked;
    return result == EOWNERDEAD ? LockResult::kOwnerDied : LockResult::kBusy;
  }
  // After kOwnerDied. Who unlocks without it, makes the mutex useless for ever.
  void make_consistent() { pthread_mutex_consistent(&mutex_); }
  void unlock() { pthread_mutex_unlock(&mutex_); }

 private:
  pthread_mutex_t mutex_;
};

}  // namespace kvs
