// A module to begin from: it answers each line with its number and itself. It shows what most
// protocols need: directives, a state for each connection, requests that come in pieces, and
// something to count. Copy the folder; its README.md says how it gets a name of your own.
#include <algorithm>
#include <drover/module.hpp>
#include <string>

namespace {

class Lines {
 public:
  struct State {
    std::uint64_t lines = 0;
  };

  // Written "template.max_line = 4k" in a server.
  static constexpr drover::Directive kDirectives[] = {
      {.name = "greeting", .type = DROVER_TEXT, .default_text = "", .help = "what is said first"},
      {.name = "max_line",
       .type = DROVER_SIZE,
       .default_text = "4k",
       .min = 1,
       .max = 65536,
       .help = "bytes of the longest line that is answered"}};

  // What "drover -s status" shows.
  enum : std::uint32_t { kLines, kTooLong };
  static constexpr drover::Metric kMetrics[] = {
      {.name = "lines", .kind = DROVER_COUNTER, .help = "lines that were answered"},
      {.name = "too_long", .kind = DROVER_COUNTER, .help = "connections closed for a long line"}};

  Lines(drover::Host host, drover::Config config)
      : host_(host), greeting_(config.text("greeting")), max_line_(config.size("max_line")) {}

  void on_open(drover_conn conn, State&) {
    if (!greeting_.empty()) host_.write(conn, greeting_ + "\n");
  }

  // How many bytes were used; the rest is offered again, with what comes next.
  std::size_t on_data(drover_conn conn, State& state, std::string_view bytes) {
    for (std::size_t used = 0;;) {
      const std::size_t end = std::min(bytes.find('\n', used), bytes.size());
      if (end - used > max_line_) {
        refuse(conn);
        return bytes.size();
      }
      if (end == bytes.size()) return used;
      answer(conn, state, bytes.substr(used, end - used));
      used = end + 1;
    }
  }

  void on_eof(drover_conn conn, State&) { host_.half_close(conn); }

 private:
  void answer(drover_conn conn, State& state, std::string_view line) {
    host_.write(conn, std::to_string(++state.lines) + " " + std::string(line) + "\n");
    host_.count(kLines);
  }

  void refuse(drover_conn conn) {
    host_.count(kTooLong);
    host_.write(conn, "too long\n");
    host_.close(conn);
  }

  drover::Host host_;
  std::string greeting_;
  std::size_t max_line_;
};

}  // namespace

DROVER_MODULE(Lines, "template", "1.0");
