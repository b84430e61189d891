// Says "bye" to the first bytes and closes: the one whose end of a connection comes first.
#include "modules/sdk/module.hpp"

namespace {

class Closing {
 public:
  explicit Closing(drover::Host host) : host_(host) {}

  void on_data(drover_conn conn, std::string_view /*bytes*/) {
    host_.write(conn, "bye");
    host_.close(conn);
  }

 private:
  drover::Host host_;
};

}  // namespace

DROVER_MODULE(Closing, "closing", "1.0");
