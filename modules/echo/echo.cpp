// Echo: sends back what it gets, until the client has said all it has to say. RFC 862, and the
// smallest whole module.
#include "modules/sdk/module.hpp"

namespace {

class Echo {
 public:
  explicit Echo(drover::Host host) : host_(host) {}

  void on_data(drover_conn conn, std::string_view bytes) { host_.write(conn, bytes); }
  void on_eof(drover_conn conn) { host_.half_close(conn); }

 private:
  drover::Host host_;
};

}  // namespace

DROVER_MODULE(Echo, "echo", "1.0");
