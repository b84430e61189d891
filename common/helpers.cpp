#include "common/helpers.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace drover {
namespace {

bool is_helper_name(std::string_view name) {
  const auto may_be_in_it = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  };
  return !name.empty() && name.size() <= kMaxHelperName && std::ranges::all_of(name, may_be_in_it);
}

}  // namespace

Status HelperList::add(std::size_t server, std::string_view name) {
  if (server >= servers_) return Error("a helper of a server that does not exist");
  if (!is_helper_name(name)) {
    return Error(fmt::format("a helper's name is 1 to {} of a-z, 0-9, - and _", kMaxHelperName));
  }
  std::size_t of_server = 0;
  for (const HelperName& helper : all_) {
    if (helper.server != server) continue;
    if (helper.name == name) return Error(fmt::format("helper {}: asked for twice", name));
    ++of_server;
  }
  if (of_server == kMaxHelpers) {
    return Error(fmt::format("helper {}: a server has at most {}", name, kMaxHelpers));
  }
  all_.push_back({server, std::string(name)});
  return Done{};
}

Status HelperList::add(const WantHelperBody& body) {
  return add(body.server, {body.name, strnlen(body.name, sizeof body.name)});
}

WantHelperBody want_helper_body(const HelperName& helper) {
  WantHelperBody body{static_cast<std::uint32_t>(helper.server), {}};
  helper.name.copy(body.name, kMaxHelperName);
  return body;
}

}  // namespace drover
