// What a master leaves to its successor to return to, and what that makes of it.
#include "master/former.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "common/config.h"

namespace drover {
namespace {

Former example() {
  Former former{6, {}, {}, {}};
  former.settings.workers = 3;
  former.settings.load = {"echo"};
  ServerSettings server;
  server.name = "echo";
  server.protocol = "echo";
  server.listens.emplace_back();
  server.listens.back().address = Address::parse("127.0.0.1:7007").value();
  former.settings.servers = {server};
  ZoneSettings zone;
  zone.name = "urls";
  zone.size_bytes = 8192;
  former.settings.zones = {zone};
  std::vector<ModuleImage> images;
  images.push_back({"echo", "/modules/echo.so", "c0ffee", UniqueFd(open("/dev/null", O_RDONLY))});
  former.images = std::make_shared<const std::vector<ModuleImage>>(std::move(images));
  return former;
}

// As it comes over a channel: with other descriptors for the same files.
Inheritance received(const Former& former) {
  MasterHeritage heritage;
  heritage.former = leave(former);
  std::vector<UniqueFd> fds;
  for (MasterHeritage::Module& module : heritage.former->modules) {
    module.fd = dup(module.fd);
    fds.emplace_back(module.fd);
  }
  return {std::move(heritage), std::move(fds)};
}

TEST(Former, IsTakenAsItWasLeft) {
  const Former left = example();
  Inheritance inheritance = received(left);
  Zones zones;

  auto taken = take_former(inheritance, zones, "");

  ASSERT_TRUE(taken.ok()) << taken.error().message();
  EXPECT_EQ(taken->generation, 6U);
  EXPECT_EQ(dump_settings(taken->settings), dump_settings(left.settings));
  ASSERT_EQ(taken->images->size(), 1U);
  EXPECT_EQ(taken->images->front().name, "echo");
  EXPECT_EQ(taken->images->front().path, "/modules/echo.so");
  EXPECT_EQ(taken->images->front().build_id, "c0ffee");
  EXPECT_TRUE(taken->images->front().fd.is_open());
  ASSERT_EQ(taken->zones.size(), 1U);
  EXPECT_EQ(zones.living().size(), 1U) << "it holds its zones";
}

TEST(Former, WithSettingsOfAnotherVersionIsNotTaken) {
  MasterHeritage heritage;
  heritage.former = MasterHeritage::Former{6, "[drover]\nof_the_future = 1\n", {}};
  Inheritance inheritance(std::move(heritage), {});
  Zones zones;

  auto taken = take_former(inheritance, zones, "");

  ASSERT_FALSE(taken.ok());
  EXPECT_NE(taken.error().message().find("of_the_future"), std::string::npos);
}

}  // namespace
}  // namespace drover
