// Answers each line, the name of a variable, with its value in the worker's environment, or with
// "-".
#include <cstdlib>

#include "modules/sdk/module.hpp"
#include "tests/modules/lines.hpp"

namespace {

class Environment {
 public:
  explicit Environment(drover::Host host) : host_(host) {}

  std::size_t on_data(drover_conn conn, std::string_view bytes) {
    return for_each_line(bytes, [&](std::string_view line) {
      const char* value = std::getenv(std::string(line).c_str());
      host_.write(conn, std::string(value == nullptr ? "-" : value) + "\n");
    });
  }

 private:
  drover::Host host_;
};

}  // namespace

DROVER_MODULE(Environment, "environment", "1.0");
