// What windows grow to in all: however many sessions and streams want it, it is no more than the
// worker's budget, and all of it comes back.
#include <gtest/gtest.h>

#include "modules/mux/wire/xsmux.h"
#include "tests/unit/mux/recorder.h"

namespace mux::testing {
namespace {

// A session whose peer uses up the window of each of its streams as fast as it is given.
class Uploader {
 public:
  Uploader(Protocol protocol, const Limits& limits, Worker& worker)
      : protocol_(protocol),
        session_(make_session(protocol, Role::kServer, limits, worker, owner_, kNow)) {}

  void open(std::uint32_t id) { session_->receive(head(id, 0, true), kNow); }
  void upload_half_a_window(std::uint32_t id) {
    Stream& stream = *owner_.streams.at(id);
    std::size_t left = stream.window / 2;
    while (left > 0) {
      const std::size_t part = std::min<std::size_t>(left, 32'768);
      session_->receive(head(id, part, false) + std::string(part, 'x'), kNow);
      left -= part;
    }
    const auto waiting = static_cast<std::size_t>(stream.received - stream.consumed);
    session_->consumed(stream, waiting, kNow);
    std::string out;
    session_->send(out, std::size_t{1} << 20, kNow);
    owner_.received.clear();
  }
  void close(std::uint32_t id) { session_->close(*owner_.streams.at(id), false, kNow); }
  [[nodiscard]] std::uint32_t window(std::uint32_t id) const {
    return owner_.streams.at(id)->window;
  }
  [[nodiscard]] Ending ending() const { return session_->ending(); }

 private:
  static constexpr Time kNow{1'000};

  [[nodiscard]] std::string head(std::uint32_t id, std::size_t size, bool opens) const {
    if (protocol_ == Protocol::kYamux)
      return opens ? update(yamux::kSyn, id)
                   : frame(yamux::Type::kData, 0, id, static_cast<std::uint32_t>(size));
    std::string bytes;
    xsmux::append_head(bytes, {.version = 2,
                               .command = opens ? xsmux::Command::kSyn : xsmux::Command::kPush,
                               .length = static_cast<std::uint16_t>(size),
                               .id = id});
    return bytes;
  }

  Protocol protocol_;
  Recorder owner_;
  std::unique_ptr<Session> session_;
};

class WindowsBudget : public ::testing::TestWithParam<Protocol> {
 protected:
  static constexpr std::uint32_t kStreams = 20;  // of a session
  static std::uint32_t id_of(std::uint32_t stream) { return 2 * stream + 3; }

  void grow_all(Uploader& uploader) {
    for (std::uint32_t i = 0; i < kStreams; ++i) {
      uploader.upload_half_a_window(id_of(i));
      EXPECT_LE(worker_.window_used, worker_.window_limit);
      EXPECT_LE(uploader.window(id_of(i)), limits_.max_window);
    }
  }

  Limits limits_;
  Worker worker_;
};

TEST_P(WindowsBudget, OfAWorkerBoundsAllSessionsTogether) {
  worker_.window_limit = 7 * kFirstWindow + 12'345;
  {
    std::vector<std::unique_ptr<Uploader>> all;
    for (int i = 0; i < 3; ++i) {
      all.push_back(std::make_unique<Uploader>(GetParam(), limits_, worker_));
      for (std::uint32_t n = 0; n < kStreams; ++n) all.back()->open(id_of(n));
    }
    for (int round = 0; round < 4; ++round)
      for (const auto& uploader : all) grow_all(*uploader);

    EXPECT_EQ(worker_.window_used, worker_.window_limit) << "all of it is used";
    for (const auto& uploader : all) EXPECT_EQ(uploader->ending(), Ending::kNone);
  }
  EXPECT_EQ(worker_.window_used, 0U);
  EXPECT_EQ(worker_.memory_used, 0U);
}

TEST_P(WindowsBudget, ThatAStreamGivesBackAnotherMayHave) {
  worker_.window_limit = kFirstWindow;
  Uploader uploader(GetParam(), limits_, worker_);
  uploader.open(3);
  uploader.open(5);
  uploader.upload_half_a_window(3);
  uploader.upload_half_a_window(5);
  EXPECT_EQ(uploader.window(3), 2 * kFirstWindow);
  EXPECT_EQ(uploader.window(5), kFirstWindow);

  uploader.close(3);
  uploader.upload_half_a_window(5);

  EXPECT_EQ(uploader.window(5), 2 * kFirstWindow);
  EXPECT_EQ(worker_.window_used, kFirstWindow);
}

TEST_P(WindowsBudget, OfNothingLeavesAllWindowsAsTheyBegin) {
  worker_.window_limit = 0;
  Uploader uploader(GetParam(), limits_, worker_);
  for (std::uint32_t n = 0; n < kStreams; ++n) uploader.open(id_of(n));

  grow_all(uploader);

  for (std::uint32_t n = 0; n < kStreams; ++n) EXPECT_EQ(uploader.window(id_of(n)), kFirstWindow);
  EXPECT_EQ(worker_.counts.windows_grown, 0U);
}

INSTANTIATE_TEST_SUITE_P(All, WindowsBudget, ::testing::Values(Protocol::kXsmux2, Protocol::kYamux),
                         [](const auto& row) {
                           return row.param == Protocol::kYamux ? "Yamux" : "Xsmux2";
                         });

}  // namespace
}  // namespace mux::testing
