#include "tools/kv/load.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/unique_fd.h"
#include "tools/kv/interrupt.h"
#include "tools/kv/line_reader.h"
#include "tools/kv/loader.h"
#include "tools/kv/progress.h"
#include "tools/kv/session.h"

namespace drover::kv {
namespace {

using kvs::client::Client;

Result<UniqueFd> open_input(const std::string& name) {
  UniqueFd fd(name == "-" ? ::dup(STDIN_FILENO) : ::open(name.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.is_open()) return Error::from_errno(name);
  struct stat about {};
  if (::fstat(fd.get(), &about) == 0 && S_ISDIR(about.st_mode))
    return Error::from_errno(name, EISDIR);
  return fd;
}

// 0: it has none.
std::uint64_t size_of(int fd) {
  struct stat about {};
  const bool is_file = ::fstat(fd, &about) == 0 && S_ISREG(about.st_mode);
  return is_file ? static_cast<std::uint64_t>(about.st_size) : 0;
}

// What a slow writer has written is in the store before its next line is waited for.
Status load_lines(LineReader& reader, Loader& loader, Progress& progress) {
  for (;;) {
    while (const auto line = reader.next()) {
      DROVER_TRY_DO(loader.add(*line));
      progress.update(reader.read_bytes(), loader.report().lines);
    }
    if (reader.is_at_end()) return loader.settle();
    if (!reader.is_ready()) DROVER_TRY_DO(loader.settle());
    DROVER_TRY_DO(reader.fill());
  }
}

void tell_failures(const Options& options, const LoadReport& report) {
  for (const std::string& error : report.errors) complain(options, error);
  const std::uint64_t more = report.failed - report.errors.size();
  if (more > 0) complain(options, fmt::format("and {} more", more));
}

Result<Exit> tell(const Options& options, const LoadReport& report) {
  tell_failures(options, report);
  if (!options.is_quiet) {
    DROVER_TRY_DO(print(fmt::format("lines {}, stored {}, failed {}\n", report.lines, report.stored,
                                    report.failed)));
  }
  return report.failed == 0 ? kDone : kNotThere;
}

// How far it came, for who wants to go on from there: answers may come in any order, so that the
// lines stored need not be the first.
Error in_the_middle(const Error& error, const LoadReport& report) {
  return Error(fmt::format("{}; of {} lines read, {} were sent and {} acknowledged as stored",
                           error.message(), report.lines, report.sent, report.stored));
}

}  // namespace

Result<Exit> run_load(const Options& options) {
  Result<UniqueFd> input = open_input(options.arguments[0]);
  if (!input) return complain(options, input.error().message()), kWrongUse;
  Interrupt interrupt;
  DROVER_TRY(Client client, open_client(options, interrupt.fd()));
  Loader loader(client.pipeline());
  LineReader reader(input->get(), interrupt.fd());
  Progress progress(!options.is_quiet && ::isatty(STDERR_FILENO) != 0, size_of(input->get()));

  const Status status = load_lines(reader, loader, progress);
  progress.clear();
  if (status.ok()) return tell(options, loader.report());
  const bool is_interrupted = interrupt.take();
  // What was sent is answered, if the server answers in time; a second interrupt does not wait.
  if (is_interrupted) static_cast<void>(loader.settle());
  loader.collect();
  tell_failures(options, loader.report());
  const Error error = in_the_middle(status.error(), loader.report());
  if (!is_interrupted) return error;
  complain(options, error.message());
  interrupt.end_program();
}

}  // namespace drover::kv
