// The kit itself: what a worker promises to a module, seen by modules of a few lines.
#include <gtest/gtest.h>

#include <cerrno>
#include <functional>
#include <stdexcept>

#include "modules/sdk/module.hpp"
#include "modules/sdk/testkit/testkit.hpp"

namespace drover::testkit {
namespace {

// Calls outward on "to ADDRESS" and passes on what it gets from there.
class Calling {
 public:
  explicit Calling(drover::Host host) : host_(host) {}

  void on_open(drover_conn conn) {
    if (host_.tag(conn) != 0) host_.write(conn, "called for you");
  }
  void on_data(drover_conn conn, std::string_view bytes) {
    if (host_.tag(conn) != 0) return host_.write(host_.tag(conn), bytes);
    host_.connect(std::string(bytes), std::chrono::seconds(1), conn);
  }
  void on_connect_failed(std::uint64_t tag, int error) {
    host_.write(tag, "error " + std::to_string(error));
  }

 private:
  drover::Host host_;
};

class CallingTest : public testing::Test {
 protected:
  CallingTest() { host_.feed(client_, "192.0.2.9:80"); }

  const ModuleTable table_ = drover::detail::make_module<Calling>("calling");
  Host host_{table_};
  const drover_conn client_ = host_.accept();
};

TEST_F(CallingTest, IsServedOnceItsCallIsAnswered) {
  ASSERT_EQ(host_.outgoing().size(), 1U);
  const drover_conn called = host_.outgoing()[0].conn;
  EXPECT_EQ(host_.outgoing()[0].address, "192.0.2.9:80");

  host_.establish(called);
  EXPECT_EQ(host_.read(called), "called for you");
  host_.feed(called, "answer");

  EXPECT_EQ(host_.read(client_), "answer");
}

TEST_F(CallingTest, IsToldThatItsCallWasRefused) {
  host_.refuse(host_.outgoing()[0].conn, ECONNREFUSED);

  EXPECT_EQ(host_.read(client_), "error " + std::to_string(ECONNREFUSED));
}

TEST_F(CallingTest, IsToldThatNobodyAnsweredInTime) {
  host_.pass(std::chrono::milliseconds(1'001));

  EXPECT_EQ(host_.read(client_), "error " + std::to_string(ETIMEDOUT));
  EXPECT_TRUE(host_.outgoing().empty());
}

struct Refusing {
  explicit Refusing(drover::Host /*host*/) { throw std::runtime_error("not today"); }
  void on_open(drover_conn /*conn*/) {}
};

TEST(Kit, ThrowsTheWordsOfAModuleThatRefusesToStart) {
  const ModuleTable table = drover::detail::make_module<Refusing>("refusing");
  try {
    const Host host(table);
    FAIL() << "it started";
  } catch (const std::logic_error& error) {
    EXPECT_STREQ(error.what(), "not today");
  }
}

struct Closing {
  explicit Closing(drover::Host h) : host(h) {}
  void on_data(drover_conn conn, std::string_view /*bytes*/) {
    host.write(conn, "bye");
    host.close(conn);
    host.write(conn, "too late");
  }
  drover::Host host;
};

TEST(Kit, LingersAfterACloseUntilTheClientEnds) {
  const ModuleTable table = drover::detail::make_module<Closing>("closing");
  Host host(table);
  const drover_conn conn = host.accept();
  host.feed(conn, "x");
  host.feed(conn, "discarded");

  EXPECT_EQ(host.read(conn), "bye");
  EXPECT_TRUE(host.has_ended(conn));
  EXPECT_EQ(host.closed(conn), std::nullopt);
  host.end(conn);
  EXPECT_EQ(host.closed(conn), DROVER_CLOSED_BY_MODULE);
  EXPECT_EQ(host.calls("close"), 1);
}

TEST(Kit, ThrowsWhenTheTestGoesWrong) {
  const ModuleTable table = drover::detail::make_module<Closing>("closing");
  Host host(table);
  const drover_conn conn = host.accept();
  host.end(conn);

  EXPECT_THROW(host.feed(conn, "after the end"), std::logic_error);
  EXPECT_THROW(host.feed(4711, "to nobody"), std::logic_error);
  EXPECT_THROW(host.establish(conn), std::logic_error);
  EXPECT_THROW(static_cast<void>(load("/does/not/exist.so")), std::logic_error);
}

}  // namespace
}  // namespace drover::testkit
