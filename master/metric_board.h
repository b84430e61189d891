// Where the workers of one master count for their modules: memory that they share with it, of which
// whoever comes after it has a descriptor, so that counters go on over its death and over upgrades.
// The counters are named in it, as records (common/tlv.h). Who has another layout cannot read it.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "common/metrics.h"
#include "common/result.h"
#include "common/unique_fd.h"
#include "master/metric_sums.h"

namespace drover {

class MetricBoard {
 public:
  // This master's own. Untouched pages cost nothing.
  MetricBoard();
  // Another master's; an error when it is none, or has another layout.
  [[nodiscard]] static Result<MetricBoard> map(UniqueFd fd);

  [[nodiscard]] int fd() const { return fd_.get(); }

  // Before any row of the layout's generation is taken.
  void lay_out(const MetricLayout& layout);
  // A process's cells, all zero.
  [[nodiscard]] std::span<MetricCell> take_row(int seat, const MetricLayout& layout);
  // Of a process that has been reaped. `retired` are the sums of all that are gone, with this one.
  void release_row(int seat, const MetricSums& retired);
  // The same when others are gone whose row is not here.
  void retire(const MetricSums& retired);

  // All counters: of who is gone, and of the rows that are taken. What a process has garbled is
  // left out.
  [[nodiscard]] MetricSums counters() const;

 private:
  struct Memory;
  struct Unmap {
    void operator()(Memory* memory) const;
  };
  struct Retired;

  MetricBoard(UniqueFd fd, Memory* memory) : fd_(std::move(fd)), memory_(memory) {}
  void write_retired(const MetricSums& retired, std::uint64_t life);
  void add_rows(MetricSums& sums, std::uint64_t retired_life) const;

  UniqueFd fd_;  // a sealed memfd
  std::unique_ptr<Memory, Unmap> memory_;
};

}  // namespace drover
