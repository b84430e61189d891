// The value of `listen`: an address, then options, each with a row of its own.
#pragma once

#include <string>
#include <vector>

#include "common/directive.h"

namespace drover {

// The sockets that an option makes sense for; given for another it is an error.
enum class ListenScope { kAny, kTcp, kIpv6, kUnix };

struct ListenOption {
  Directive<ListenSettings> directive;
  ListenScope scope = ListenScope::kAny;
};

[[nodiscard]] const std::vector<ListenOption>& listen_options();

// "127.0.0.1:7010 backlog=4096 deferred". A flag alone is on.
[[nodiscard]] Result<ListenSettings> parse_listen(const std::string& text,
                                                  const ValueContext& context);
// Options at their default are left out.
[[nodiscard]] std::string print_listen(const ListenSettings& listen);

}  // namespace drover
