#include "master/metric_board.h"

#include <sys/mman.h>
#include <sys/types.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <map>

#include "common/check.h"
#include "common/fault.h"
#include "common/scoreboard.h"
#include "common/sealed_memfd.h"
#include "common/tlv.h"

namespace drover {
namespace {

constexpr std::array<char, 8> kMagic{'d', 'r', 'v', 'm', 'e', 't', 'r', 'c'};
// Changes with every change of Memory that its size does not show.
constexpr std::uint64_t kVersion = 1;
constexpr std::size_t kMaxText = std::size_t{1} << 20U;  // more than any configuration has counters
constexpr std::size_t kMaxCells = kMaxBoardServers * kMaxMetrics;
constexpr std::size_t kMaxRecords = kMaxText / 64;  // a record takes more
constexpr int kMostReads = 8;

// Named counters as text. The number is a value, or which cell has it.
struct Text {
  std::atomic<std::uint64_t> size;
  std::array<char, kMaxText> bytes;

  [[nodiscard]] std::string copy() const {
    return {bytes.data(), std::min<std::size_t>(size.load(), kMaxText)};
  }
  void write(std::string_view text) {
    DROVER_CHECK(text.size() <= kMaxText);
    std::memcpy(bytes.data(), text.data(), text.size());
    size = text.size();
  }
};

enum Field : std::uint16_t { kCounter = 1, kServer, kModule, kName, kNumber };

// What does not fit is not handed on: only names that many reloads have made.
std::string encode(const std::vector<CounterValue>& counters) {
  std::string text;
  for (const CounterValue& each : counters) {
    TlvWriter inner;
    inner.put(kServer, each.server);
    inner.put(kModule, each.module);
    inner.put(kName, each.name);
    inner.put_number(kNumber, each.value);
    TlvWriter out;
    out.put(kCounter, inner.bytes());
    if (text.size() + out.bytes().size() <= kMaxText) text += out.bytes();
  }
  return text;
}

Result<CounterValue> decode_one(std::string_view text) {
  CounterValue counter;
  DROVER_TRY(const auto records, parse_tlv(text));
  for (const TlvRecord& record : records) {
    if (record.type == kServer) counter.server = record.value;
    if (record.type == kModule) counter.module = record.value;
    if (record.type == kName) counter.name = record.value;
    if (record.type == kNumber) {
      DROVER_TRY(counter.value, record.number());
    }
  }
  return counter;
}

std::vector<CounterValue> decode(const std::string& text) {
  std::vector<CounterValue> counters;
  const auto records = parse_tlv(text);
  if (!records.ok()) return counters;
  for (const TlvRecord& record : records.value()) {
    if (counters.size() == kMaxRecords) break;
    auto counter = decode_one(record.value);
    if (record.type == kCounter && counter.ok()) counters.push_back(std::move(counter).value());
  }
  return counters;
}

std::vector<CounterValue> cells_of(const MetricLayout& layout) {
  std::vector<CounterValue> cells;
  for (const MetricLayout::Server& server : layout.servers) {
    for (std::size_t i = 0; i < server.metrics.size(); ++i) {
      const Metric& metric = server.metrics[i];
      if (metric.kind == MetricKind::kCounter)
        cells.push_back({server.name, server.module, metric.name, server.first + i});
    }
  }
  return cells;
}

std::size_t index_of(std::uint32_t generation) { return generation % kBoards; }

// Without its pages in a core dump, which would make them all.
void* map_shared(int fd, std::size_t size, int protection) {
  void* memory = mmap(nullptr, size, protection, MAP_SHARED | MAP_NORESERVE, fd, 0);
  if (memory != MAP_FAILED) madvise(memory, size, MADV_DONTDUMP);
  return memory;
}

}  // namespace

// The sums at one moment. `life` is the row that has just gone into them, and may still be taken.
struct MetricBoard::Retired {
  std::uint64_t life;
  Text text;
};

// All zero is a board that nobody has counted on.
struct MetricBoard::Memory {
  struct Layout {
    std::uint32_t generation;
    std::atomic<std::uint32_t> cells;
    Text text;
  };
  // Apart from the cells: whoever looks for rows that are taken touches no page of the others.
  struct Row {
    std::atomic<std::uint64_t> life;  // 0: not taken; no two have the same
    std::atomic<std::uint32_t> generation;
  };
  using Cells = std::array<MetricCell, kMaxCells>;
  std::array<char, 8> magic;
  std::uint64_t version;
  std::uint64_t last_life;
  std::atomic<std::uint64_t> retired_count;  // retired[retired_count % 2] is valid
  std::array<Retired, 2> retired;
  std::array<Layout, kBoards> layouts;
  std::array<Row, kMaxSeats> rows;
  std::array<Cells, kMaxSeats> cells;
};

MetricBoard::MetricBoard() {
  auto fd = make_sealed_memfd("drover-metrics", sizeof(Memory));
  DROVER_CHECK(fd.ok());
  fd_ = std::move(fd).value();
  void* memory = map_shared(fd_.get(), sizeof(Memory), PROT_READ | PROT_WRITE);
  DROVER_CHECK(memory != MAP_FAILED);
  memory_.reset(static_cast<Memory*>(memory));
  memory_->magic = kMagic;
  memory_->version = kVersion;
}

Result<MetricBoard> MetricBoard::map(UniqueFd fd) {
  if (fault("metric_board")) return Error("the counters of modules have another layout");
  DROVER_TRY(const std::size_t size, size_of_sealed_memfd(fd.get()));
  if (size != sizeof(Memory)) return Error("the counters of modules have another layout");
  void* memory = map_shared(fd.get(), sizeof(Memory), PROT_READ);
  if (memory == MAP_FAILED) return Error::from_errno("mmap of the counters of modules");
  MetricBoard board(std::move(fd), static_cast<Memory*>(memory));
  if (board.memory_->magic != kMagic || board.memory_->version != kVersion)
    return Error("the counters of modules have another layout");
  return board;
}

void MetricBoard::Unmap::operator()(Memory* memory) const { munmap(memory, sizeof(Memory)); }

void MetricBoard::lay_out(const MetricLayout& layout) {
  DROVER_CHECK(layout.cells <= kMaxCells);
  Memory::Layout& mine = memory_->layouts[index_of(layout.generation)];
  mine.generation = layout.generation;
  mine.cells = static_cast<std::uint32_t>(layout.cells);
  mine.text.write(encode(cells_of(layout)));
}

std::span<MetricCell> MetricBoard::take_row(int seat, const MetricLayout& layout) {
  const auto index = static_cast<std::size_t>(seat);
  Memory::Row& row = memory_->rows[index];
  const std::span<MetricCell> cells = std::span(memory_->cells[index]).first(layout.cells);
  for (MetricCell& cell : cells) cell = 0;
  row.generation = layout.generation;
  row.life = ++memory_->last_life;
  return cells;
}

// One store makes the sums valid, and says that the row is in them: whoever looks in between counts
// it once, also when this process dies here.
void MetricBoard::release_row(int seat, const MetricSums& retired) {
  Memory::Row& row = memory_->rows[static_cast<std::size_t>(seat)];
  write_retired(retired, row.life);
  pause_point("metrics.retired");
  row.life = 0;
}

void MetricBoard::retire(const MetricSums& retired) { write_retired(retired, 0); }

void MetricBoard::write_retired(const MetricSums& retired, std::uint64_t life) {
  const std::uint64_t next = memory_->retired_count + 1;
  std::atomic_thread_fence(std::memory_order_release);  // readers of the spare see it is none
  Retired& spare = memory_->retired[next % 2];
  spare.life = life;
  spare.text.write(encode(retired.counters()));
  memory_->retired_count = next;
}

// Cells first, then names: a layout is read once, however many rows have it.
void MetricBoard::add_rows(MetricSums& sums, std::uint64_t retired_life) const {
  std::map<std::size_t, std::vector<std::uint64_t>> cells;  // by layout
  for (std::size_t seat = 0; seat < memory_->rows.size(); ++seat) {
    const Memory::Row& row = memory_->rows[seat];
    const std::uint64_t life = row.life;
    const std::uint32_t generation = row.generation;
    const Memory::Layout& layout = memory_->layouts[index_of(generation)];
    if (life == 0 || life == retired_life || layout.generation != generation) continue;
    std::vector<std::uint64_t>& sum = cells[index_of(generation)];
    sum.resize(std::min<std::size_t>(layout.cells, kMaxCells));
    for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += memory_->cells[seat][i];
  }
  for (const auto& [index, sum] : cells) {
    for (CounterValue each : decode(memory_->layouts[index].text.copy())) {
      if (each.value >= sum.size()) continue;
      each.value = sum[each.value];
      sums.add_counter(each);
    }
  }
}

// Who writes may be a former master, whose processes end one by one.
MetricSums MetricBoard::counters() const {
  MetricSums sums;
  for (int read = 0; read < kMostReads; ++read) {
    const std::uint64_t count = memory_->retired_count;
    const Retired& retired = memory_->retired[count % 2];
    sums = {};
    for (const CounterValue& each : decode(retired.text.copy())) sums.add_counter(each);
    add_rows(sums, retired.life);
    std::atomic_thread_fence(std::memory_order_acquire);  // what was read was read before
    if (memory_->retired_count == count) break;
  }
  return sums;
}

}  // namespace drover
