// Which helpers a configuration has: what modules asked for while it was validated. The validator
// keeps the list to refuse the module, the master to check what the validator tells it.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "common/protocol.h"
#include "common/result.h"

namespace drover {

inline constexpr std::size_t kMaxHelpers = 4;  // of a server

struct HelperName {
  std::size_t server = 0;  // index in Settings::servers
  std::string name;
};

class HelperList {
 public:
  explicit HelperList(std::size_t servers) : servers_(servers) {}

  // A name is 1 to kMaxHelperName of a-z, 0-9, - and _, once in a server, in at most kMaxHelpers.
  Status add(std::size_t server, std::string_view name);
  // What a validator sent, which may be anything.
  Status add(const WantHelperBody& body);
  [[nodiscard]] const std::vector<HelperName>& all() const { return all_; }

 private:
  std::size_t servers_;
  std::vector<HelperName> all_;
};

[[nodiscard]] WantHelperBody want_helper_body(const HelperName& helper);

}  // namespace drover
