// The status from generations, scoreboard and kernel. Nobody is asked who could be slow: children
// are read from shared memory, sockets from the kernel.
#include <algorithm>
#include <iterator>
#include <numeric>

#include "master/status.h"

namespace drover {
namespace {

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

SeatReading reading_of(const Child& child, const Generation& generation, Millis now) {
  const SeatBounds bounds{now, child.born(),
                          static_cast<std::uint64_t>(generation.worker_connections()),
                          static_cast<std::uint64_t>(generation.settings().worker_streams)};
  return read_seat(*child.seat(), bounds);
}

ProcessStatus process_of(const Post& post, const Generation& generation, Millis now) {
  ProcessStatus process;
  process.state = state_of(post);
  process.restarts = post.restarts();
  process.last_crash = post.last_crash();
  const Child* child = post.child();
  if (child == nullptr) return process;
  process.pid = child->pid();
  process.uptime = now - child->born();
  process.heartbeat_age = reading_of(*child, generation, now).heartbeat_age;
  return process;
}

// All processes the slot has had in this generation.
Totals totals_of(const Post& post) {
  Totals totals = post.past();
  for (const Child* child : post.children()) totals.add(child->seat()->counters);
  return totals;
}

WorkerStatus worker_of(const Post& post, const Generation& generation, Millis now) {
  WorkerStatus worker;
  worker.slot = post.slot();
  worker.process = process_of(post, generation, now);
  worker.counters = totals_of(post);
  for (const Child* child : post.children()) {
    const SeatReading seat = reading_of(*child, generation, now);
    worker.live += seat.live;
    worker.streams += seat.streams;
    if (child != post.child()) continue;
    worker.turns = seat.turns;
    worker.loop_max_us = seat.loop_max_us;
    worker.loop_p99_us = seat.loop_p99_us;
  }
  return worker;
}

std::optional<AcceptorStatus> acceptor_of(const Generation& generation, Millis now) {
  const Post* post = generation.pool().acceptor();
  if (post == nullptr) return std::nullopt;
  AcceptorStatus acceptor{process_of(*post, generation, now), 0, totals_of(*post)};
  for (const Child* child : post->children()) acceptor.held += child->seat()->live.load();
  return acceptor;
}

// Helpers with the names that they have in the configuration.
std::vector<HelperStatus> helpers_of(const Generation& generation, Millis now) {
  std::vector<HelperStatus> helpers;
  for (const auto& post : generation.pool().helpers()) {
    const HelperName& name = generation.helpers()[helpers.size()];
    helpers.push_back({generation.settings().servers[name.server].name, name.name,
                       process_of(*post, generation, now)});
  }
  return helpers;
}

GenerationStatus generation_of(const Generation& generation, Millis now) {
  GenerationStatus status;
  status.number = generation.number();
  status.state = Generation::to_string(generation.state());
  std::vector<std::uint64_t> accepted;
  for (const auto& post : generation.pool().workers()) {
    status.workers.push_back(worker_of(*post, generation, now));
    accepted.push_back(status.workers.back().counters.values[0]);
  }
  status.balance = balance_of(accepted);
  status.acceptor = acceptor_of(generation, now);
  status.helpers = helpers_of(generation, now);
  return status;
}

std::vector<MetricStatus> metrics_of(const StatusSource& source, const Generation& generation,
                                     const std::string& server_name) {
  const auto& servers = generation.metrics().servers;
  const auto server = std::ranges::find(servers, server_name, &MetricLayout::Server::name);
  std::vector<MetricStatus> metrics;
  if (server == servers.end()) return metrics;
  for (const Metric& metric : server->metrics) {
    metrics.push_back(
        {metric.name, to_string(metric.kind), source.metrics.text(*server, metric), metric.help});
  }
  return metrics;
}

ServerStatus server_of(const StatusSource& source, const Generation& generation,
                       const ServerSettings& settings) {
  ServerStatus server{settings.name, to_string(settings.accept), settings.protocol, {}, 0, {}};
  std::ranges::transform(settings.listens, std::back_inserter(server.listens),
                         [](const auto& listen) { return listen.address.to_string(); });
  if (settings.max_connections > 0)
    server.connections = source.limits->count(source.limits->key(settings.name));
  server.metrics = metrics_of(source, generation, settings.name);
  return server;
}

std::string server_at(const std::vector<ServerStatus>& servers, const std::string& address) {
  for (const ServerStatus& server : servers) {
    if (std::ranges::count(server.listens, address) != 0) return server.name;
  }
  return "";
}

std::vector<ListenerStatus> listeners_of(const Listeners& listeners,
                                         const std::vector<ServerStatus>& servers) {
  const SocketQueues queues = SocketQueues::read();
  const std::vector<const ListenGroup*> groups = listeners.groups();
  std::vector<Address> addresses;
  std::ranges::transform(groups, std::back_inserter(addresses), &ListenGroup::address);
  const auto half_open = queues.half_open(addresses);
  std::vector<ListenerStatus> all;
  for (const ListenGroup* group : groups) {
    const std::string address = group->address().to_string();
    ListenerStatus listener{address, server_at(servers, address), half_open[all.size()], {}};
    for (const ListenGroup::Member& member : group->members()) {
      const bool is_surplus = static_cast<int>(listener.members.size()) >= group->active();
      if (!member.is_committed) continue;  // bound for a generation that is being built
      listener.members.push_back({member.id, is_surplus, queues.of(member.fd.get())});
    }
    all.push_back(std::move(listener));
  }
  return all;
}

ZoneStatus zone_of(const Zone& zone) {
  ZoneStatus status;
  status.name = zone.settings().name;
  status.size_bytes = zone.settings().size_bytes;
  const auto info = zone.info();
  status.state = info.ok() ? to_string(info.value().state) : "damaged";
  if (!info.ok()) return status;
  if (info.value().state >= ZoneState::kReady) status.owner = info.value().owner;
  status.unclean_ends = info.value().unclean_ends;
  return status;
}

// Each zone once, with the numbers of the generations that have it.
std::vector<ZoneStatus> zones_of(const StatusSource& source) {
  std::vector<ZoneStatus> zones;
  std::vector<const Zone*> seen;
  const auto add = [&](std::uint32_t generation, const ZoneSet& set) {
    for (const auto& zone : set) {
      const auto at = std::ranges::find(seen, zone.get()) - seen.begin();
      if (at == std::ssize(seen)) {
        seen.push_back(zone.get());
        zones.push_back(zone_of(*zone));
      }
      std::vector<std::uint32_t>& users = zones[static_cast<std::size_t>(at)].generations;
      if (std::ranges::find(users, generation) == users.end()) users.push_back(generation);
    }
  };
  for (const Generation* generation : source.generations)
    add(generation->number(), generation->zones());
  if (const Former* former = source.recovery->former()) add(former->generation, former->zones);
  return zones;
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

std::vector<ModuleStatus> modules_of(const Recovery& recovery) {
  std::vector<ModuleStatus> modules;
  for (const auto& [name, record] : recovery.modules()) modules.push_back({name, record});
  return modules;
}

RollbackStatus rollback_of(const Recovery& recovery) {
  const Former* former = recovery.former();
  return {recovery.window_left(), former == nullptr ? 0 : former->generation,
          recovery.taken_back()};
}

}  // namespace

SeatReading read_seat(const Seat& seat, const SeatBounds& bounds) {
  SeatReading reading;
  // No process has beaten before it was born, or will have in the future.
  const Millis beat{seat.heartbeat_ms.load(std::memory_order_relaxed)};
  reading.heartbeat_age = bounds.now - std::clamp(beat, bounds.born, bounds.now);
  reading.live =
      std::min<std::uint64_t>(seat.live.load(std::memory_order_relaxed), bounds.connections);
  reading.streams =
      std::min<std::uint64_t>(seat.streams.load(std::memory_order_relaxed), bounds.streams);
  reading.turns = seat.turns.load(std::memory_order_relaxed);
  reading.loop_max_us = seat.loop_max_us.load(std::memory_order_relaxed);
  reading.loop_p99_us =
      std::min(seat.loop_p99_us.load(std::memory_order_relaxed), reading.loop_max_us);
  return reading;
}

// In floating point: counters are what workers say, and their sum may not overflow.
double balance_of(const std::vector<std::uint64_t>& accepted) {
  const double sum = std::accumulate(accepted.begin(), accepted.end(), 0.0);
  if (sum == 0) return 0;
  const auto most = *std::max_element(accepted.begin(), accepted.end());
  return static_cast<double>(most) * static_cast<double>(accepted.size()) / sum;
}

StatusReport collect_status(const StatusSource& source) {
  StatusReport report;
  report.pid = source.pid;
  report.uptime = source.uptime;
  report.now = monotonic_now();
  for (const Generation* each : source.generations)
    report.generations.push_back(generation_of(*each, report.now));
  if (!source.generations.empty()) {
    const Generation& first = *source.generations.front();
    report.balance = report.generations.front().balance;
    for (const ServerSettings& server : first.settings().servers)
      report.servers.push_back(server_of(source, first, server));
  }
  report.listeners = listeners_of(*source.listeners, report.servers);
  report.zones = zones_of(source);
  report.modules = modules_of(*source.recovery);
  report.rollback = rollback_of(*source.recovery);
  report.predecessors = source.predecessors;
  report.totals = grand_total(source);
  return report;
}

}  // namespace drover
