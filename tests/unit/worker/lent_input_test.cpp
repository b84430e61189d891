// What a carrier gives its streams of what it is just given.
#include "worker/lent_input.h"

#include <gtest/gtest.h>

#include <map>

#include "tests/unit/worker/harness.h"
#include "worker/child_transport.h"

namespace drover {
namespace {

// A server whose streams are its own connections: `data` of a stream appends to what it got.
class LentInputTest : public ConnectionTest {
 protected:
  struct Offered {
    std::string bytes;
    const char* at = nullptr;
    bool is_inside = false;  // of the carrier's hook
  };

  LentInputTest() : client_(UniqueFd()) {
    streams_ = 8;
    client_ = connect();
    carrier_ = module_.opened[0];
    module_.data = [this](drover_conn conn, std::string_view bytes) {
      return on_data(conn, bytes);
    };
    module_.eof = [this](drover_conn conn) { offered_[conn].push_back({.bytes = "<end>"}); };
  }
  ~LentInputTest() override { module_.data = nullptr; }

  drover_conn open(drover_conn parent) {
    StreamCarrier stream{.server = server_.get(), .parent = parent, .argument = this};
    stream.table.write = [](void*, void*, const drover_slice*, std::size_t) -> std::size_t {
      return 0;
    };
    stream.table.consumed = [](void*, void* test, std::size_t size_bytes) {
      static_cast<LentInputTest*>(test)->used_ += size_bytes;
    };
    stream.table.close = [](void*, void*, drover_close_reason, int) {};
    return Connection::open_child(*server_, stream);
  }
  drover_conn open_and_wait() {
    core_->begin_batch();
    const drover_conn stream = open(carrier_);
    turn();
    return stream;
  }
  std::size_t give(drover_conn stream, std::string_view bytes) const {
    return module_.host->child_data(module_.context, stream, {bytes.data(), bytes.size()});
  }
  // The carrier's on_data runs with these bytes.
  void carry(std::string_view bytes, const std::function<void(std::string_view)>& hook) {
    carrying_ = hook;
    send(client_, bytes);
    turn();
  }
  std::string all_of(drover_conn stream) {
    std::string all;
    for (const Offered& each : offered_[stream]) all += each.bytes + "|";
    return all;
  }

  UniqueFd client_;
  drover_conn carrier_ = 0;
  std::map<drover_conn, std::vector<Offered>> offered_;
  std::function<void(std::string_view)> carrying_;                           // of the carrier
  std::map<drover_conn, std::function<std::size_t(std::string_view)>> own_;  // of single streams
  std::size_t used_ = 0;

 private:
  std::int64_t on_data(drover_conn conn, std::string_view bytes) {
    if (conn == carrier_) {
      is_carrying_ = true;
      carrying_(bytes);
      is_carrying_ = false;
      return static_cast<std::int64_t>(bytes.size());
    }
    offered_[conn].push_back(
        {.bytes = std::string(bytes), .at = bytes.data(), .is_inside = is_carrying_});
    const auto own = own_.find(conn);
    return static_cast<std::int64_t>(own == own_.end() ? bytes.size() : own->second(bytes));
  }

