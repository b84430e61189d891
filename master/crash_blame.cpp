#include "master/crash_blame.h"

#include <sys/wait.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <string_view>

namespace drover {
namespace {

// A long name was cut when it was noted.
std::string protocol_named(std::string_view module, const Settings& settings) {
  const auto server = std::ranges::find_if(settings.servers, [module](const auto& each) {
    return std::string_view(each.protocol).substr(0, ModuleRange{}.module.size()) == module;
  });
  return server == settings.servers.end() ? "" : server->protocol;
}

std::string innermost_module(const CrashReport& report, const Settings& settings) {
  if (report.signal.load(std::memory_order_acquire) == 0) return "";
  for (const std::uint64_t address : frames_of(report)) {
    if (const ModuleRange* range = module_at(report, address))
      return protocol_named(noted(range->module), settings);
  }
  return "";
}

std::string running_module(const Seat& seat, const Settings& settings) {
  const int server = seat.running.load(std::memory_order_relaxed);
  const bool is_one = server >= 0 && server < static_cast<int>(settings.servers.size());
  return is_one ? settings.servers[static_cast<std::size_t>(server)].protocol : "";
}

}  // namespace

std::span<const std::uint64_t> frames_of(const CrashReport& report) {
  const auto count = static_cast<std::size_t>(std::clamp(report.frame_count, 0, kCrashFrames));
  return std::span(report.frames).first(count);
}

std::string_view noted(const ModuleRange::Name& name) {
  return {name.data(), strnlen(name.data(), name.size())};
}

const ModuleRange* module_at(const CrashReport& report, std::uint64_t address) {
  const auto count = static_cast<std::size_t>(std::clamp(report.module_count, 0, kCrashModules));
  const auto known = std::span(report.modules).first(count);
  const auto found = std::ranges::find_if(known, [address](const ModuleRange& module) {
    return address >= module.start && address < module.end;
  });
  return found == known.end() ? nullptr : &*found;
}

WorkerLoss blame(const Seat& seat, bool was_hung, int wait_status, const Settings& settings) {
  WorkerLoss loss{"", was_hung};
  const bool was_killed = WIFSIGNALED(wait_status) && WTERMSIG(wait_status) == SIGKILL;
  if (was_killed && !was_hung) return loss;
  if (!was_hung) loss.module = innermost_module(seat.crash, settings);
  if (loss.module.empty()) loss.module = running_module(seat, settings);
  return loss;
}

}  // namespace drover
