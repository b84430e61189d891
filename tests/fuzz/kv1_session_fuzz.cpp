// What a client of the key-value module sends, with a real store behind: nothing it says breaks
// anything, and however it is split the answers are the same.
#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "modules/kvs/kv1/session.h"

namespace {

using kvs::kv1::Output;
using kvs::kv1::Session;
using kvs::kv1::Wait;

constexpr std::size_t kMemory = std::size_t{1} << 20;
constexpr kvs::kv1::Limits kLimits{.frame = {.key_bytes = 40, .value_bytes = 2'000},
                                   .inflight = 5,
                                   .output_bytes = 4'000,
                                   .memory_bytes = std::size_t{1} << 20};
kvs::kv1::Time test_time{};

std::span<std::byte> memory() {
  static void* bytes =
      mmap(nullptr, kMemory, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  return {static_cast<std::byte*>(bytes), kMemory};
}

// A store that is the same each time.
struct Server {
  Server() {
    madvise(memory().data(), kMemory, MADV_REMOVE);
    const auto created = kvs::Store::create(memory(), {.readers = 4, .secret = {{1, 2}}});
    if (created != kvs::Attached::kAttached) __builtin_trap();
    store = kvs::Store::attach(memory()).store;
    store->set_now(1'000);
    service = std::make_unique<kvs::kv1::Service>(*store, kLimits);
    service->clock = [] { return test_time; };
  }
  std::unique_ptr<kvs::Store> store;
  std::unique_ptr<kvs::kv1::Service> service;
};

// A client that reads all it gets at once. STATS tells how often it was called: no part of it.
std::string answers_to(std::string_view bytes, std::size_t piece) {
  Server server;
  Session session(*server.service);
  std::string all;
  std::string written;
  const auto take = [&] {
    if (written.size() > kLimits.output_bytes + 60'000) __builtin_trap();
    all += written;
    written.clear();
  };
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    Output output{written};
    session.receive(std::string(bytes.substr(at, piece)), output);
    take();
    while (session.wait() != Wait::kNothing && !session.is_over()) {
      server.store->end_batch();
      server.service->work_time.begin_turn();
      test_time += kvs::kv1::kBusyGlance;
      session.resume(output);
      take();
    }
  }
  Output output{written};
  session.end(output);
  if (!session.is_over()) __builtin_trap();
  return all;
}

bool has_stats(std::string_view answers) {
  return answers.find("worker_requests") != std::string_view::npos;
}

}  // namespace

// The first byte says how long the pieces are.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::string expected = answers_to(bytes, bytes.size() + 1);
  const std::string seen = answers_to(bytes, 1 + data[0] % 64);
  if (seen != expected && !has_stats(expected)) __builtin_trap();
  return 0;
}
