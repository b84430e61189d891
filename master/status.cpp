#include "master/status.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <numeric>

#include "common/units.h"
#include "master/recovery_status.h"

namespace drover {
namespace {

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20) {
      out += fmt::format("\\u{:04x}", byte);
    } else {
      out += c;
    }
  }
  return out + '"';
}

template <class Range, class ToText>
std::string joined(const Range& range, ToText to_text) {
  std::string out;
  for (const auto& item : range) {
    if (!out.empty()) out += ',';
    out += to_text(item);
  }
  return out;
}

std::string counters_json(const Totals& totals) {
  std::string out;
  for (std::size_t i = 0; i < kCounters.size(); ++i) {
    out += fmt::format("{}{}:{}", i == 0 ? "" : ",", quoted(kCounters[i].name), totals.values[i]);
  }
  return out;
}

const char* state_of(const Post& post) {
  if (post.child() == nullptr) return "backoff";
  switch (post.child()->state()) {
    case Child::State::kStarting:
      return "starting";
    case Child::State::kReady:
    case Child::State::kServing:
      return "ready";
    case Child::State::kDraining:
      return "draining";
  }
  return "unknown";
}

const Generation* serving(const StatusSource& source) {
  return source.generations.empty() ? nullptr : source.generations.front();
}

// All processes the slot has had in this generation.
Totals totals_of(const Post& post) {
  Totals totals = post.past();
  for (const Child* child : post.children()) totals.add(child->seat()->counters);
  return totals;
}

std::uint64_t sum_of(const Post& post, std::atomic<std::uint32_t> Seat::*gauge) {
  std::uint64_t sum = 0;
  for (const Child* child : post.children()) {
    const Seat& seat = *child->seat();
    sum += (seat.*gauge).load(std::memory_order_relaxed);
  }
  return sum;
}
std::uint64_t live_of(const Post& post) { return sum_of(post, &Seat::live); }

std::int64_t heartbeat_age_ms(const Post& post) {
  if (post.child() == nullptr) return 0;
  const std::int64_t beat = post.child()->seat()->heartbeat_ms.load(std::memory_order_relaxed);
  return std::max<std::int64_t>(0, monotonic_now().count() - beat);
}

int pid_of(const Post& post) { return post.child() == nullptr ? 0 : post.child()->pid(); }

std::string worker_json(const Post& post) {
  const Child* child = post.child();
  return fmt::format(
      R"({{"slot":{},"pid":{},"state":"{}","live":{},"streams":{},{},"restarts":{},"loop_max_us":{},"heartbeat_age_ms":{}}})",
      post.slot(), pid_of(post), state_of(post), live_of(post), sum_of(post, &Seat::streams),
      counters_json(totals_of(post)), post.restarts(),
      child == nullptr ? 0 : child->seat()->loop_max_us.load(std::memory_order_relaxed),
      heartbeat_age_ms(post));
}

// A helper's post, with the names that it has in the configuration.
struct HelperRow {
  std::string server;
  std::string name;
  const Post* post;
};

std::vector<HelperRow> helpers_of(const Generation& generation) {
  std::vector<HelperRow> rows;
  for (const auto& post : generation.pool().helpers()) {
    const HelperName& helper = generation.helpers()[rows.size()];
    rows.push_back({generation.settings().servers[helper.server].name, helper.name, post.get()});
  }
  return rows;
}

std::string helper_json(const HelperRow& row) {
  return fmt::format(
      R"({{"server":{},"name":{},"pid":{},"state":"{}","restarts":{},"heartbeat_age_ms":{}}})",
      quoted(row.server), quoted(row.name), pid_of(*row.post), state_of(*row.post),
      row.post->restarts(), heartbeat_age_ms(*row.post));
}

std::string helper_line(const HelperRow& row) {
  return fmt::format("  helper {}/{}: pid {}, {}, restarts {}\n", row.server, row.name,
                     pid_of(*row.post), state_of(*row.post), row.post->restarts());
}

std::string generation_json(const Generation& generation) {
  const Post* acceptor = generation.pool().acceptor();
  const std::string acceptor_json =
      acceptor == nullptr
          ? "null"
          : fmt::format(R"({{"pid":{},"state":"{}","restarts":{}}})", pid_of(*acceptor),
                        state_of(*acceptor), acceptor->restarts());
  return fmt::format(
      R"({{"number":{},"state":"{}","workers":[{}],"acceptor":{},"helpers":[{}]}})",
      generation.number(), Generation::to_string(generation.state()),
      joined(generation.pool().workers(), [](const auto& post) { return worker_json(*post); }),
      acceptor_json, joined(helpers_of(generation), &helper_json));
}

std::uint64_t connections_of(const StatusSource& source, const ServerSettings& server) {
  return server.max_connections > 0 ? source.limits->count(source.limits->key(server.name)) : 0;
}

std::string metric_json(const StatusSource& source, const MetricLayout::Server& server,
                        const Metric& metric) {
  return fmt::format(R"({{"name":{},"kind":"{}","value":{},"help":{}}})", quoted(metric.name),
                     to_string(metric.kind), source.metrics.text(server, metric),
                     quoted(metric.help));
}

std::string metrics_json(const StatusSource& source, const std::string& server_name) {
  const auto& servers = serving(source)->metrics().servers;
  const auto server = std::ranges::find(servers, server_name, &MetricLayout::Server::name);
  if (server == servers.end()) return "";
  return joined(server->metrics,
                [&](const Metric& metric) { return metric_json(source, *server, metric); });
}

