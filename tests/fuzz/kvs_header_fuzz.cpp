// The header of a key-value store as the next process finds it in a zone: bytes written over a good
// one, or one with any counts and a right checksum. It is refused, or all that it names lies in the
// memory, and a store can be attached there.
#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "common/check.h"
#include "modules/kvs/store/store.h"

namespace {

using kvs::Attached;

constexpr std::size_t kMemory = std::size_t{1} << 20;
constexpr std::uint64_t kHeader = 4096;

std::span<std::byte> fresh_memory() {
  static void* bytes =
      mmap(nullptr, kMemory, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  madvise(bytes, kMemory, MADV_REMOVE);
  return {static_cast<std::byte*>(bytes), kMemory};
}

void write_counts(std::span<std::byte> memory, std::span<const std::uint8_t> data) {
  std::array<std::uint32_t, 5> numbers{};
  std::memcpy(numbers.data(), data.data(), std::min(data.size(), sizeof numbers));
  kvs::Plan plan;
  plan.layout.counts = {numbers[0], numbers[1], numbers[2], numbers[3], numbers[4]};
  kvs::write_header(memory, plan);
}

void write_over(std::span<std::byte> memory, std::span<const std::uint8_t> data) {
  DROVER_CHECK(kvs::Store::create(memory, {.readers = 4, .secret = {{1, 2}}}) ==
               Attached::kAttached);
  for (std::size_t i = 0; i < std::min<std::size_t>(data.size(), kHeader); ++i)
    memory[i] ^= static_cast<std::byte>(data[i]);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::span<std::byte> memory = fresh_memory();
  const bool is_counts = data[0] % 2 == 0;
  (is_counts ? write_counts : write_over)(memory, std::span(data, size).subspan(1));
  kvs::Plan plan;
  if (kvs::read_header(memory, plan) != Attached::kAttached) return 0;
  const kvs::Layout& at = plan.layout;
  const std::array regions{kHeader,    at.globals,     at.readers,    at.changes,
                           at.shards,  at.page_owners, at.page_infos, at.buckets,
                           at.markers, at.pages,       at.end};
  DROVER_CHECK(std::ranges::is_sorted(regions) && at.end <= memory.size());
  // Mutexes that nobody has initialised are zeroes, which is a mutex that is not robust: no more
  // than its slot is asked of it.
  const auto opened = kvs::Store::attach(memory);
  if (opened.store == nullptr) return 0;
  opened.store->set_now(1);
  (void)opened.store->get("/a/b");
  (void)opened.store->longest_prefix("/a/b/c", kvs::Match::kByte);
  opened.store->end_batch();
  return 0;
}
