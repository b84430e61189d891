// Opens COUNT connections, says so, and holds them until its standard input ends. With `talk` each
// exchanges one message first: a connection that has served and then sleeps is the usual idle one.
#include <unistd.h>

#include <cstdio>
#include <string>
#include <vector>

#include "tests/bench/bench_args.h"
#include "tests/support/client.h"
#include "tests/support/failure.h"

int main(int argc, char** argv) {
  using drover::test::Client;
  const auto args = drover::bench::arguments(argc, argv, 3, "PORT COUNT talk|silent");
  const auto to = drover::test::Endpoint::v4(static_cast<std::uint16_t>(std::stoul(args[0])));
  const std::string message(64, 'd');
  std::vector<Client> clients;
  for (long i = 0; i < std::stol(args[1]); ++i) {
    clients.emplace_back(to, drover::bench::source(i));
    drover::test::reset_on_close(clients.back().fd());
    if (args[2] == "talk" && clients.back().exchange(message) != message)
      drover::test::fail("no echo");
  }
  std::printf("{\"open\": %zu}\n", clients.size());
  std::fflush(stdout);
  char end = 0;
  while (::read(STDIN_FILENO, &end, 1) > 0) {
  }
}
