#include "tools/kv/session.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstdio>

namespace drover::kv {

using kvs::client::Client;

Result<Client> open_client(const Options& options, int cancel_fd) {
  DROVER_TRY(Client client, Client::connect(options.server, {options.timeout, cancel_fd}));
  if (options.token.empty()) return client;
  DROVER_TRY(const auto reply, client.auth(options.token));
  if (!reply.is_ok()) return Error("AUTH: " + kvs::client::describe(reply.status, reply.text));
  return client;
}

Status print(std::string_view bytes) {
  if (std::fwrite(bytes.data(), 1, bytes.size(), stdout) == bytes.size()) return Done{};
  return Error::from_errno("standard output");
}

void complain(const Options& options, std::string_view what) {
  fmt::print(stderr, "drover-kv: {}: {}\n", options.command->name, what);
}

Result<Exit> exit_of(const Options& options, kvs::kv1::Status status, std::string_view text) {
  switch (status) {
    case kvs::kv1::kOk:
      return kDone;
    case kvs::kv1::kNotFound:
    case kvs::kv1::kNotStored:
    case kvs::kv1::kExists:
      complain(options, kvs::client::describe(status, text));
      return kNotThere;
    default:
      return Error(kvs::client::describe(status, text));
  }
}

}  // namespace drover::kv
