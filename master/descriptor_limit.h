// How many descriptors this process may open (RLIMIT_NOFILE), and its children after it.
#pragma once

#include <sys/resource.h>

#include <cstddef>
#include <cstdint>

#include "common/log.h"

namespace drover {

// The soft limit as configurations have it.
class DescriptorLimit {
 public:
  // What is inherited is what the process has now.
  void note_inherited() { getrlimit(RLIMIT_NOFILE, &inherited_); }
  // 0: what was inherited. The hard one is only ever raised: once lowered, no later reload could
  // have more. Says in the log what cannot be had.
  void set(std::int64_t wanted, Log& log) const;

 private:
  rlimit inherited_{};
};

// The soft limit of who has been given so many descriptors by another process, which may have had a
// higher one: its own, but room for as many again.
[[nodiscard]] rlim_t limit_beside(std::size_t given, rlim_t own);

// While a heritage comes, of which nobody knows yet how much it is: the hard limit is the soft one.
class RaisedDescriptorLimit {
 public:
  RaisedDescriptorLimit();
  RaisedDescriptorLimit(const RaisedDescriptorLimit&) = delete;
  RaisedDescriptorLimit& operator=(const RaisedDescriptorLimit&) = delete;
  // Puts it back, or to what these need.
  ~RaisedDescriptorLimit();
  void make_room(std::size_t given) { given_ = given; }

 private:
  rlimit own_{};
  std::size_t given_ = 0;
};

}  // namespace drover
