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

#include "master/crash_blame.h"

namespace drover {
namespace {

// A module is not loaded here: of it there is what the worker noted when it loaded it.
std::string place_in_module(std::uint64_t address, const CrashReport& report) {
  const ModuleRange* module = module_at(report, address);
  if (module == nullptr) return "in a module";
  const std::size_t length = strnlen(module->file.data(), module->file.size());
  return fmt::format("{}+{:#x}", std::string_view(module->file.data(), length),
                     address - module->start);
}

// A child is forked, not exec'ed, so an address in the binary or a library means the same here.
std::string symbolise(std::uint64_t address, const CrashReport& report) {
  Dl_info info{};
  if (dladdr(reinterpret_cast<void*>(address), &info) == 0) return place_in_module(address, report);
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

void log_crash(Log& log, const std::string& who, const CrashReport& report) {
  const int number = report.signal.load(std::memory_order_acquire);
  if (number <= 0 || number >= NSIG) return;
  const char* name = sigabbrev_np(number);
  log.error("{} crashed: signal={} address={:#x}", who, name == nullptr ? "?" : name,
            report.fault_address);
  const int frames = std::clamp(report.frame_count, 0, kCrashFrames);
  for (int i = 0; i < frames; ++i) {
    const std::uint64_t address = report.frames[static_cast<std::size_t>(i)];
    log.error("{} crashed: frame={} address={:#x} {}", who, i, address, symbolise(address, report));
  }
}

}  // namespace drover
