// test_malloc and its kin: memory with guards around it, which a test has to give back.
#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <vector>

#include "layer.hpp"

namespace drover::cmocka {
namespace {

constexpr std::size_t kGuardSize = 16;  // and so the memory is aligned as malloc's
constexpr unsigned char kGuard = 0xE3;
constexpr unsigned char kFresh = 0xBA;  // what is read before it is written

struct Block {
  Place place;
  std::size_t number;
  std::size_t size;
  std::vector<unsigned char> bytes;  // with the guards

  Block(Place where, std::size_t which, std::size_t wanted)
      : place(where), number(which), size(wanted), bytes(wanted + 2 * kGuardSize, kGuard) {
    std::fill_n(memory(), size, kFresh);
  }
  [[nodiscard]] unsigned char* memory() { return bytes.data() + kGuardSize; }
  [[nodiscard]] bool is_whole() const {
    const auto is_guard = [](unsigned char byte) { return byte == kGuard; };
    const auto behind = bytes.begin() + static_cast<std::ptrdiff_t>(kGuardSize + size);
    return std::all_of(bytes.begin(), bytes.begin() + kGuardSize, is_guard) &&
           std::all_of(behind, bytes.end(), is_guard);
  }
};

struct Blocks {
  std::map<const void*, std::unique_ptr<Block>> living;  // by what the test has
  std::size_t last_number = 0;
};

// As the notes of mocks, of the process.
Blocks& blocks() {
  static Blocks all;
  return all;
}

void* allocate(std::size_t size, Place place) {
  auto block = std::make_unique<Block>(place, ++blocks().last_number, size);
  void* memory = block->memory();
  blocks().living[memory] = std::move(block);
  return memory;
}

// False when that is told.
bool give_back(void* memory, Place place) {
  const auto found = blocks().living.find(memory);
  if (found == blocks().living.end())
    return !told(place, "test_free of what test_malloc has not given");
  const auto block = std::move(found->second);
  blocks().living.erase(found);
  if (block->is_whole()) return true;
  return !told(place, "written beyond the " + std::to_string(block->size) +
                          " bytes that were allocated at " + at(block->place));
}

// Null when that is told.
void* grow(void* memory, std::size_t size, Place place) {
  const auto found = blocks().living.find(memory);
  const std::size_t kept = found == blocks().living.end() ? 0 : std::min(size, found->second->size);
  void* grown = allocate(size, place);
  std::memcpy(grown, memory, kept);
  return give_back(memory, place) ? grown : nullptr;
}

}  // namespace

std::size_t memory_mark() { return blocks().last_number; }

bool is_no_memory_left(std::size_t mark) {
  bool is_none = true;
  for (const auto& entry : blocks().living) {
    const Block& block = *entry.second;
    if (block.number <= mark) continue;
    is_none = false;
    told(block.place, std::to_string(block.size) + " bytes were not given back");
  }
  return is_none;
}

void free_memory(std::size_t mark) {
  std::erase_if(blocks().living, [mark](const auto& entry) { return entry.second->number > mark; });
}

}  // namespace drover::cmocka

using namespace drover::cmocka;

extern "C" {

void* drover_cmocka_malloc(size_t size, const char* file, int line) {
  return allocate(size, {file, line});
}

void* drover_cmocka_calloc(size_t number, size_t size, const char* file, int line) {
  size_t all = 0;
  if (__builtin_mul_overflow(number, size, &all)) return nullptr;
  return std::memset(allocate(all, {file, line}), 0, all);
}

void* drover_cmocka_realloc(void* pointer, size_t size, const char* file, int line) {
  if (pointer == nullptr) return allocate(size, {file, line});
  if (size == 0) {
    drover_cmocka_free(pointer, file, line);
    return nullptr;
  }
  void* grown = grow(pointer, size, {file, line});
  if (grown == nullptr) leave();
  return grown;
}

void drover_cmocka_free(void* pointer, const char* file, int line) {
  if (pointer != nullptr && !give_back(pointer, {file, line})) leave();
}

}  // extern "C"
