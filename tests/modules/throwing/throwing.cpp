// Echoes, but throws when the input contains "throw".
#include <stdexcept>

#include "modules/sdk/module.hpp"

namespace {

class Throwing {
 public:
  explicit Throwing(drover::Host host) : host_(host) {}

  void on_data(drover_conn conn, std::string_view bytes) {
    if (bytes.find("throw") != std::string_view::npos) throw std::runtime_error("asked to throw");
    host_.write(conn, bytes);
  }

 private:
  drover::Host host_;
};

}  // namespace

DROVER_MODULE(Throwing, "throwing", "1.0");
