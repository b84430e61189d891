// What the host answers to a module that asks for its configuration, and to one that asks wrongly.
#include "worker/module_host.h"

#include "tests/unit/worker/harness.h"

namespace drover {
namespace {

class ModuleHostTest : public ConnectionTest {
 protected:
  ModuleHostTest() {
    make_server();
    server_->config.set("room", {"64k", 65536});
    server_->config.set("title", {"good day", {}});
  }
  const drover_host& host_ = module_host();
};

TEST_F(ModuleHostTest, AnswersWithTextAndNumber) {
  drover_context* context = &server_->context;

  EXPECT_STREQ(host_.config_text(context, "room"), "64k");
  EXPECT_EQ(host_.config_number(context, "room"), 65536);
  EXPECT_STREQ(host_.config_text(context, "title"), "good day");
  EXPECT_EQ(server_->last_message, "");
}

TEST_F(ModuleHostTest, KeepsATextWhereItIs) {
  const char* before = host_.config_text(&server_->context, "title");

  server_->config.set("another", {"x", {}});

  EXPECT_EQ(host_.config_text(&server_->context, "title"), before);
}

TEST_F(ModuleHostTest, LogsWhichDirectiveIsNotInTheTable) {
  EXPECT_EQ(host_.config_text(&server_->context, "rooms"), nullptr);
  EXPECT_EQ(server_->last_message, "asks for its directive rooms which is not in its table");

  EXPECT_EQ(host_.config_number(&server_->context, "rome"), 0);
  EXPECT_EQ(server_->last_message, "asks for its directive rome which is not in its table");
}

TEST_F(ModuleHostTest, LogsWhichDirectiveIsNoNumber) {
  EXPECT_EQ(host_.config_number(&server_->context, "title"), 0);

  EXPECT_EQ(server_->last_message, "asks for its directive title which is no number");
}

TEST_F(ModuleHostTest, DoesNothingForAConnectionThatIsNotThere) {
  drover_context* context = &server_->context;

  host_.write(context, 1, {"x", 1});
  host_.half_close(context, 1);
  host_.close(context, 1);
  host_.pause_reading(context, 1);
  host_.resume_reading(context, 1);
  char name[8];

  EXPECT_EQ(host_.pending_output(context, 1), 0U);
  EXPECT_EQ(host_.peer_name(context, 1, name, sizeof name), 0U);
  EXPECT_EQ(value(seat_.counters.stale_handles), 7U);
}

TEST_F(ModuleHostTest, TellsWhyTheModuleRefusesItsConfiguration) {
  hooks_.validate = [](const drover_host* host, drover_context* context) {
    host->log(context, DROVER_LOG_ERROR, host->config_text(context, "title"));
    return 1;
  };
  settings_.source = {"drover.conf", 5};
  make_server();
  server_->config.set("title", {"no good day", {}});

  const Status valid = validate_module(*server_);

  ASSERT_FALSE(valid.ok());
  EXPECT_EQ(valid.error().message(),
            "drover.conf:5: server web: module scripted refused its configuration: no good day");
}

}  // namespace
}  // namespace drover
