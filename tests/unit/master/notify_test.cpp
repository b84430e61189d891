// What is said to systemd and when. A socket in the test's hand listens in its place.
#include "master/notify.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <thread>

#include "common/scm_rights.h"
#include "common/unique_fd.h"
#include "master/fd_store.h"

namespace drover {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

class NotifyTest : public ::testing::Test {
 protected:
  NotifyTest() {
    const std::string name = "drover-notify-test." + std::to_string(getpid());
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path + 1, name.data(), name.size());
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
    EXPECT_EQ(bind(systemd_.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
    setenv("NOTIFY_SOCKET", ("@" + name).c_str(), 1);
    log_.set_level(LogLevel::kError);
  }
  ~NotifyTest() override {
    for (const char* name : {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"}) unsetenv(name);
  }

  // The next message; closes what came with it, which lifts a barrier.
  std::string receive(int flags = MSG_DONTWAIT) {
    char buffer[4096];
    iovec data{buffer, sizeof buffer};
    DescriptorRoom<1> room;
    msghdr header{};
    header.msg_iov = &data;
    header.msg_iovlen = 1;
    make_room_for_descriptors(header, room.bytes);
    const ssize_t size = recvmsg(systemd_.get(), &header, flags | MSG_CMSG_CLOEXEC);
    if (size < 0) return {};
    static_cast<void>(take_descriptors(header));
    return {buffer, static_cast<std::size_t>(size)};
  }
  std::vector<std::string> heard() {
    std::vector<std::string> all;
    for (std::string text; !(text = receive()).empty();) all.push_back(text);
    return all;
  }
  void watch_every_us(const char* interval) {
    setenv("WATCHDOG_USEC", interval, 1);
    setenv("WATCHDOG_PID", std::to_string(getpid()).c_str(), 1);
  }
  std::unique_ptr<Notify> make() {
    return std::make_unique<Notify>(base_.get(), &log_, [this] { return state_; });
  }

  UniqueFd systemd_{socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
  EventBase base_ = make_event_base();
  Log log_;
  std::string state_ = "generation 1";
};

TEST_F(NotifyTest, SaysThatItServesOnce) {
  const auto notify = make();

  notify->ready();
  notify->ready();

  EXPECT_THAT(heard(), ElementsAre("READY=1\nSTATUS=generation 1\n"));
}

TEST_F(NotifyTest, SaysNothingWhenNobodyListens) {
  unsetenv("NOTIFY_SOCKET");
  const auto notify = make();

  notify->ready();
  notify->stopping();

  EXPECT_FALSE(notify->is_speaking());
  EXPECT_THAT(heard(), IsEmpty());
}

TEST_F(NotifyTest, ARefusedReloadEndsAsOneAndStaysInTheStatus) {
  const auto notify = make();
  notify->ready();
  notify->reloading();
  notify->reloaded("line 3: nonsense\nthe running one goes on\n");
  notify->reloading();
  notify->reloaded("");

  EXPECT_THAT(
      heard(),
      ElementsAre("READY=1\nSTATUS=generation 1\n", StartsWith("RELOADING=1\nMONOTONIC_USEC="),
                  "READY=1\nSTATUS=reload refused: line 3: nonsense; generation 1\n",
                  StartsWith("RELOADING=1\n"), "READY=1\nSTATUS=generation 1\n"));
}

TEST_F(NotifyTest, TheEndOfAReloadThatSystemdDoesNotKnowIsNotTold) {
  const auto notify = make();
  notify->reloaded("");
  notify->ready();
  notify->reloaded("not now");

  EXPECT_THAT(heard(), ElementsAre("READY=1\nSTATUS=generation 1\n"));
}

TEST_F(NotifyTest, IsSilentUntilItIsTheMainProcess) {
  const auto notify = make();
  notify->inherit(0);
  notify->ready();
  notify->keep("zone-urls", 0);
  EXPECT_THAT(heard(), IsEmpty());

  notify->take_over();
  notify->ready();

  EXPECT_THAT(heard(), ElementsAre("READY=1\nSTATUS=generation 1\n"));
}

TEST_F(NotifyTest, FeedsTheWatchdogTwiceInItsTimeAndPassesTheTimeOn) {
  watch_every_us("40000");
  const auto notify = make();
  EXPECT_EQ(notify->watchdog_us(), 40'000U);

  notify->ready();
  EXPECT_THAT(heard(), ElementsAre(StartsWith("READY=1"), "WATCHDOG=1\n"));
  event_base_loop(base_.get(), EVLOOP_ONCE);

  EXPECT_THAT(heard(), ElementsAre("WATCHDOG=1\n"));
}

TEST_F(NotifyTest, FeedsAWatchdogThatItHasInherited) {
  const auto notify = make();
  notify->inherit(20'000);
  notify->take_over();
  notify->ready();

  EXPECT_THAT(heard(), ElementsAre(StartsWith("READY=1"), "WATCHDOG=1\n"));
  EXPECT_EQ(notify->watchdog_us(), 20'000U);
}

TEST_F(NotifyTest, TellsAStatusThatHasChanged) {
  watch_every_us("2000");
  const auto notify = make();
  notify->ready();
  heard();

  event_base_loop(base_.get(), EVLOOP_ONCE);
  state_ = "generation 2";
  event_base_loop(base_.get(), EVLOOP_ONCE);

  EXPECT_THAT(heard(), ElementsAre("WATCHDOG=1\n", "WATCHDOG=1\n", "STATUS=generation 2\n"));
}

TEST_F(NotifyTest, NamesTheSuccessorWaitsUntilThatIsKnownAndIsSilent) {
  const auto notify = make();
  std::string first;
  std::string second;
  std::thread systemd([&] {
    first = receive(0);
    second = receive(0);
  });

  notify->hand_over(77);
  systemd.join();
  notify->stopping();

  EXPECT_EQ(first, "WATCHDOG=1\nMAINPID=77\n");
  EXPECT_EQ(second, "BARRIER=1");
  EXPECT_THAT(heard(), IsEmpty());
}

// --- the store ---

class FdStoreTest : public NotifyTest {
 protected:
  UniqueFd one_{memfd_create("one", MFD_CLOEXEC)};
  UniqueFd two_{memfd_create("two", MFD_CLOEXEC)};
  std::unique_ptr<Notify> notify_ = make();
  FdStore store_{*notify_};
};

TEST_F(FdStoreTest, IsToldWhatIsNewAndWhatHasGone) {
  store_.update({{"a", one_.get()}, {"b", two_.get()}});
  store_.update({{"b", two_.get()}});
  store_.update({{"b", two_.get()}});

  EXPECT_THAT(heard(),
              ElementsAre("FDSTORE=1\nFDNAME=a\nFDPOLL=0\n", "FDSTORE=1\nFDNAME=b\nFDPOLL=0\n",
                          "FDSTOREREMOVE=1\nFDNAME=a\n"));
}

TEST_F(FdStoreTest, ForgetsTheDescriptorOfBeforeWhenANameHasAnother) {
  store_.update({{"a", one_.get()}});
  heard();

  store_.update({{"a", two_.get()}});

  EXPECT_THAT(heard(),
              ElementsAre("FDSTOREREMOVE=1\nFDNAME=a\n", "FDSTORE=1\nFDNAME=a\nFDPOLL=0\n"));
}

TEST_F(FdStoreTest, ForgetsWhatAPredecessorHasLeftAndNobodyUses) {
  store_.know({"a", one_.get()});
  store_.know({"b", two_.get()});

  store_.update({{"a", one_.get()}});

  EXPECT_THAT(heard(), ElementsAre("FDSTOREREMOVE=1\nFDNAME=b\n"));
}

TEST_F(FdStoreTest, IsLeftAloneByWhoIsNotTheMainProcess) {
  notify_->inherit(0);
  store_.update({{"a", one_.get()}});
  EXPECT_THAT(heard(), IsEmpty());

  notify_->take_over();
  store_.update({{"a", one_.get()}});

  EXPECT_THAT(heard(), ElementsAre(HasSubstr("FDNAME=a")));
}

}  // namespace
}  // namespace drover
