#include "tools/kv/items.h"

#include <fmt/format.h>

#include "tools/kv/escape.h"
#include "tools/kv/session.h"

namespace drover::kv {
namespace {

using kvs::client::Client;
using kvs::client::Item;

constexpr std::uint32_t kPageItems = 100;

// `use` is called for each item, until it or the server has an error.
template <class Use>
Result<Exit> for_each_item(const Options& options, Use use) {
  const std::string prefix = options.arguments.empty() ? "" : options.arguments[0];
  DROVER_TRY(Client client, open_client(options));
  std::uint64_t cursor = 0;
  do {
    DROVER_TRY(const auto reply, client.scan(prefix, cursor, kPageItems));
    if (!reply.is_ok()) return exit_of(options, reply);
    for (const Item& item : reply.value.items) DROVER_TRY_DO(use(item));
    cursor = reply.value.next_cursor;
  } while (cursor != 0);
  return kDone;
}

}  // namespace

Result<Exit> run_scan(const Options& options) {
  std::uint64_t count = 0;
  DROVER_TRY(const Exit exit, for_each_item(options, [&](const Item& item) -> Status {
               ++count;
               return options.is_count ? Status(Done{}) : print(escaped(item.key) + '\n');
             }));
  if (exit == kDone && options.is_count) DROVER_TRY_DO(print(fmt::format("{}\n", count)));
  return exit;
}

Result<Exit> run_dump(const Options& options) {
  return for_each_item(options,
                       [](const Item& item) { return print(to_line(item.key, item.value)); });
}

}  // namespace drover::kv
