#include "master/crash_log.h"

#include <cxxabi.h>
#include <dlfcn.h>
#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string_view>
#include <utility>

#include "master/crash_blame.h"
#include "master/process_end.h"

namespace drover {
namespace {

constexpr std::size_t kLongestFrame = 200;  // the names of templates know no end

// Where in a module an address lies.
struct Place {
  std::string module;
  std::uint64_t offset;
};

std::string printable(std::string_view text) {
  std::string out(text);
  std::ranges::replace_if(
      out, [](char c) { return c < 0x21 || c > 0x7e; }, '?');
  return out;
}

// A module is not loaded here: of it there is what the worker noted when it loaded it.
std::optional<Place> place_in_module(std::uint64_t address, const CrashReport& report) {
  const ModuleRange* module = module_at(report, address);
  if (module == nullptr) return std::nullopt;
  return Place{printable(noted(module->file)), address - module->start};
}

// A child is forked, not exec'ed, so an address in the binary or a library means the same here.
std::string symbolise(std::uint64_t address, const CrashReport& report) {
  Dl_info info{};
  if (dladdr(reinterpret_cast<void*>(address), &info) == 0) {
    const auto place = place_in_module(address, report);
    return place ? fmt::format("{}+{:#x}", place->module, place->offset) : "in a module";
  }
  if (info.dli_sname == nullptr) {
    return fmt::format("{}+{:#x}", info.dli_fname,
                       address - reinterpret_cast<std::uint64_t>(info.dli_fbase));
  }
  int status = 0;
  const std::unique_ptr<char, void (*)(void*)> readable(
      abi::__cxa_demangle(info.dli_sname, nullptr, nullptr, &status), std::free);
  return fmt::format("{}+{:#x}", status == 0 ? readable.get() : info.dli_sname,
                     address - reinterpret_cast<std::uint64_t>(info.dli_saddr));
}

}  // namespace

std::optional<CrashDescription> describe_crash(const CrashReport& report) {
  const int number = report.signal.load(std::memory_order_acquire);
  if (number <= 0 || number >= NSIG) return std::nullopt;
  CrashDescription crash{signal_name(number), report.fault_address, {}, {}};
  for (const std::uint64_t address : frames_of(report)) {
    const auto place = place_in_module(address, report);
    if (place && crash.module.empty()) crash.module = place->module;
    const std::string frame = fmt::format("{:#x} {}", address, symbolise(address, report));
    crash.frames.push_back(frame.substr(0, kLongestFrame));
  }
  return crash;
}

void log_crash(Log& log, const std::string& who, const CrashDescription& crash) {
  log.error("{} crashed: signal={} address={:#x}", who, crash.signal, crash.address);
  for (std::size_t i = 0; i < crash.frames.size(); ++i) {
    log.error("{} crashed: frame={} address={}", who, i, crash.frames[i]);
  }
}

}  // namespace drover
