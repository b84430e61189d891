// What nginx's stream `return` does, as a protocol module: eight bytes at accept, then close. So
// the bench compares the cost of a connection for the same work.
#include "modules/sdk/module.hpp"

namespace {

class Return {
 public:
  explicit Return(drover::Host host) : host_(host) {}

  void on_open(drover_conn conn) {
    host_.write(conn, "dddddddd");
    host_.close(conn);
  }

 private:
  drover::Host host_;
};

}  // namespace

DROVER_MODULE(Return, "return", "1.0");
