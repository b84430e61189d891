// Bytes in, bytes out: gathering, leftovers, backpressure, handles.
#include "tests/unit/worker/harness.h"
#include "worker/child_transport.h"

namespace drover {
namespace {

std::string pattern(std::size_t size) {
  std::string bytes(size, '\0');
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(i * 7 + i / 251);
  return bytes;
}

TEST_F(ConnectionTest, EchoesWhatItGets) {
  echo();
  const UniqueFd client = connect();

  send(client, "hello");
  turn();

  EXPECT_EQ(read_some(client), "hello");
  EXPECT_EQ(value(seat_.counters.bytes_in), 5U);
  EXPECT_EQ(value(seat_.counters.bytes_out), 5U);
}

TEST_F(ConnectionTest, LetsAModuleGreetInOnOpen) {
  module_.open = [&](drover_conn conn) { module_.write(conn, "welcome\n"); };

  const UniqueFd client = connect();

  EXPECT_EQ(read_some(client), "welcome\n");
}

TEST_F(ConnectionTest, OffersTheUnconsumedRestAgainAtEverySplit) {
  hooks_.on_eof = nullptr;
  // Answers each line of exactly four bytes and consumes nothing less.
  module_.data = [&](drover_conn conn, std::string_view bytes) {
    std::size_t used = 0;
    for (; bytes.size() - used >= 4; used += 4) module_.write(conn, bytes.substr(used, 4));
    return static_cast<std::int64_t>(used);
  };
  const std::string input = "aaa\nbbb\nccc\n";
  for (std::size_t first = 0; first <= input.size(); ++first) {
    for (std::size_t second = first; second <= input.size(); ++second) {
      const UniqueFd client = connect();
      for (const std::string& part :
           {input.substr(0, first), input.substr(first, second - first), input.substr(second)}) {
        if (part.empty()) continue;
        send(client, part);
        turn();
      }
      ASSERT_EQ(read_some(client), input) << first << " " << second;
      shutdown(client.get(), SHUT_WR);
    }
  }
}

TEST_F(ConnectionTest, SendsALargeWriteFromOutsideAtOnce) {
  const UniqueFd client = connect();
  core_->begin_batch();
  module_.write(module_.opened[0], pattern(20'000));

  EXPECT_EQ(read_some(client), pattern(20'000));
  turn();
  EXPECT_EQ(value(seat_.counters.bytes_out), 20'000U);
}

TEST_F(ConnectionTest, GoesOnWithALargeWriteFromOutsideWhenThePeerReads) {
  const UniqueFd client = connect();
  core_->begin_batch();
  module_.write(module_.opened[0], pattern(3'000'000));
  std::string got;
  for (int i = 0; i < 1000 && got.size() < 3'000'000; ++i) {
    turn();
    got += read_some(client);
  }

  EXPECT_TRUE(got == pattern(3'000'000));
}

TEST_F(ConnectionTest, SendsSmallWritesFromOutsideTogether) {
  const UniqueFd client = connect();
  core_->begin_batch();
  module_.write(module_.opened[0], "one ");
  module_.write(module_.opened[0], "two");

  EXPECT_EQ(read_some(client), "");
  turn();
  EXPECT_EQ(read_some(client), "one two");
}

TEST_F(ConnectionTest, KeepsTheOrderOfWritesFromOutside) {
  const UniqueFd client = connect();
  std::string expected;
  std::string got;
  for (int i = 0; i < 40; ++i) {
    core_->begin_batch();
    for (const std::size_t size : {20'000U, 10U, 300'000U, 16'384U, 100U}) {
      if (find(module_.opened[0])->pending_output() > (1 << 20)) continue;
      const std::string bytes = pattern(size + static_cast<std::size_t>(i));
      module_.write(module_.opened[0], bytes);
      expected += bytes;
    }
    turn();
    if (i % 4 == 3) got += read_some(client);
  }
  for (int i = 0; i < 100 && got.size() < expected.size(); ++i) {
    got += read_some(client);
    turn();
  }

  EXPECT_TRUE(got == expected);
}

// It may be the carrier that writes.
TEST_F(ConnectionTest, GivesNoCarrierALargeWriteBeforeTheWriterHasReturned) {
  streams_ = 1;
  const UniqueFd client = connect();
  std::size_t written = 0;
  StreamCarrier carrier{.server = server_.get(), .parent = module_.opened[0], .argument = &written};
  carrier.table.write = [](void*, void* count, const drover_slice* slices, std::size_t) {
    *static_cast<std::size_t*>(count) += slices[0].size;
    return slices[0].size;
  };
  carrier.table.close = [](void*, void*, drover_close_reason, int) {};
  core_->begin_batch();
  const drover_conn stream = Connection::open_child(*server_, carrier);
  turn();

  core_->begin_batch();
  module_.write(stream, pattern(20'000));
  EXPECT_EQ(written, 0U);
  turn();

  EXPECT_EQ(written, 20'000U);
}

TEST_F(ConnectionTest, SendsNothingLargeFromOutsideThatIsWrittenAfterTheClose) {
  const UniqueFd client = connect();
  core_->begin_batch();
  module_.host->close(module_.context, module_.opened[0]);
  module_.write(module_.opened[0], pattern(20'000));
  turns(2);

  EXPECT_EQ(read_some(client), "");
}

// The module has seen so much pending, and waits to be told.
TEST_F(ConnectionTest, TellsTheModuleThatALargeWriteFromOutsideHasLeft) {
  int calls = 0;
  module_.writable = [&](drover_conn) { ++calls; };
  const UniqueFd client = connect();
  core_->begin_batch();
  module_.write(module_.opened[0], pattern(500'000));
  ASSERT_GT(find(module_.opened[0])->pending_output(), ConnectionCore::kHighWater);
  for (int i = 0; i < 20; ++i) {
    read_some(client);
    turn();
  }

  EXPECT_EQ(calls, 1);
}

TEST_F(ConnectionTest, EndsWhenALargeWriteFromOutsideFindsThePeerGone) {
  UniqueFd client = connect_tcp();
  reset(client);
  core_->begin_batch();
  module_.write(module_.opened[0], pattern(20'000));
  EXPECT_EQ(find(module_.opened[0])->pending_output(), 0U) << "kept for nobody";
  EXPECT_EQ(module_.closed.size(), 0U) << "not inside of the call";
  turns(2);

  EXPECT_EQ(module_.closed, std::vector<drover_close_reason>{DROVER_RESET});
  EXPECT_EQ(live(), 0U);
}

TEST_F(ConnectionTest, SendsManySmallAndLargeWritesInOrder) {
  std::string expected;
  module_.data = [&](drover_conn conn, std::string_view bytes) {
    for (int i = 0; i < 300; ++i) {
      const std::string piece = pattern(static_cast<std::size_t>(i * i % 1500));
      module_.write(conn, piece);  // a memory that is gone when the hook returns
      module_.write(conn, bytes);  // the read buffer
      expected += piece;
      expected += bytes;
    }
    return static_cast<std::int64_t>(bytes.size());
  };
  const UniqueFd client = connect();

  send(client, "xyz");
  std::string got;
  for (int i = 0; i < 50; ++i) {
    turn();
    got += read_some(client);
  }

  EXPECT_EQ(got, expected);
}

TEST_F(ConnectionTest, KeepsTheOrderWhenOneWriteIsLargerThanTheSocketTakes) {
  const std::string large = pattern(3'000'000);
  module_.data = [&](drover_conn conn, std::string_view bytes) {
    module_.write(conn, "<");
    module_.write(conn, large);
    module_.write(conn, ">");
    return static_cast<std::int64_t>(bytes.size());
  };
  const UniqueFd client = connect();

  send(client, "go");
  std::string got;
  for (int i = 0; i < 200; ++i) {
    turn();
    got += read_some(client);
  }

  EXPECT_TRUE(got == "<" + large + ">") << got.size();
}

TEST_F(ConnectionTest, ReadsNoMoreWhileASlowReaderHasEnoughPending) {
  echo();
  const UniqueFd client = connect();
  const std::string chunk = pattern(64 * 1024);
  std::size_t sent = 0;

  for (int i = 0; i < 500; ++i) {
    const ssize_t size = ::send(client.get(), chunk.data(), chunk.size(), MSG_NOSIGNAL);
    if (size > 0) sent += static_cast<std::size_t>(size);
    turn();
    ASSERT_LE(find(module_.opened[0])->pending_output(),
              ConnectionCore::kHighWater + ConnectionCore::kReadBuffer);
  }

  EXPECT_LT(sent, 2'000'000U) << "the client was never stopped";
  EXPECT_GT(find(module_.opened[0])->pending_output(), ConnectionCore::kHighWater);
  std::size_t got = 0;
  for (int i = 0; i < 200; ++i) {
    got += read_some(client).size();
    turn();
  }
  EXPECT_EQ(got, sent);
}

TEST_F(ConnectionTest, TellsTheModuleWhenItMayWriteAgain) {
  int calls = 0;
  module_.writable = [&](drover_conn) { ++calls; };
  module_.data = [&](drover_conn conn, std::string_view bytes) {
    module_.write(conn, pattern(2'000'000));
    return static_cast<std::int64_t>(bytes.size());
  };
  const UniqueFd client = connect();
  send(client, "go");
  turns(3);
  ASSERT_EQ(calls, 0);

  for (int i = 0; i < 200; ++i) {
    read_some(client);
    turn();
  }

  EXPECT_EQ(calls, 1);
}

TEST_F(ConnectionTest, PausesAndResumesReading) {
  const UniqueFd client = connect();
  const drover_conn conn = module_.opened[0];
  module_.host->pause_reading(module_.context, conn);
  turn();
  send(client, "later");
  turns(3);
  EXPECT_EQ(module_.received, "");

  module_.host->resume_reading(module_.context, conn);
  turns(2);

  EXPECT_EQ(module_.received, "later");
}

TEST_F(ConnectionTest, FlushesAWriteToAnotherConnectionAtTheEndOfTheBatch) {
  module_.data = [&](drover_conn, std::string_view bytes) {
    module_.write(module_.opened[1], bytes);
    return static_cast<std::int64_t>(bytes.size());
  };
  const UniqueFd first = connect();
  const UniqueFd second = connect();

  send(first, "for the other");
  turn();

  EXPECT_EQ(read_some(second), "for the other");
  EXPECT_EQ(read_some(first), "");
}

TEST_F(ConnectionTest, CountsCallsOnHandlesWhoseConnectionHasGone) {
  hooks_.on_eof = nullptr;
  UniqueFd client = connect();
  const drover_conn gone = module_.opened[0];
  client.reset();
  turns(2);
  const UniqueFd next = connect();  // on the same index

  module_.write(gone, "nobody");
  module_.host->close(module_.context, gone);
  EXPECT_EQ(module_.host->pending_output(module_.context, gone), 0U);
  char name[8];
  EXPECT_EQ(module_.host->peer_name(module_.context, gone, name, sizeof name), 0U);
  module_.write(0, "nobody");
  turn();

  EXPECT_EQ(value(seat_.counters.stale_handles), 5U);
  EXPECT_EQ(read_some(next), "");
  EXPECT_EQ(live(), 1U);
}

TEST_F(ConnectionTest, CutsThePeersNameToTheCallersBuffer) {
  const UniqueFd client = connect("127.0.0.1:5000");
  char name[6];

  EXPECT_EQ(module_.host->peer_name(module_.context, module_.opened[0], name, sizeof name), 5U);

  EXPECT_STREQ(name, "127.0");
}

TEST_F(ConnectionTest, ClosesWhenMoreIsLeftUnconsumedThanIsKept) {
  module_.data = [](drover_conn, std::string_view) { return std::int64_t{0}; };
  const UniqueFd client = connect();
  const std::string chunk = pattern(32 * 1024);

  for (int i = 0; i < 8 && live() == 1; ++i) {
    static_cast<void>(::send(client.get(), chunk.data(), chunk.size(), MSG_NOSIGNAL));
    turn();
  }

  EXPECT_EQ(module_.closed, std::vector{DROVER_MODULE_FAILED});
}

struct Nonsense {
  const char* name;
  std::int64_t answer;
};
class NonsenseTest : public ConnectionTest, public testing::WithParamInterface<Nonsense> {};

TEST_P(NonsenseTest, CostsTheModuleThatConnectionOnly) {
  bool first = true;
  module_.data = [&](drover_conn, std::string_view bytes) {
    return std::exchange(first, false) ? GetParam().answer
                                       : static_cast<std::int64_t>(bytes.size());
  };
  const UniqueFd one = connect();
  const UniqueFd two = connect();

  send(one, "abc");
  turn();
  send(two, "abc");
  turn();

  EXPECT_EQ(module_.closed, std::vector{DROVER_MODULE_FAILED});
  EXPECT_TRUE(is_ended(one));
  EXPECT_FALSE(is_ended(two));
}

INSTANTIATE_TEST_SUITE_P(Table, NonsenseTest,
                         testing::Values(Nonsense{"fail", DROVER_FAIL}, Nonsense{"too_much", 4},
                                         Nonsense{"negative", -7}),
                         [](const auto& row) { return row.param.name; });

}  // namespace
}  // namespace drover
