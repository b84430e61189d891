#include "master/descriptor_limit.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace drover {

void DescriptorLimit::set(std::int64_t wanted, Log& log) const {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  const rlim_t soft = wanted > 0 ? static_cast<rlim_t>(wanted) : inherited_.rlim_cur;
  if (soft == limit.rlim_cur) return;
  limit = {soft, std::max(soft, limit.rlim_max)};
  if (setrlimit(RLIMIT_NOFILE, &limit) == 0) return;
  log.warning("rlimit_nofile = {} cannot be had: {}", soft, strerrordesc_np(errno));
}

// A second time it changes nothing.
rlim_t limit_beside(std::size_t given, rlim_t own) { return std::max<rlim_t>(own, 2 * given); }

RaisedDescriptorLimit::RaisedDescriptorLimit() {
  getrlimit(RLIMIT_NOFILE, &own_);
  const rlimit raised{own_.rlim_max, own_.rlim_max};
  setrlimit(RLIMIT_NOFILE, &raised);  // up to the hard one anybody may
}

RaisedDescriptorLimit::~RaisedDescriptorLimit() {
  const rlimit limit{std::min(limit_beside(given_, own_.rlim_cur), own_.rlim_max), own_.rlim_max};
  setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace drover
