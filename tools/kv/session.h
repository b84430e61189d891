// What commands have in common: a connection to the server, what to do with its refusals, and the
// three places that text goes to.
#pragma once

#include <string>
#include <string_view>

#include "common/result.h"
#include "modules/kvs/client/client.h"
#include "tools/kv/commands.h"

namespace drover::kv {

// Connected, and authenticated if there is a token.
[[nodiscard]] Result<kvs::client::Client> open_client(const Options& options, int cancel_fd = -1);

// To standard output. A reader that went away ends the program by SIGPIPE, as any filter.
[[nodiscard]] Status print(std::string_view bytes);
// "drover-kv: get: what" to standard error.
void complain(const Options& options, std::string_view what);

// "It is not there" is an exit status, and told; other refusals are errors.
[[nodiscard]] Result<Exit> exit_of(const Options& options, kvs::kv1::Status status,
                                   std::string_view text);
template <class T>
[[nodiscard]] Result<Exit> exit_of(const Options& options, const kvs::client::Reply<T>& reply) {
  return exit_of(options, reply.status, reply.text);
}

}  // namespace drover::kv
