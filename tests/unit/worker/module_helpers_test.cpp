// The host functions for helpers as a module calls them, and a helper's instance.
#include "worker/module_helpers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/eventfd.h>

#include "tests/unit/worker/harness.h"

namespace drover {
namespace {

using testing::HasSubstr;

// What a helper of it was told.
struct Told {
  std::string name;
  bool was_ended = false;
  std::vector<std::uint64_t> timers;
  bool refuses = false;
};

Told told;  // reset by each test: C hooks have no other way before they have an instance

void* init(const drover_host* host, drover_context* context, const char* name) {
  told.name = name;
  if (told.refuses) host->log(context, DROVER_LOG_ERROR, "the disk is full");
  return told.refuses ? nullptr : &told;
}
void end(void* helper) { static_cast<Told*>(helper)->was_ended = true; }
void on_timer(void* helper, std::uint64_t tag) {
  static_cast<Told*>(helper)->timers.push_back(tag);
}

class ModuleHelpers : public ConnectionTest {
 protected:
  ModuleHelpers() {
    told = {};
    hooks_.helper_init = init;
    hooks_.helper_exit = end;
    hooks_.on_helper_timer = on_timer;
    server_settings_.servers.resize(2);
    server_settings_.servers[0].name = "other";
    server_settings_.servers[1].name = "web";
    heritage_.settings = &server_settings_;
    heritage_.slots = 3;
    for (const UniqueFd& bell : bells_) {
      heritage_.helpers.push_back({heritage_.helpers.size(), "writer", bell.get()});
    }
    core_.emplace(CoreOptions{.base = base_.get(), .log = &log_, .seat = &seat_, .clock = &clock},
                  nullptr);
  }
  // With the hooks of a worker's instance, or of a helper's.
  Server& make(const ModuleTable& table) {
    server_.reset();
    const ServerSettings& settings = server_settings_.servers[1];
    server_ =
        std::make_unique<Server>(*core_, settings, table, Admission(settings, nullptr, nullptr));
    server_->heritage = &heritage_;
    return *server_;
  }
  static int rings(const UniqueFd& bell) {
    eventfd_t count = 0;
    return eventfd_read(bell.get(), &count) == 0 ? static_cast<int>(count) : 0;
  }

  Settings server_settings_;
  std::array<UniqueFd, 2> bells_{UniqueFd(eventfd(0, EFD_NONBLOCK)),
                                 UniqueFd(eventfd(0, EFD_NONBLOCK))};
  Heritage heritage_;
  const drover_host& host_ = module_host();
};

TEST_F(ModuleHelpers, AreAskedForInValidate) {
  HelperList list(2);
  make(hooks_).helpers = &list;

  EXPECT_EQ(host_.want_helper(&server_->context, "writer"), 1);

  ASSERT_EQ(list.all().size(), 1U);
  EXPECT_EQ(list.all()[0].server, 1U);
  EXPECT_EQ(list.all()[0].name, "writer");
}

TEST_F(ModuleHelpers, AreRefusedWithTheReason) {
  HelperList list(2);
  make(hooks_).helpers = &list;

  EXPECT_EQ(host_.want_helper(&server_->context, "No"), 0);
  EXPECT_EQ(server_->last_message,
            "helper No refused: a helper's name is 1 to 31 of a-z, 0-9, - and _");
  hooks_.helper_init = nullptr;
  make(hooks_).helpers = &list;
  EXPECT_EQ(host_.want_helper(&server_->context, "writer"), 0);
  EXPECT_EQ(server_->last_message, "helper writer refused: the module has no helper_init");
  EXPECT_TRUE(list.all().empty());
}

TEST_F(ModuleHelpers, AreRefusedOutsideOfValidate) {
  make(hooks_);

  EXPECT_EQ(host_.want_helper(&server_->context, "writer"), 0);

  EXPECT_EQ(server_->last_message, "helper writer refused: asked for outside of validate");
}

TEST_F(ModuleHelpers, AreRungByTheirServerAndName) {
  make(hooks_);

  host_.ring_helper(&server_->context, "writer");
  host_.ring_helper(&server_->context, "writer");
  host_.ring_helper(&server_->context, "nobody");

  EXPECT_EQ(rings(bells_[0]), 0) << "the other server's";
  EXPECT_EQ(rings(bells_[1]), 2);
}

TEST_F(ModuleHelpers, BeginEndAndHearTheirTimers) {
  heritage_.role = Role::kHelper;
  Server& server = make(helper_side(hooks_));

  ASSERT_TRUE(start_helper(server, hooks_, "writer").ok());
  EXPECT_NE(host_.start_timer(&server.context, 5, 77), 0U);
  pass(Millis{5});
  stop_module(server);

  EXPECT_EQ(told.name, "writer");
  EXPECT_EQ(told.timers, std::vector<std::uint64_t>{77});
  EXPECT_TRUE(told.was_ended);
}

TEST_F(ModuleHelpers, HaveNoSlotAndNoConnection) {
  heritage_.role = Role::kHelper;
  Server& server = make(helper_side(hooks_));

  EXPECT_EQ(host_.slot(&server.context), 3U);
  EXPECT_EQ(host_.slots(&server.context), 3U);
  EXPECT_EQ(host_.connect(&server.context, "127.0.0.1:1", 1000, 0), 0U);
}

TEST_F(ModuleHelpers, SayWhyTheyDoNotStart) {
  heritage_.role = Role::kHelper;
  told.refuses = true;
  Server& server = make(helper_side(hooks_));

  const Status started = start_helper(server, hooks_, "writer");

  ASSERT_FALSE(started.ok());
  EXPECT_EQ(started.error().message(),
            "server web: module scripted refused to start helper writer: the disk is full");
}

}  // namespace
}  // namespace drover