std::string metric_lines(const StatusSource& source) {
  std::string lines;
  const Generation* current = serving(source);
  if (current == nullptr) return lines;
  for (const MetricLayout::Server& server : current->metrics().servers) {
    for (const Metric& metric : server.metrics) {
      lines += fmt::format("server {}: {} {}{}\n", server.name, metric.name,
                           source.metrics.text(server, metric),
                           metric.help.empty() ? "" : fmt::format(" ({})", metric.help));
    }
  }
  return lines;
}

std::string server_json(const StatusSource& source, const ServerSettings& server) {
  return fmt::format(
      R"({{"name":{},"accept":"{}","protocol":{},"listen":[{}],"connections":{},"metrics":[{}]}})",
      quoted(server.name), to_string(server.accept), quoted(server.protocol),
      joined(server.listens, [](const auto& listen) { return quoted(listen.address.to_string()); }),
      connections_of(source, server), metrics_json(source, server.name));
}

// A zone, and the numbers of the generations that have it.
struct ZoneUse {
  const Zone* zone;
  std::vector<std::uint32_t> generations;
};

std::vector<ZoneUse> zones_of(const StatusSource& source) {
  std::vector<ZoneUse> uses;
  for (const Generation* generation : source.generations) {
    for (const auto& zone : generation->zones()) {
      auto use = std::ranges::find(uses, zone.get(), &ZoneUse::zone);
      if (use == uses.end()) use = uses.insert(uses.end(), {zone.get(), {}});
      use->generations.push_back(generation->number());
    }
  }
  return uses;
}

const char* state_of(const Result<ZoneInfo>& info) {
  return info.ok() ? to_string(info.value().state) : "damaged";
}

std::string zone_json(const ZoneUse& use) {
  const auto info = use.zone->info();
  const ZoneInfo known = info.ok() ? info.value() : ZoneInfo{};
  const bool is_owned = known.state == ZoneState::kReady;
  return fmt::format(
      R"({{"name":{},"size":{},"state":"{}","owner":{},"layout":{},"unclean_ends":{},"generations":[{}]}})",
      quoted(use.zone->settings().name), use.zone->settings().size_bytes, state_of(info),
      is_owned ? quoted(known.owner.module) : "null", known.owner.version, known.unclean_ends,
      fmt::join(use.generations, ","));
}

std::string zone_line(const ZoneUse& use) {
  const auto info = use.zone->info();
  const bool is_owned = info.ok() && info.value().state == ZoneState::kReady;
  const std::string owner = is_owned
                                ? fmt::format(", owner {}, layout {}", info.value().owner.module,
                                              info.value().owner.version)
                                : "";
  return fmt::format("zone {}: {}, {}{}, generations {}\n", use.zone->settings().name,
                     format_size(use.zone->settings().size_bytes), state_of(info), owner,
                     fmt::join(use.generations, " "));
}

double balance_of(const Generation& generation) {
  std::vector<std::uint64_t> accepted;
  for (const auto& post : generation.pool().workers())
    accepted.push_back(totals_of(*post).values[0]);
  return drover::balance_of(accepted);
}

Totals grand_total(const StatusSource& source) {
  Totals totals = source.retired;
  for (const Generation* generation : source.generations) {
    for (const auto& post : generation->pool().workers()) {
      for (const Child* child : post->children()) totals.add(child->seat()->counters);
    }
  }
  return totals;
}

}  // namespace

double balance_of(const std::vector<std::uint64_t>& accepted) {
  const auto sum = std::accumulate(accepted.begin(), accepted.end(), std::uint64_t{0});
  if (sum == 0) return 0;
  const auto most = *std::max_element(accepted.begin(), accepted.end());
  return static_cast<double>(most) * static_cast<double>(accepted.size()) /
         static_cast<double>(sum);
}

std::string status_json(const StatusSource& source) {
  const Generation* current = serving(source);
  static const std::vector<ServerSettings> kNone;
  const auto& servers = current == nullptr ? kNone : current->settings().servers;
  return fmt::format(
      R"({{"pid":{},"version":"{}","uptime_ms":{},"generations":[{}],"balance":{:.3f},"servers":[{}],"zones":[{}],{},"totals":{{{}}}}})"
      "\n",
      source.pid, DROVER_VERSION, source.uptime.count(),
      joined(source.generations, [](const Generation* each) { return generation_json(*each); }),
      current == nullptr ? 0.0 : balance_of(*current),
      joined(servers, [&](const ServerSettings& server) { return server_json(source, server); }),
      joined(zones_of(source), &zone_json), recovery_json(*source.recovery),
      counters_json(grand_total(source)));
}

std::string status_table(const StatusSource& source) {
  std::string out = fmt::format("drover {}, pid {}, up {} s\n", DROVER_VERSION, source.pid,
                                source.uptime.count() / 1000);
  for (const Generation* generation : source.generations) {
    out += fmt::format("generation {} {}, balance {:.2f}\n", generation->number(),
                       Generation::to_string(generation->state()), balance_of(*generation));
    out += "  slot      pid  state      live    accepted  empty wake-ups  restarts  loop max\n";
    for (const auto& post : generation->pool().workers()) {
      const Child* child = post->child();
      const Totals totals = totals_of(*post);
      out += fmt::format(
          "  {:>4}  {:>7}  {:<8}  {:>5}  {:>10}  {:>14}  {:>8}  {:>5} us\n", post->slot(),
          pid_of(*post), state_of(*post), live_of(*post), totals.values[0], totals.values[1],
          post->restarts(),
          child == nullptr ? 0 : child->seat()->loop_max_us.load(std::memory_order_relaxed));
    }
    for (const HelperRow& row : helpers_of(*generation)) out += helper_line(row);
  }
  for (const ZoneUse& use : zones_of(source)) out += zone_line(use);
  out += metric_lines(source) + recovery_lines(*source.recovery);
  return out;
}

}  // namespace drover
