#include "tools/kv/loader.h"

#include <fmt/format.h>

#include "tools/kv/escape.h"

namespace drover::kv {
namespace {

// Half of what a server takes of one connection, unless it is told otherwise.
constexpr std::size_t kMostInFlight = 512;
constexpr std::size_t kMostErrors = 10;

}  // namespace

Status Loader::add(std::string_view line) {
  ++report_.lines;
  const Result<Pair> pair = parse_line(line);
  if (!pair) return note(report_.lines, pair.error().message()), Done{};
  if (lines_.size() >= kMostInFlight) DROVER_TRY_DO(settle(kMostInFlight - 1));
  DROVER_TRY(const std::uint32_t rid,
             pipeline_.send(kvs::kv1::kSet, pair.value().key, pair.value().value));
  ++report_.sent;
  lines_.emplace(rid, report_.lines);
  collect();
  return server_stays();
}

Status Loader::settle(std::size_t most_missing) {
  while (lines_.size() > most_missing) {
    DROVER_TRY(const kvs::client::Answer answer, pipeline_.receive());
    count(answer);
    collect();
  }
  return server_stays();
}

void Loader::collect() {
  while (const auto answer = pipeline_.take()) count(*answer);
}

void Loader::count(const kvs::client::Answer& answer) {
  const auto found = lines_.find(answer.rid);
  if (found == lines_.end()) return;
  if (answer.status == kvs::kv1::kOk) {
    ++report_.stored;
  } else if (answer.status == kvs::kv1::kShuttingDown) {
    farewell_ = kvs::client::describe(answer.status, answer.value);
  } else {
    note(found->second, kvs::client::describe(answer.status, answer.value));
  }
  lines_.erase(found);
}

Status Loader::server_stays() const {
  if (!farewell_.empty()) return Error(farewell_);
  return Done{};
}

void Loader::note(std::uint64_t line, std::string_view what) {
  ++report_.failed;
  if (report_.errors.size() >= kMostErrors) return;
  report_.errors.push_back(fmt::format("line {}: {}", line, what));
}

}  // namespace drover::kv
