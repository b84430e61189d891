// The host functions for zones, leases and rings as a module calls them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/eventfd.h>

#include "tests/unit/worker/harness.h"

namespace drover {
namespace {

using testing::HasSubstr;

struct Asking {
  drover_zone_layout layout{sizeof(drover_zone_layout), 1, 0, nullptr, nullptr};
  drover_zone zone{sizeof(drover_zone), nullptr, 0, nullptr};
};

class ModuleZones : public ConnectionTest {
 protected:
  ModuleZones() {
    heritage_.slot = 1;
    heritage_.slots = 2;
    heritage_.zones.push_back({"counter", fd_.get(), 8192, false});
    for (const UniqueFd& bell : bells_) heritage_.doorbells.push_back(bell.get());
    make_server();
    server_->heritage = &heritage_;
    server_->zones = &mappings_;
    server_->is_starting = true;
  }

 public:
  drover_zone_result ask(Asking& asking, const char* name = "counter") {
    return host_.zone(&server_->context, name, &asking.layout, &asking.zone);
  }

 protected:
  UniqueFd fd_ = std::move(make_zone("counter", 8192)).value();
  std::array<UniqueFd, 2> bells_{UniqueFd(eventfd(0, EFD_NONBLOCK)),
                                 UniqueFd(eventfd(0, EFD_NONBLOCK))};
  Heritage heritage_;
  ZoneMappings mappings_{heritage_.zones};
  const drover_host& host_ = module_host();
};

TEST_F(ModuleZones, GivesTheMemoryOfTheSection) {
  Asking asking;

  ASSERT_EQ(ask(asking), DROVER_ZONE_GRANTED);

  EXPECT_EQ(asking.zone.memory_size, 8192U);
  EXPECT_EQ(*asking.zone.unclean_ends, 0U);
  *static_cast<char*>(asking.zone.memory) = 'x';
  Asking again;
  ASSERT_EQ(ask(again), DROVER_ZONE_GRANTED);
  EXPECT_EQ(again.zone.memory, asking.zone.memory);
}

TEST_F(ModuleZones, HandsTheArgumentToTheInitialisation) {
  Asking asking;
  std::size_t size = 0;
  asking.layout.argument = &size;
  asking.layout.initialise = [](void* argument, void*, std::size_t memory_size) {
    *static_cast<std::size_t*>(argument) = memory_size;
    return 0;
  };

  EXPECT_EQ(ask(asking), DROVER_ZONE_GRANTED);
  EXPECT_EQ(size, 8192U);
}

TEST_F(ModuleZones, RefusesWithTheReasonThatTheWorkerSays) {
  Asking asking;
  EXPECT_EQ(ask(asking, "urls"), DROVER_ZONE_UNKNOWN);
  EXPECT_EQ(server_->last_message, "zone urls refused: the configuration has no such section");

  asking.layout.initialise = [](void*, void*, std::size_t) { return 5; };
  EXPECT_EQ(ask(asking), DROVER_ZONE_FAILED);
  EXPECT_THAT(server_->last_message, HasSubstr("its initialisation failed"));

  asking.zone.size = 0;
  EXPECT_EQ(ask(asking), DROVER_ZONE_FAILED);
  EXPECT_EQ(asking.zone.memory, nullptr);
}

TEST_F(ModuleZones, RefusesOutsideOfWorkerInitAndInsideOfTheInitialisation) {
  server_->is_starting = false;
  Asking asking;
  EXPECT_EQ(ask(asking), DROVER_ZONE_NOT_NOW);

  server_->is_starting = true;
  asking.layout.argument = this;
  asking.layout.initialise = [](void* argument, void*, std::size_t) {
    Asking inner;
    return static_cast<ModuleZones*>(argument)->ask(inner) == DROVER_ZONE_NOT_NOW ? 0 : 1;
  };
  EXPECT_EQ(ask(asking), DROVER_ZONE_GRANTED);
  EXPECT_TRUE(server_->is_starting);
}

TEST_F(ModuleZones, LeasesNeedAZoneThatWasGranted) {
  Asking asking;
  EXPECT_EQ(host_.lease_take(&server_->context, &asking.zone, 0, 100), 0);
  ASSERT_EQ(ask(asking), DROVER_ZONE_GRANTED);

  EXPECT_EQ(host_.lease_keep(&server_->context, &asking.zone, 0, 100), 0);
  EXPECT_EQ(host_.lease_take(&server_->context, &asking.zone, 0, 60'000), 1);
  EXPECT_EQ(host_.lease_keep(&server_->context, &asking.zone, 0, 60'000), 1);
  host_.lease_give_back(&server_->context, &asking.zone, 0);
  EXPECT_EQ(host_.lease_keep(&server_->context, &asking.zone, 0, 100), 0);
  EXPECT_EQ(host_.lease_take(&server_->context, &asking.zone, DROVER_ZONE_LEASES, 100), 0);
}

TEST_F(ModuleZones, LeasesAreGivenBackWhenTheModuleStops) {
  Asking asking;
  ASSERT_EQ(ask(asking), DROVER_ZONE_GRANTED);
  ASSERT_EQ(host_.lease_take(&server_->context, &asking.zone, 0, 60'000), 1);

  stop_module(*server_);

  const int somebody_else = 0;
  EXPECT_TRUE(mappings_.find(asking.zone.memory)
                  ->take_lease(0, &somebody_else, monotonic_now(), Millis{100}));
}

TEST_F(ModuleZones, RingsTheDoorbellOfTheSlotAndOfNoneThatThereIsNot) {
  EXPECT_EQ(host_.slot(&server_->context), 1U);
  EXPECT_EQ(host_.slots(&server_->context), 2U);

  host_.ring(&server_->context, 0);
  host_.ring(&server_->context, 0);
  host_.ring(&server_->context, 2);
  host_.ring(&server_->context, ~0U);

  eventfd_t rings = 0;
  EXPECT_EQ(eventfd_read(bells_[0].get(), &rings), 0);
  EXPECT_EQ(rings, 2U);
  EXPECT_EQ(eventfd_read(bells_[1].get(), &rings), -1);
}

}  // namespace
}  // namespace drover
