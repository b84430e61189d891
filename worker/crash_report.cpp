#include "worker/crash_report.h"

#include <execinfo.h>
#include <link.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstddef>
#include <optional>

#include "common/check.h"

namespace drover {
namespace {

constexpr int kFatalSignals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGSYS};
constexpr std::size_t kStackSize =
    std::size_t{64} * 1024;  // unwinding takes more than the usual SIGSTKSZ

// A signal handler has no argument to carry these: they are the process's, as the handler is.
CrashReport* report_of_process = nullptr;
alignas(std::max_align_t) std::array<std::byte, kStackSize> handler_stack;

bool has_fault_address(int number) {
  return number == SIGSEGV || number == SIGBUS || number == SIGILL || number == SIGFPE;
}

// Async-signal-safe: backtrace() is, once libgcc is loaded.
void on_fatal_signal(int number, siginfo_t* cause, void* /*context*/) {
  CrashReport& report = *report_of_process;
  std::array<void*, kCrashFrames> frames{};
  report.frame_count = backtrace(frames.data(), kCrashFrames);
  std::transform(frames.begin(), frames.end(), report.frames.begin(),
                 [](void* frame) { return reinterpret_cast<std::uint64_t>(frame); });
  report.fault_address =
      has_fault_address(number) ? reinterpret_cast<std::uint64_t>(cause->si_addr) : 0;
  report.signal.store(number, std::memory_order_release);  // last: the rest is complete
  std::raise(number);                                      // SA_RESETHAND has restored the default
}

struct Search {
  std::uint64_t address = 0;
  std::optional<ModuleRange> found;
};

// Called by dl_iterate_phdr for each shared object.
int look_into(dl_phdr_info* object, std::size_t /*size*/, void* context) {
  auto& search = *static_cast<Search*>(context);
  ModuleRange range;
  range.start = range.end = object->dlpi_addr;
  for (int i = 0; i < object->dlpi_phnum; ++i) {
    const auto& segment = object->dlpi_phdr[i];
    if (segment.p_type != PT_LOAD) continue;
    range.end = std::max(range.end, range.start + segment.p_vaddr + segment.p_memsz);
  }
  if (search.address >= range.start && search.address < range.end) search.found = range;
  return search.found ? 1 : 0;
}

void install_stack() {
  stack_t stack{};
  stack.ss_sp = handler_stack.data();
  stack.ss_size = handler_stack.size();
  DROVER_CHECK(sigaltstack(&stack, nullptr) == 0);
}

}  // namespace

void install_crash_handler(CrashReport& report) {
  report_of_process = &report;
  void* warm_up = nullptr;
  backtrace(&warm_up, 1);
  install_stack();
  struct sigaction action {};
  action.sa_sigaction = on_fatal_signal;
  action.sa_flags = static_cast<int>(SA_SIGINFO | SA_ONSTACK | SA_RESETHAND | SA_NODEFER);
  sigemptyset(&action.sa_mask);
  for (const int number : kFatalSignals) DROVER_CHECK(sigaction(number, &action, nullptr) == 0);
}

void record_module(CrashReport& report, std::string_view path, const char* name) {
  if (report.module_count == kCrashModules) return;
  Search search{reinterpret_cast<std::uint64_t>(name), std::nullopt};
  dl_iterate_phdr(look_into, &search);
  if (!search.found) return;
  const std::string_view file = path.substr(path.rfind('/') + 1);
  const std::string_view module = name;
  std::ranges::copy(file.substr(0, search.found->file.size()), search.found->file.begin());
  std::ranges::copy(module.substr(0, search.found->module.size()), search.found->module.begin());
  report.modules[static_cast<std::size_t>(report.module_count++)] = *search.found;
}

}  // namespace drover
