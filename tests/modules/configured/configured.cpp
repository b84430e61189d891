// A directive of every type; answers each message with its configuration, one "name=value" a line.
#include <csignal>
#include <sstream>
#include <stdexcept>

#include "modules/sdk/module.hpp"

namespace {

enum class Colour { kRed, kGreen, kBlue };

class Configured {
 public:
  static constexpr const char* kColours[] = {"red", "green", "blue", nullptr};
  static constexpr drover::Directive kDirectives[] = {
      {.name = "greeting",
       .type = DROVER_TEXT,
       .default_text = "good day",
       .help = "text of its own"},
      {.name = "lines", .type = DROVER_NUMBER, .min = 1, .max = 99, .help = "a number to be said"},
      {.name = "room",
       .type = DROVER_SIZE,
       .default_text = "64k",
       .min = 1024,
       .max = 1 << 20,
       .help = "a size"},
      {.name = "patience",
       .type = DROVER_DURATION,
       .default_text = "2s",
       .min = 1,
       .max = 60'000,
       .help = "a duration"},
      {.name = "loud", .type = DROVER_FLAG, .default_text = "off", .help = "a flag"},
      {.name = "colour",
       .type = DROVER_CHOICE,
       .default_text = "green",
       .words = kColours,
       .help = "one of three"},
      {.name = "root", .type = DROVER_PATH, .default_text = "", .help = "a path, or none"}};

  // Runs in the validator only; the worker would be too late.
  static void validate(drover::Host host, drover::Config config) {
    host.write(1, "nobody");  // there is no connection: nothing happens
    if (config.text("greeting") == "crash") std::raise(SIGABRT);
    if (config.flag("loud") && config.choice<Colour>("colour") == Colour::kBlue) {
      throw std::runtime_error("blue is never loud");
    }
  }

  Configured(drover::Host host, drover::Config config) : host_(host), answer_(describe(config)) {}

  void on_data(drover_conn conn, std::string_view) { host_.write(conn, answer_); }

 private:
  static std::string describe(const drover::Config& config) {
    std::ostringstream text;
    text << "greeting=" << config.text("greeting") << "\nlines=" << config.number("lines")
         << "\nroom=" << config.size("room") << "\npatience=" << config.duration("patience").count()
         << "\nloud=" << (config.flag("loud") ? "yes" : "no")
         << "\ncolour=" << static_cast<int>(config.choice<Colour>("colour"))
         << "\nroot=" << config.text("root") << "\n";
    return text.str();
  }

  drover::Host host_;
  std::string answer_;
};

}  // namespace

DROVER_MODULE(Configured, "configured", "1.0");
