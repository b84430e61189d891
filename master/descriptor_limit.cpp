#include "master/descriptor_limit.h"

#include <algorithm>

namespace drover {

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
