// Which generation has which zone, and how long it lives.
#include "master/zones.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

namespace drover {
namespace {

Settings naming(const std::string& name, std::int64_t size_bytes, int line = 4) {
  Settings settings;
  ZoneSettings& zone = settings.zones.emplace_back();
  zone.name = name;
  zone.size_bytes = size_bytes;
  zone.source = {"drover.conf", line};
  return settings;
}

bool is_open(int fd) {
  struct stat status {};
  return fstat(fd, &status) == 0;
}

TEST(Zones, AreTheSameForEveryGenerationThatNamesThem) {
  Zones zones;
  const auto first = zones.open(naming("urls", 8192));
  const auto second = zones.open(naming("urls", 8192));

  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_EQ(first.value().front(), second.value().front());
}

TEST(Zones, AreFreedWithTheLastGenerationThatHasThem) {
  Zones zones;
  auto first = zones.open(naming("urls", 8192));
  auto second = zones.open(naming("urls", 8192));
  ASSERT_TRUE(first.ok() && second.ok());
  const int fd = first.value().front()->heritage().fd;

  first.value().clear();
  EXPECT_TRUE(is_open(fd));
  second.value().clear();
  EXPECT_FALSE(is_open(fd));

  EXPECT_TRUE(zones.open(naming("urls", 4096)).ok()) << "a new one may have another size";
}

TEST(Zones, RefuseAnotherSizeWithBothAndWhereTheyStand) {
  Zones zones;
  const auto first = zones.open(naming("urls", 8192, 4));
  ASSERT_TRUE(first.ok());

  const auto refused = zones.open(naming("urls", 16384, 9));

  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().message(),
            "drover.conf:9: [zone urls] size: 16k differs from 8k, which the zone has since "
            "drover.conf:4; a zone keeps its size as long as a generation uses it, or "
            "rollback_window keeps one that did");
}

TEST(Zones, OfARefusedConfigurationAreGivenUp) {
  Zones zones;
  const auto first = zones.open(naming("urls", 8192));
  ASSERT_TRUE(first.ok());
  Settings settings = naming("new", 4096);
  settings.zones.push_back(naming("urls", 16384).zones.front());

  ASSERT_FALSE(zones.open(settings).ok());

  EXPECT_TRUE(zones.open(naming("new", 65536)).ok());
}

TEST(Zones, CountUncleanEndsOnFromWhatAnotherMasterHasCounted) {
  Zones zones;
  const auto set = zones.open(naming("urls", 8192));
  ASSERT_TRUE(set.ok());
  ASSERT_TRUE(count_unclean_end(set.value().front()->heritage().fd, 6).ok());

  zones.count_unclean_end();

  EXPECT_EQ(set.value().front()->info().value().unclean_ends, 8U);
}

TEST(Zones, CountUncleanEndsOverWhateverAWorkerHasWritten) {
  Zones zones;
  const auto set = zones.open(naming("urls", 8192));
  ASSERT_TRUE(set.ok());
  Zone& zone = *set.value().front();
  zone.count_unclean_end();
  const std::uint64_t none = 0;
  ASSERT_EQ(pwrite(zone.heritage().fd, &none, sizeof none, offsetof(ZoneHeader, unclean_ends)),
            static_cast<ssize_t>(sizeof none));

  zone.count_unclean_end();

  EXPECT_EQ(zone.info().value().unclean_ends, 2U);
}

TEST(Zones, OfGarbageAreReportedAsThat) {
  Zones zones;
  const auto set = zones.open(naming("urls", 8192));
  ASSERT_TRUE(set.ok());
  const std::string garbage(kZoneHeaderSize, '\xa5');
  ASSERT_EQ(pwrite(set.value().front()->heritage().fd, garbage.data(), garbage.size(), 0),
            static_cast<ssize_t>(garbage.size()));

  EXPECT_FALSE(set.value().front()->info().ok());
}

}  // namespace
}  // namespace drover
