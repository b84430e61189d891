#include "common/master_heritage.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <sstream>

#include "common/tlv.h"

namespace drover {
namespace {

const std::filesystem::path kSamples = DROVER_SOURCE_DIR "/tests/unit/common/heritage_samples";

// Every field with a value of its own; descriptors are 10, 11, ... in the order of writing.
MasterHeritage example() {
  MasterHeritage heritage;
  heritage.version = "0.1.0";
  heritage.generation = 7;
  heritage.groups = {{"127.0.0.1:7007", 2, true, {{3, 10}, {4, 11}, {5, 12}}},
                     {"unix:/run/drover/echo.sock", 1, false, {{9, 13}}}};
  heritage.zones = {{"urls", 65536, 14}};
  heritage.predecessors = {{4711, 15, 16}, {4710, 17, -1}};
  heritage.control = {"/run/drover/control.sock", 18};
  heritage.pid_file = {"/run/drover.pid", 19};
  heritage.watchdog_us = 2'000'000;
  heritage.is_keeper = true;
  heritage.keeper_fd = 20;
  heritage.former = {6, "[drover]\nload = echo\n", {{"echo", "/modules/echo.so", "c0ffee", 21}}};
  heritage.failures = {{"echo", 3, 1}};
  return heritage;
}

const std::vector<MasterHeritage::Module> kNoModules;
constexpr int kExampleFds = 12;

std::vector<int> fds_from(int first, int count) {
  std::vector<int> fds(static_cast<std::size_t>(count));
  std::iota(fds.begin(), fds.end(), first);
  return fds;
}

std::string all_of(const MasterHeritage& heritage) {
  std::ostringstream out;
  out << heritage.version << ' ' << heritage.generation;
  for (const auto& group : heritage.groups) {
    out << "\ngroup " << group.address << ' ' << group.active << ' ' << group.is_steered;
    for (const auto& member : group.members) out << ' ' << member.id << '=' << member.fd;
  }
  for (const auto& zone : heritage.zones)
    out << "\nzone " << zone.name << ' ' << zone.size_bytes << ' ' << zone.fd;
  for (const auto& each : heritage.predecessors)
    out << "\npredecessor " << each.pid << ' ' << each.scoreboard_fd << ' ' << each.metrics_fd;
  out << "\ncontrol " << heritage.control.path << ' ' << heritage.control.fd << "\npid "
      << heritage.pid_file.path << ' ' << heritage.pid_file.fd << "\nwatchdog "
      << heritage.watchdog_us << " keeper " << heritage.is_keeper << ' ' << heritage.keeper_fd;
  if (heritage.former)
    out << "\nformer " << heritage.former->generation << ' ' << heritage.former->settings;
  for (const auto& module : heritage.former ? heritage.former->modules : kNoModules)
    out << "\nmodule " << module.name << ' ' << module.path << ' ' << module.build_id << ' '
        << module.fd;
  for (const auto& each : heritage.failures)
    out << "\nfailures " << each.module << ' ' << each.crashes << ' ' << each.hangs;
  return out.str();
}

std::string read(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST(MasterHeritage, ReadsAllThatItWrote) {
  const EncodedHeritage encoded = encode_heritage(example());
  EXPECT_EQ(encoded.fds, fds_from(10, kExampleFds));

  const auto decoded = decode_heritage(encoded.bytes, encoded.fds);

  ASSERT_TRUE(decoded.ok()) << decoded.error().message();
  EXPECT_EQ(all_of(decoded.value()), all_of(example()));
}

TEST(MasterHeritage, WhatASocketUnitHasStaysMarked) {
  MasterHeritage heritage;
  heritage.groups = {{"127.0.0.1:7007", 1, false, {{1, 10, true}, {2, 11}}}};
  const EncodedHeritage encoded = encode_heritage(heritage);

  auto decoded = decode_heritage(encoded.bytes, encoded.fds);

  ASSERT_TRUE(decoded.ok());
  EXPECT_TRUE(decoded->groups.at(0).members.at(0).is_lent);
  EXPECT_FALSE(decoded->groups.at(0).members.at(1).is_lent);
}

// One sample for each version that wrote another; what a version wrote when it was released stays
// as it is. DROVER_RECORD_HERITAGE=1 records the one of this version.
TEST(MasterHeritage, OfEveryOlderVersionIsRead) {
  if (std::getenv("DROVER_RECORD_HERITAGE") != nullptr)
    std::ofstream(kSamples / (DROVER_VERSION ".bin"), std::ios::binary)
        << encode_heritage(example()).bytes;
  int samples = 0;
  for (const auto& entry : std::filesystem::directory_iterator(kSamples)) {
    const auto decoded = decode_heritage(read(entry.path()), fds_from(10, kExampleFds));

    ASSERT_TRUE(decoded.ok()) << entry.path() << ": " << decoded.error().message();
    EXPECT_EQ(all_of(decoded.value()), all_of(example())) << entry.path();
    ++samples;
  }
  EXPECT_GE(samples, 1);
}

TEST(MasterHeritage, SkipsWhatALaterVersionAdded) {
  EncodedHeritage encoded = encode_heritage(example());
  TlvWriter later;
  later.put(999, "from the future");

  const auto decoded = decode_heritage(encoded.bytes + later.bytes(), encoded.fds);

  ASSERT_TRUE(decoded.ok());
  EXPECT_EQ(all_of(decoded.value()), all_of(example()));
}

TEST(MasterHeritage, RefusesWhatItMustKnowAndDoesNot) {
  TlvWriter later;
  later.put(kTlvRequired | 999, "");
  EXPECT_EQ(
      decode_heritage(later.bytes(), {}).error().message(),
      "the heritage cannot be read: it asks for record 33767, which this version does not know");
}

TEST(MasterHeritage, RefusesADescriptorThatHasNotComeAlong) {
  const EncodedHeritage encoded = encode_heritage(example());
  EXPECT_EQ(decode_heritage(encoded.bytes, fds_from(10, 3)).error().message(),
            "the heritage cannot be read: descriptor 3 has not come along");
}

TEST(MasterHeritage, CutOffAtAnyByteIsRefusedOrShorter) {
  const EncodedHeritage encoded = encode_heritage(example());
  for (std::size_t size = 0; size < encoded.bytes.size(); ++size) {
    const auto decoded = decode_heritage(encoded.bytes.substr(0, size), encoded.fds);
    EXPECT_FALSE(decoded.ok() && all_of(decoded.value()) == all_of(example())) << size;
  }
}

TEST(MasterHeritage, OfAThousandSocketsComesOverAChannelInParts) {
  struct Nobody final : Channel::Listener {
    void on_message(Message) override {}
    void on_channel_closed() override {}
  } nobody;
  const EventBase base = make_event_base();
  SocketPair pair = make_seqpacket_pair().value();
  const UniqueFd file(open("/dev/null", O_RDONLY | O_CLOEXEC));
  MasterHeritage heritage;
  for (std::uint32_t i = 0; i < 1000; ++i)
    heritage.groups.push_back({"127.0.0.1:" + std::to_string(i + 1), 1, false, {{i, file.get()}}});
  Channel channel(base.get(), std::move(pair.first), &nobody);
  send_heritage(channel, heritage);

  Result<Inheritance> received = Error("nothing");
  while (!received.ok()) {
    event_base_loop(base.get(), EVLOOP_NONBLOCK);
    received = receive_heritage(pair.second.get(), Millis{2'000});
    ASSERT_TRUE(received.ok()) << received.error().message();
  }

  ASSERT_EQ(received->heritage().groups.size(), 1000U);
  const int last = received->heritage().groups.back().members.front().fd;
  UniqueFd claimed = received->claim(last);
  EXPECT_EQ(claimed.get(), last);
  EXPECT_FALSE(received->claim(last).is_open()) << "only once";
  EXPECT_FALSE(received->claim(-1).is_open());
}

TEST(MasterHeritage, ThatDoesNotComeIsNotWaitedForLong) {
  const SocketPair pair = make_seqpacket_pair().value();
  EXPECT_EQ(receive_heritage(pair.second.get(), Millis{20}).error().message(),
            "the heritage did not come in time");
}

TEST(MasterHeritage, OfOneWhoHangsUpIsAnError) {
  SocketPair pair = make_seqpacket_pair().value();
  pair.first.reset();
  EXPECT_EQ(receive_heritage(pair.second.get(), Millis{2'000}).error().message(),
            "the other end is gone");
}

}  // namespace
}  // namespace drover
