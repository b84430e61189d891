#include "common/directives_listen.h"

#include <algorithm>
#include <set>

namespace drover {
namespace {

using Listen = ListenSettings;

// Sizes that the kernel halves and doubles by itself; less than this it raises anyway.
constexpr SizeRange kBuffer{.min = 2048, .max = 1 << 30, .or_zero = true};

const ListenOption* find_option(const std::string& name) {
  const auto& options = listen_options();
  const auto found =
      std::find_if(options.begin(), options.end(),
                   [&name](const ListenOption& option) { return option.directive.name == name; });
  return found == options.end() ? nullptr : &*found;
}

Error unknown_option(const std::string& name) {
  std::vector<std::string> names;
  for (const ListenOption& option : listen_options()) names.push_back(option.directive.name);
  const std::string guess = closest(name, names);
  return Error(
      "unknown option " + quote(name) + "; " +
      (guess.empty() ? "known are " + join_choices(names) : "did you mean " + guess + "?"));
}

Status check_scope(const ListenOption& option, const Address& address) {
  const std::string text = "option " + option.directive.name + " is for ";
  const std::string advice = "; remove it from " + address.to_string();
  switch (option.scope) {
    case ListenScope::kTcp:
      if (address.is_unix()) return Error(text + "TCP only" + advice);
      break;
    case ListenScope::kIpv6:
      if (address.family() != AF_INET6) return Error(text + "IPv6 only" + advice);
      break;
    case ListenScope::kUnix:
      if (!address.is_unix()) return Error(text + "unix sockets only" + advice);
      break;
    case ListenScope::kAny:
      break;
  }
  return Done{};
}

// One "name=value", or a flag's name alone.
Status set_option(Listen& listen, const std::string& text, const ValueContext& context,
                  std::set<std::string>& seen) {
  const std::size_t equals = std::min(text.find('='), text.size());
  const std::string name = text.substr(0, equals);
  const ListenOption* option = find_option(name);
  if (option == nullptr) return unknown_option(name);
  if (!seen.insert(name).second) return Error("option " + name + " is given twice; remove one");
  DROVER_TRY_DO(check_scope(*option, listen.address));

  const bool has_value = equals < text.size();
  if (!has_value && option->directive.type != "flag") {
    return Error("option " + name + " has no value; write " + name + "=" + option->directive.range);
  }
  const std::string value = has_value ? text.substr(equals + 1) : "on";
  auto status = option->directive.set(listen, value, context);
  if (!status) return std::move(status).error().in("option " + name);
  return Done{};
}

// A relative path of a unix socket is under the prefix, like every other.
Result<Address> parse_listen_address(const std::string& text, const ValueContext& context) {
  DROVER_TRY(Address address, Address::parse(text));
  if (!address.is_unix()) return address;
  return Address::parse("unix:" + resolve_path(address.path(), context.prefix));
}

Directive<Listen> keepalive_row() {
  return custom(
      "keepalive", "keepalive", "on, off or idle:interval:count", &Listen::keepalive,
      [](const std::string& text, const ValueContext&) { return parse_keepalive(text); },
      print_keepalive, "probe silent peers after idle, each interval, count times");
}

Directive<Listen> mode_row() {
  return custom(
      "mode", "mode", "0000 to 0777", &Listen::mode,
      [](const std::string& text, const ValueContext&) { return parse_mode(text); }, print_mode,
      "permissions of the socket file");
}

std::vector<ListenOption> make_options() {
  return {
      {number("backlog", &Listen::backlog, {.min = 1, .max = 1'048'576},
              "connections that may wait to be accepted"),
       ListenScope::kAny},
      {flag("deferred", &Listen::deferred, "accept only when the client has sent its first bytes"),
       ListenScope::kTcp},
      {number("fastopen", &Listen::fastopen, {.min = 0, .max = 65'535},
              "pending TCP Fast Open requests, 0 for none"),
       ListenScope::kTcp},
      {flag("nodelay", &Listen::nodelay, "send small segments at once"), ListenScope::kTcp},
      {keepalive_row(), ListenScope::kTcp},
      {flag("quickack", &Listen::quickack, "acknowledge each segment at once"), ListenScope::kTcp},
      {size("rcvbuf", &Listen::rcvbuf, kBuffer, "the kernel's receive buffer, 0 for its default"),
       ListenScope::kAny},
      {size("sndbuf", &Listen::sndbuf, kBuffer, "the kernel's send buffer, 0 for its default"),
       ListenScope::kAny},
      {flag("v6only", &Listen::v6only, "take no IPv4 clients on an IPv6 address"),
       ListenScope::kIpv6},
      {mode_row(), ListenScope::kUnix},
      {word("owner", &Listen::owner, "", "user who owns the socket file"), ListenScope::kUnix},
      {word("group", &Listen::group, "", "group of the socket file"), ListenScope::kUnix},
      {flag("proxy_protocol", &Listen::proxy_protocol,
            "expect a PROXY header (v1 or v2) from the addresses in proxy_from"),
       ListenScope::kAny},
  };
}

}  // namespace

const std::vector<ListenOption>& listen_options() {
  static const std::vector<ListenOption> kOptions = make_options();
  return kOptions;
}

Result<ListenSettings> parse_listen(const std::string& text, const ValueContext& context) {
  const std::vector<std::string> words = split_words(text);
  if (words.empty()) return Error("has no address; write for example 127.0.0.1:7007");
  Listen listen;
  listen.source = context.source;
  DROVER_TRY(listen.address, parse_listen_address(words.front(), context));
  std::set<std::string> seen;
  for (std::size_t i = 1; i < words.size(); ++i) {
    DROVER_TRY_DO(set_option(listen, words[i], context, seen));
  }
  return listen;
}

std::string print_listen(const ListenSettings& listen) {
  std::string text = listen.address.to_string();
  for (const ListenOption& option : listen_options()) {
    const std::string value = option.directive.get(listen).front().value;
    if (value == option.directive.default_value()) continue;
    text += " " + option.directive.name + "=" + value;
  }
  return text;
}

}  // namespace drover