  bool is_carrying_ = false;
};

TEST_F(LentInputTest, IsOfferedWhereItLiesWhenTheHookHasReturned) {
  const drover_conn one = open_and_wait();
  const drover_conn two = open_and_wait();
  const char* at = nullptr;

  carry("abcd", [&](std::string_view bytes) {
    at = bytes.data();
    EXPECT_EQ(give(one, bytes.substr(0, 1)), 1U);
    EXPECT_EQ(give(two, bytes.substr(1, 1)), 1U);
    EXPECT_EQ(give(one, bytes.substr(2, 2)), 3U) << "all that waits";
  });

  EXPECT_EQ(all_of(one), "a|cd|");
  EXPECT_EQ(all_of(two), "b|");
  EXPECT_EQ(offered_[one][1].at, at + 2);
  EXPECT_FALSE(offered_[one][0].is_inside);
  EXPECT_EQ(used_, 4U);
}

TEST_F(LentInputTest, OpensAStreamThatHasJustBegun) {
  drover_conn stream = 0;
  const char* at = nullptr;

  carry("hello", [&](std::string_view bytes) {
    at = bytes.data();
    stream = open(carrier_);
    give(stream, bytes);
    EXPECT_EQ(module_.opened.size(), 1U) << "on_open is not called inside";
  });

  EXPECT_EQ(module_.opened.size(), 2U);
  EXPECT_EQ(all_of(stream), "hello|");
  EXPECT_EQ(offered_[stream][0].at, at);
}

TEST_F(LentInputTest, WaitsForAStreamThatIsPausedAndTheEndBehindIt) {
  const drover_conn stream = open_and_wait();
  module_.host->pause_reading(module_.context, stream);

  carry("onetwo", [&](std::string_view bytes) {
    give(stream, bytes.substr(0, 3));
    give(stream, bytes.substr(3));
    module_.host->child_end(module_.context, stream);
  });
  carry("overwritten", [](std::string_view) {});
  EXPECT_EQ(all_of(stream), "");
  EXPECT_EQ(used_, 0U);
  EXPECT_EQ(find(stream)->stream()->waiting(), 6U);

  module_.host->resume_reading(module_.context, stream);
  turns(3);

  EXPECT_EQ(all_of(stream), "onetwo|<end>|");
  EXPECT_EQ(used_, 6U);
}

TEST_F(LentInputTest, StaysBehindWhatWaited) {
  const drover_conn stream = open_and_wait();

  carry("lent", [&](std::string_view bytes) {
    give(stream, std::string("copied "));
    give(stream, bytes);
  });

  EXPECT_EQ(all_of(stream), "copied lent|");
}

TEST_F(LentInputTest, OfAStreamThatPausesItselfWaitsFromThereOn) {
  const drover_conn stream = open_and_wait();
  own_[stream] = [&](std::string_view bytes) {
    module_.host->pause_reading(module_.context, stream);
    return bytes.size();
  };

  carry("ab", [&](std::string_view bytes) {
    give(stream, bytes.substr(0, 1));
    give(stream, bytes.substr(1));
  });

  EXPECT_EQ(all_of(stream), "a|");
  module_.host->resume_reading(module_.context, stream);
  turns(2);
  EXPECT_EQ(all_of(stream), "a|b|");
}

TEST_F(LentInputTest, IsOfferedAgainWithWhatFollowsWhenItIsNotConsumed) {
  const drover_conn stream = open_and_wait();
  own_[stream] = [](std::string_view bytes) { return bytes.size() < 4 ? 0 : bytes.size(); };

  carry("abcd", [&](std::string_view bytes) {
    give(stream, bytes.substr(0, 2));
    give(stream, bytes.substr(2));
  });

  EXPECT_EQ(all_of(stream), "ab|abcd|");
}

TEST_F(LentInputTest, OfAStreamThatIsBrokenOffIsDropped) {
  const drover_conn stream = open_and_wait();

  carry("lost", [&](std::string_view bytes) {
    give(stream, bytes);
    module_.host->child_reset(module_.context, stream);
  });

  EXPECT_EQ(all_of(stream), "");
  EXPECT_EQ(module_.closed, std::vector{DROVER_RESET});
  EXPECT_EQ(find(stream), nullptr);
}

TEST_F(LentInputTest, OfAStreamThatHasClosedIsDropped) {
  const drover_conn stream = open_and_wait();
  own_[stream] = [&](std::string_view bytes) {
    module_.host->close(module_.context, stream);
    return bytes.size();
  };

  carry("ab", [&](std::string_view bytes) {
    give(stream, bytes.substr(0, 1));
    give(stream, bytes.substr(1));
  });
  turns(2);

  EXPECT_EQ(all_of(stream), "a|");
}

TEST_F(LentInputTest, CountsToTheLimitOfAnInbox) {
  const drover_conn stream = open_and_wait();
  module_.host->pause_reading(module_.context, stream);
  give(stream, std::string(DROVER_CHILD_INBOX - 3, 'x'));

  carry("abcd", [&](std::string_view bytes) {
    EXPECT_EQ(give(stream, bytes.substr(0, 3)), DROVER_CHILD_INBOX);
    give(stream, bytes.substr(3));
  });

  EXPECT_EQ(module_.closed, std::vector{DROVER_MODULE_FAILED});
}

TEST_F(LentInputTest, IsLentOnByAStreamThatCarriesStreams) {
  const drover_conn outer = open_and_wait();
  const drover_conn other = open_and_wait();
  drover_conn inner = 0;
  const char* at = nullptr;
  bool is_outer_running = false;
  own_[outer] = [&](std::string_view bytes) {
    is_outer_running = true;
    if (inner == 0) inner = open(outer);
    give(inner, bytes.substr(1));
    is_outer_running = false;
    return bytes.size();
  };
  own_[other] = [&](std::string_view bytes) {
    EXPECT_FALSE(is_outer_running);
    return bytes.size();
  };

  carry("abc", [&](std::string_view bytes) {
    at = bytes.data();
    give(outer, bytes.substr(0, 2));
    give(other, bytes.substr(2));
  });

  EXPECT_EQ(all_of(inner), "b|");
  EXPECT_EQ(offered_[inner][0].at, at + 1);
  EXPECT_EQ(all_of(other), "c|");
}

TEST_F(LentInputTest, LeavesTheCarrierWhatItHasNotConsumed) {
  const drover_conn stream = open_and_wait();
  std::string seen;
  module_.data = [&](drover_conn conn, std::string_view bytes) -> std::int64_t {
    if (conn != carrier_) return static_cast<std::int64_t>(bytes.size());
    seen += std::string(bytes) + "|";
    give(stream, bytes.substr(0, 1));
    return 1;
  };

  send(client_, "xyz");
  turn();
  send(client_, "!");
  turn();

  EXPECT_EQ(seen, "xyz|yz!|");
}

TEST_F(LentInputTest, IsNothingOutsideOfTheBufferOrOfAHook) {
  const std::string_view buffer = "buffer";
  LentInput of_buffer(buffer);
  EXPECT_FALSE(of_buffer.can_lend(buffer.substr(1, 2))) << "nobody reads";
  EXPECT_TRUE(of_buffer.begin());
  EXPECT_FALSE(of_buffer.begin());
  EXPECT_TRUE(of_buffer.can_lend(buffer.substr(1, 2)));
  EXPECT_FALSE(of_buffer.can_lend(buffer.substr(1, 0)));
  EXPECT_FALSE(of_buffer.can_lend(std::string("other")));
  EXPECT_EQ(of_buffer.next(), nullptr);
  EXPECT_FALSE(of_buffer.can_lend(buffer.substr(1, 2))) << "over";
}

}  // namespace
}  // namespace drover
