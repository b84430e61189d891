// The directives of [server NAME].
#include <array>

#include "common/directives.h"
#include "common/directives_listen.h"

namespace drover {
namespace {

using Server = ServerSettings;
using Rows = std::vector<Directive<Server>>;
using namespace std::chrono_literals;

constexpr std::array kStrategies = {AcceptStrategy::kShared, AcceptStrategy::kExclusive,
                                    AcceptStrategy::kMutex, AcceptStrategy::kAcceptor,
                                    AcceptStrategy::kReuseport};
constexpr NumberRange kConnections{.min = 0, .max = 100'000'000};
constexpr DurationRange kTimeout{.min = 0ms, .max = 24h * 365};

Result<AcceptStrategy> parse_strategy(const std::string& text) {
  std::vector<std::string> names;
  for (const AcceptStrategy strategy : kStrategies) {
    if (text == to_string(strategy)) return strategy;
    names.emplace_back(to_string(strategy));
  }
  const std::string guess = closest(text, names);
  return Error(quote(text) + " is not a strategy; " +
               (guess.empty() ? "write " + join_choices(names) : "did you mean " + guess + "?"));
}

// "acceptor balance=least"
Status set_accept(Server& server, const std::string& text, const ValueContext&) {
  const std::vector<std::string> words = split_words(text);
  DROVER_TRY(const AcceptStrategy strategy, parse_strategy(words.empty() ? "" : words.front()));
  server.accept = strategy;
  if (words.size() == 1) return Done{};
  const bool is_acceptor = server.accept == AcceptStrategy::kAcceptor;
  if (is_acceptor && words.size() == 2 && words[1] == "balance=least") {
    server.acceptor_balance = AcceptorBalance::kLeastLoaded;
  } else if (is_acceptor && words.size() == 2 && words[1] == "balance=round-robin") {
    server.acceptor_balance = AcceptorBalance::kRoundRobin;
  } else {
    return Error(quote(words[1]) +
                 " is not understood; only acceptor takes balance=least or balance=round-robin");
  }
  return Done{};
}

std::vector<NamedValue> get_accept(const Server& server) {
  std::string text = to_string(server.accept);
  if (server.acceptor_balance == AcceptorBalance::kRoundRobin) text += " balance=round-robin";
  return {{"accept", text}};
}

Directive<Server> accept_row() {
  Directive<Server> row;
  row.name = "accept";
  row.type = "strategy";
  row.range = "shared, exclusive, mutex, acceptor or reuseport";
  row.help = "how the workers share the accepting";
  row.set = set_accept;
  row.get = get_accept;
  return row;
}

Directive<Server> listen_row() {
  return repeated<Server>(
      "listen", "listen", "an address and options",
      [](Server& server, const std::string& text, const ValueContext& context) -> Status {
        DROVER_TRY(ListenSettings listen, parse_listen(text, context));
        server.listens.push_back(std::move(listen));
        return Done{};
      },
      [](const Server& server) {
        std::vector<NamedValue> lines;
        for (const ListenSettings& listen : server.listens) {
          lines.push_back({"listen", print_listen(listen)});
        }
        return lines;
      },
      "address to serve");
}

Status add_rule(Server& server, bool allow, const std::string& text) {
  DROVER_TRY(const Cidr cidr, Cidr::parse(text));
  server.access.push_back({allow, cidr});
  return Done{};
}

// Both directives fill one list whose order matters, so the first prints all of it.
std::vector<NamedValue> get_rules(const Server& server) {
  std::vector<NamedValue> lines;
  for (const AccessRule& rule : server.access) {
    lines.push_back({rule.allow ? "allow" : "deny", rule.cidr.to_string()});
  }
  return lines;
}

Directive<Server> allow_row() {
  return repeated<Server>(
      "allow", "addresses", "a range, all or unix:",
      [](Server& server, const std::string& text, const ValueContext&) {
        return add_rule(server, true, text);
      },
      get_rules, "serve these clients, the first allow or deny that fits decides");
}

Directive<Server> deny_row() {
  return repeated<Server>(
      "deny", "addresses", "a range, all or unix:",
      [](Server& server, const std::string& text, const ValueContext&) {
        return add_rule(server, false, text);
      },
      [](const Server&) { return std::vector<NamedValue>{}; },
      "close connections of these clients at once");
}

Directive<Server> proxy_from_row() {
  return repeated<Server>(
      "proxy_from", "addresses", "a range, all or unix:",
      [](Server& server, const std::string& text, const ValueContext&) -> Status {
        DROVER_TRY(const Cidr cidr, Cidr::parse(text));
        server.proxy_from.push_back(cidr);
        return Done{};
      },
      [](const Server& server) {
        std::vector<NamedValue> lines;
        for (const Cidr& cidr : server.proxy_from)
          lines.push_back({"proxy_from", cidr.to_string()});
        return lines;
      },
      "who may send a PROXY header");
}

Rows make_rows() {
  return {
      listen_row(),
      word("protocol", &Server::protocol, "", "name of the module that serves").as_required(),
      accept_row(),
      duration("idle_timeout", &Server::idle_timeout, kTimeout,
               "close a connection that is silent for this long, 0 for never"),
      duration("first_byte_timeout", &Server::first_byte_timeout, kTimeout,
               "close a connection whose client sends nothing for this long, 0 for never"),
      duration("write_timeout", &Server::write_timeout, kTimeout,
               "close a connection whose client takes nothing for this long, 0 for never"),
      duration("proxy_timeout", &Server::proxy_timeout, {.min = 1ms, .max = 1h},
               "time for the PROXY header to arrive"),
      duration("linger_timeout", &Server::linger_timeout, {.min = 0ms, .max = 1h},
               "time for a client to close after Drover has"),
      number("max_connections", &Server::max_connections, kConnections,
             "connections over all workers, 0 for no limit"),
      number("limit_per_ip", &Server::limit_per_ip, kConnections,
             "connections of one client address over all workers, 0 for no limit"),
      allow_row(),
      deny_row(),
      proxy_from_row(),
      path("access_log", &Server::access_log, "off", "file for one line about each connection"),
  };
}

}  // namespace

const Rows& server_directives() {
  static const Rows kRows = make_rows();
  return kRows;
}

}  // namespace drover
