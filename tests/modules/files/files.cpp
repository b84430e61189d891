// Serves the files of the working directory: "NAME\n" or "NAME OFFSET LENGTH\n" is answered by
// "LENGTH\n" and the bytes, or by "error: why\n". The bytes go from the file to the socket without
// passing through the worker.
#include <algorithm>
#include <charconv>
#include <cstring>

#include "modules/sdk/module.hpp"
#include "tests/modules/lines.hpp"

namespace {

struct Request {
  std::string name;
  std::uint64_t offset = 0;
  std::uint64_t length = UINT64_MAX;
};

// The next word, taken off the front of `line`.
std::string_view next_word(std::string_view& line) {
  const std::size_t end = std::min(line.find(' '), line.size());
  const std::string_view word = line.substr(0, end);
  line.remove_prefix(std::min(end + 1, line.size()));
  return word;
}

bool read_number(std::string_view word, std::uint64_t& number) {
  if (word.empty()) return true;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number);
  return error == std::errc{} && end == word.data() + word.size();
}

// Only plain names: what a client asks for must not leave the folder.
bool parse(std::string_view line, Request& request) {
  request.name = next_word(line);
  const bool is_plain = !request.name.empty() && request.name[0] != '.' &&
                        request.name.find('/') == std::string::npos;
  return is_plain && read_number(next_word(line), request.offset) &&
         read_number(next_word(line), request.length) && line.empty();
}

class Files {
 public:
  enum : std::uint32_t { kSentBytes, kRefused, kClients };
  static constexpr drover::Metric kMetrics[] = {
      {.name = "sent_bytes", .kind = DROVER_COUNTER, .help = "bytes of files that were asked for"},
      {.name = "refused", .kind = DROVER_COUNTER, .help = "requests answered with an error"},
      {.name = "clients", .kind = DROVER_GAUGE, .help = "clients that are connected"}};

  explicit Files(drover::Host host) : host_(host) {}

  std::size_t on_data(drover_conn conn, std::string_view bytes) {
    return for_each_line(bytes, [&](std::string_view line) { answer(conn, line); });
  }
  void on_eof(drover_conn conn) { host_.half_close(conn); }
  // A file on its way stays with the instance that sends it; between two answers there is nothing
  // to tell.
  static constexpr std::uint64_t kFreezeVersion = 1;
  std::optional<std::string> freeze(drover_conn conn) {
    if (host_.pending_output(conn) > 0) return std::nullopt;
    return "";
  }
  bool thaw(drover_conn conn, std::uint64_t version, std::string_view blob) {
    if (version != kFreezeVersion || !blob.empty()) return false;
    on_open(conn);
    return true;
  }
  void on_open(drover_conn) { host_.gauge(kClients, ++clients_); }
  void on_close(drover_conn, drover_close_reason) { host_.gauge(kClients, --clients_); }

 private:
  void answer(drover_conn conn, std::string_view line) {
    Request request;
    if (!parse(line, request)) return refuse(conn, "not a request");
    int error = 0;
    const drover::File file = host_.open_file(request.name, error);
    if (!file) return refuse(conn, std::strerror(error));
    if (request.offset > file.size_bytes()) return refuse(conn, "beyond the end");
    const std::uint64_t length = std::min(request.length, file.size_bytes() - request.offset);
    host_.write(conn, std::to_string(length) + "\n");
    host_.write_file(conn, file, request.offset, length);
    host_.count(kSentBytes, length);
  }
  void refuse(drover_conn conn, const char* why) {
    host_.write(conn, std::string("error: ") + why + "\n");
    host_.count(kRefused);
  }

  drover::Host host_;
  std::int64_t clients_ = 0;
};

}  // namespace

DROVER_MODULE(Files, "files", "1.0");
