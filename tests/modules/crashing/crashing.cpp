// Echoes, but dies of SIGSEGV on "crash\n". Says in the log that it was started.
#include "modules/sdk/module.hpp"
#include "tests/modules/crash.hpp"

namespace {

class Crashing {
 public:
  explicit Crashing(drover::Host host) : host_(host) {
    host_.log(DROVER_LOG_INFO, "an instance was started");
  }

  void on_data(drover_conn conn, std::string_view bytes) {
    if (bytes == "crash\n") crash();
    host_.write(conn, bytes);
  }

 private:
  drover::Host host_;
};

}  // namespace

DROVER_MODULE(Crashing, "crashing", "1.0");
