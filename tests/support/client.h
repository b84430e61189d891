// One client connection with a deadline on everything: what a test types by hand. Failures of the
// connection that a test does not ask about are exceptions (failure.h).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/unique_fd.h"
#include "tests/support/endpoint.h"
#include "tests/support/wait.h"

namespace drover::test {

class Client {
 public:
  // Connects or throws; `source` is a 127.0.0.x to come from.
  explicit Client(const Endpoint& to, const std::string& source = "", Millis patience = kPatience);

  // The same for a connection that may be refused: empty, with the reason in `why` when it is
  // given.
  static std::optional<Client> try_connect(const Endpoint& to, int* why = nullptr,
                                           const std::string& source = "",
                                           Millis patience = kPatience);

  void send_all(std::string_view bytes);
  // Sends what the kernel takes now; 0 when it takes nothing.
  size_t send_some(std::string_view bytes);
  // Exactly `size` bytes, or throws saying how many came before the end, the error or the deadline.
  [[nodiscard]] std::string receive(size_t size);
  // What is there now, at most `size`; waits for the first byte. Empty at the end of the stream.
  [[nodiscard]] std::string receive_some(size_t size = 65536);
  // All bytes until the peer's end.
  [[nodiscard]] std::string receive_all();
  // send_all, then as many bytes back.
  [[nodiscard]] std::string exchange(std::string_view bytes);

  void half_close();
  void reset();  // closes with RST
  void close() { fd_.reset(); }

  // What comes next, waiting at most `patience`: bytes, a clean end, an error such as ECONNRESET,
  // or nothing.
  enum class Next { kBytes, kEnd, kError, kSilence };
  [[nodiscard]] Next next(Millis patience = kPatience);

  [[nodiscard]] int fd() const { return fd_.get(); }
  [[nodiscard]] std::string name() const { return local_name(fd_.get()); }  // as the server sees it

 private:
  Client(UniqueFd fd, Millis patience) : fd_(std::move(fd)), patience_(patience) {}
  // False at the deadline.
  [[nodiscard]] bool wait_for(short events, Clock::time_point end) const;

  UniqueFd fd_;
  Millis patience_;
};

}  // namespace drover::test
