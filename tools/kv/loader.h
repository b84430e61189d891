// Lines made into SETs, many on their way, and what came of each.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "common/result.h"
#include "modules/kvs/client/pipeline.h"

namespace drover::kv {

struct LoadReport {
  std::uint64_t lines = 0;          // read
  std::uint64_t sent = 0;           // of them, those that are key and value
  std::uint64_t stored = 0;         // of them, those that the server has said OK to
  std::uint64_t failed = 0;         // not key and value, or refused
  std::vector<std::string> errors;  // "line 3: no tab between key and value": the first ten
};

class Loader {
 public:
  // The pipeline is borrowed, and nobody else's meanwhile.
  explicit Loader(kvs::client::Pipeline& pipeline) : pipeline_(pipeline) {}

  // A line that cannot be stored is counted and noted; an error is the connection's, or that the
  // server is going: to go on would only be told so of each line.
  Status add(std::string_view line);
  // Returns when no more than that many answers are missing.
  Status settle(std::size_t most_missing = 0);
  // Counts what has come, without waiting: after an error, the truth.
  void collect();

  [[nodiscard]] const LoadReport& report() const { return report_; }

 private:
  void count(const kvs::client::Answer& answer);
  void note(std::uint64_t line, std::string_view what);
  [[nodiscard]] Status server_stays() const;

  kvs::client::Pipeline& pipeline_;
  LoadReport report_;
  std::unordered_map<std::uint32_t, std::uint64_t> lines_;  // by RID, those on their way
  std::string farewell_;                                    // of a server that is going
};

}  // namespace drover::kv
