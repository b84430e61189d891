// Answers each message with REPLY_VERSION, "v1" or "v2": two shared objects of one name, to see
// which of them serves.
#include "modules/sdk/module.hpp"

namespace {

class Reply {
 public:
  explicit Reply(drover::Host host) : host_(host) {}

  void on_data(drover_conn conn, std::string_view /*bytes*/) {
    host_.write(conn, REPLY_VERSION "\n");
  }

 private:
  drover::Host host_;
};

}  // namespace

DROVER_MODULE(Reply, "reply", REPLY_VERSION);
