// How connections end: half-close, lingering close, resets, deadlines, drain.
#include "tests/unit/worker/harness.h"
#include "worker/child_transport.h"

namespace drover {
namespace {

using Reasons = std::vector<drover_close_reason>;

TEST_F(ConnectionTest, FlushesAndClosesAtTheClientsEndWhenTheModuleDoesNotCare) {
  hooks_.on_eof = nullptr;
  echo();
  const UniqueFd client = connect();

  send(client, "last words");
  shutdown(client.get(), SHUT_WR);
  turns(3);

  EXPECT_EQ(read_some(client), "last words");
  EXPECT_TRUE(is_ended(client));
  EXPECT_EQ(module_.closed, Reasons{DROVER_CLOSED_BY_PEER});
}

TEST_F(ConnectionTest, GoesOnWritingAfterTheClientsEndOfStream) {
  const UniqueFd client = connect();
  shutdown(client.get(), SHUT_WR);
  turns(3);
  ASSERT_EQ(live(), 1U);

  module_.write(module_.opened[0], "still here");
  turn();
  EXPECT_EQ(read_some(client), "still here");
  EXPECT_FALSE(is_ended(client));
  module_.host->half_close(module_.context, module_.opened[0]);
  turn();

  EXPECT_TRUE(is_ended(client));
  EXPECT_EQ(module_.closed, Reasons{DROVER_CLOSED_BY_PEER});
}

TEST_F(ConnectionTest, GoesOnReadingAfterItsOwnEndOfStream) {
  const UniqueFd client = connect();
  module_.host->half_close(module_.context, module_.opened[0]);
  turn();
  EXPECT_TRUE(is_ended(client));

  send(client, "more");
  turn();
  EXPECT_EQ(module_.received, "more");
  module_.write(module_.opened[0], "too late");
  turn();
  EXPECT_EQ(read_some(client), "");
  shutdown(client.get(), SHUT_WR);
  turn();

  EXPECT_EQ(module_.closed, Reasons{DROVER_CLOSED_BY_PEER});
}

TEST_F(ConnectionTest, SendsEverythingBeforeAHalfCloseToASlowReader) {
  module_.data = [&](drover_conn conn, std::string_view bytes) {
    module_.write(conn, std::string(2'000'000, 'x'));
    module_.host->half_close(module_.context, conn);
    return static_cast<std::int64_t>(bytes.size());
  };
  const UniqueFd client = connect();
  send(client, "go");

  std::size_t got = 0;
  for (int i = 0; i < 200 && !is_ended(client); ++i) {
    turn();
    got += read_some(client).size();
  }

  EXPECT_EQ(got, 2'000'000U);
}

TEST_F(ConnectionTest, LingersAfterACloseUntilTheClientHasClosedToo) {
  module_.data = [&](drover_conn conn, std::string_view bytes) {
    module_.write(conn, "bye");
    module_.host->close(module_.context, conn);
    return static_cast<std::int64_t>(bytes.size());
  };
  const UniqueFd client = connect();
  send(client, "quit");
  turn();
  send(client, "sent before bye was read");
  turns(2);

  EXPECT_EQ(module_.received, "quit") << "on_data after close";
  EXPECT_EQ(read_some(client), "bye");
  EXPECT_EQ(live(), 1U);
  EXPECT_EQ(module_.closed, Reasons{});
  shutdown(client.get(), SHUT_WR);
  turns(2);

  EXPECT_EQ(module_.closed, Reasons{DROVER_CLOSED_BY_MODULE});
  EXPECT_EQ(live(), 0U);
}

TEST_F(ConnectionTest, LingersForTheTimeoutAtMostHoweverMuchTheClientSends) {
  settings_.linger_timeout = Millis{5'000};
  const UniqueFd client = connect();
  module_.host->close(module_.context, module_.opened[0]);
  turn();

  for (int second = 0; second < 4; ++second) {
    send(client, "chatter");
    turn();
    pass(Millis{1'000});
  }
  EXPECT_EQ(live(), 1U);
  send(client, "chatter");
  pass(Millis{1'000});

  EXPECT_EQ(module_.closed, Reasons{DROVER_CLOSED_BY_MODULE});
}

TEST_F(ConnectionTest, ClosesAtOnceWhenTheClientHasEndedBefore) {
  const UniqueFd client = connect();
  shutdown(client.get(), SHUT_WR);
  turns(2);

  module_.host->close(module_.context, module_.opened[0]);
  turn();

  EXPECT_EQ(live(), 0U);
  EXPECT_EQ(module_.closed, Reasons{DROVER_CLOSED_BY_MODULE});
}

TEST_F(ConnectionTest, TellsAReset) {
  module_.data = [&](drover_conn conn, std::string_view bytes) {
    module_.write(conn, std::string(1'000'000, 'x'));
    return static_cast<std::int64_t>(bytes.size());
  };
  UniqueFd client = connect();
  send(client, "go");
  turns(2);

  client.reset();
  turns(3);

  EXPECT_EQ(module_.closed, Reasons{DROVER_RESET});
}

TEST_F(ConnectionTest, TellsAResetWhileTheModuleReadsNothing) {
  UniqueFd client = connect_tcp();
  module_.host->pause_reading(module_.context, module_.opened[0]);
  turn();
  send(client, "unread");
  turn();
  ASSERT_EQ(module_.closed, Reasons{});

  reset(client);
  turns(2);

  EXPECT_EQ(module_.received, "");
  EXPECT_EQ(module_.closed, Reasons{DROVER_RESET});
}

// What came before the end waits until the module reads on.
TEST_F(ConnectionTest, KeepsWhatAClientSaidBeforeItLeftWhileTheModuleReadsNothing) {
  UniqueFd client = connect();
  module_.host->pause_reading(module_.context, module_.opened[0]);
  turn();
  send(client, "fire and forget");
  client.reset();
  turns(3);
  EXPECT_EQ(module_.closed, Reasons{});

  module_.host->resume_reading(module_.context, module_.opened[0]);
  turns(3);

  EXPECT_EQ(module_.received, "fire and forget");
}

TEST_F(ConnectionTest, KeepsWhatAClientSaidAfterOurEndOfStreamWhileTheModuleReadsNothing) {
  const UniqueFd client = connect_tcp();
  module_.host->half_close(module_.context, module_.opened[0]);
  module_.host->pause_reading(module_.context, module_.opened[0]);
  turn();
  send(client, "the rest");
  shutdown(client.get(), SHUT_WR);
  turns(3);
  EXPECT_EQ(module_.closed, Reasons{});

  module_.host->resume_reading(module_.context, module_.opened[0]);
  turns(3);

  EXPECT_EQ(module_.received, "the rest");
  EXPECT_EQ(module_.closed, Reasons{DROVER_CLOSED_BY_PEER});
}

TEST_F(ConnectionTest, EndsAtOnceWhenTheClientIsGoneAtTheClose) {
  UniqueFd client = connect_tcp();
  reset(client);

  module_.host->close(module_.context, module_.opened[0]);
  turn();

  EXPECT_EQ(module_.closed, Reasons{DROVER_CLOSED_BY_MODULE});
}

TEST_F(ConnectionTest, TellsAResetThatComesAfterTheClientsEndOfStream) {
  UniqueFd client = connect_tcp();
  shutdown(client.get(), SHUT_WR);
  turns(3);
  ASSERT_EQ(live(), 1U);

  reset(client);
  turns(3);

  EXPECT_EQ(module_.closed, Reasons{DROVER_RESET});
}

TEST_F(ConnectionTest, CallsOnCloseOnceForEachOnOpenWithAStaleHandle) {
  hooks_.on_close = [](void* instance, drover_conn conn, void*, drover_close_reason reason) {
    ScriptedModule& module = ScriptedHooks::of(instance);
    module.closed.push_back(reason);
    module.write(conn, "into the void");
  };
  hooks_.on_eof = nullptr;
  for (int i = 0; i < 3; ++i) {
    const UniqueFd client = connect();
    shutdown(client.get(), SHUT_WR);
    turns(2);
  }

  EXPECT_EQ(module_.opened.size(), 3U);
  EXPECT_EQ(module_.closed.size(), 3U);
  EXPECT_EQ(value(seat_.counters.stale_handles), 3U);
  EXPECT_EQ(value(seat_.counters.closed), 3U);
}

// Its carrier gave it too much, and took it back, within a batch.
TEST_F(ConnectionTest, OpensNoStreamThatIsBrokenBefore) {
  streams_ = 1;
  const UniqueFd client = connect();
  StreamCarrier carrier{.server = server_.get(), .parent = module_.opened[0]};
  carrier.table.close = [](void*, void*, drover_close_reason, int) {};

  const drover_conn stream = Connection::open_child(*server_, carrier);
  ASSERT_NE(stream, 0U);
  find(stream)->fail_stream();
  find(stream)->stream()->put_reset();
  turn();

  EXPECT_EQ(find(stream), nullptr);
  EXPECT_EQ(module_.opened.size(), 1U);
  EXPECT_TRUE(module_.closed.empty());
}

TEST_F(ConnectionTest, GivesEachConnectionZeroedStateOfItsOwn) {
  hooks_.conn_state_size = 24;
  hooks_.on_data = [](void* instance, drover_conn, void* state, drover_slice bytes) {
    auto& count = *static_cast<std::size_t*>(state);
    count += bytes.size;
    ScriptedHooks::of(instance).received += std::to_string(count) + ",";
    return static_cast<std::int64_t>(bytes.size);
  };
  const UniqueFd one = connect();
  const UniqueFd two = connect();

  for (const UniqueFd* client : {&one, &two, &one}) {
    send(*client, "abc");
    turn();
  }

  EXPECT_EQ(module_.received, "3,3,6,");
}

TEST_F(ConnectionTest, ClosesASilentConnectionAtItsIdleTimeout) {
  settings_.idle_timeout = Millis{10'000};
  const UniqueFd client = connect();
  pass(Millis{9'000});
  send(client, "awake");
  turn();
  pass(Millis{9'999});
  EXPECT_EQ(live(), 1U);

  pass(Millis{1});

  EXPECT_EQ(module_.closed, Reasons{DROVER_TIMEOUT});
  EXPECT_TRUE(is_ended(client));
}

TEST_F(ConnectionTest, HasNoDeadlineWithoutTimeouts) {
  const UniqueFd client = connect();

  pass(Millis{365LL * 24 * 3600 * 1000});

  EXPECT_EQ(live(), 1U);
}

TEST_F(ConnectionTest, WaitsForTheFirstByteFromTheAccept) {
  settings_.first_byte_timeout = Millis{3'000};
  settings_.idle_timeout = Millis{60'000};
  const UniqueFd silent = connect();
  const UniqueFd talker = connect();
  send(talker, "x");
  turn();
  module_.write(module_.opened[0], "are you there?");  // does not prolong it
  pass(Millis{2'000});
  EXPECT_EQ(live(), 2U);

  pass(Millis{1'000});

  EXPECT_EQ(live(), 1U);
  EXPECT_TRUE(read_some(silent) == "are you there?" && is_ended(silent));
  EXPECT_FALSE(is_ended(talker));
}

TEST_F(ConnectionTest, GivesUpOnAClientThatReadsNothing) {
  settings_.write_timeout = Millis{20'000};
  module_.data = [&](drover_conn conn, std::string_view bytes) {
    module_.write(conn, std::string(1'000'000, 'x'));
    return static_cast<std::int64_t>(bytes.size());
  };
  const UniqueFd client = connect();
  send(client, "go");
  turn();
  pass(Millis{19'000});
  read_some(client);  // progress
  turn();
  pass(Millis{19'000});
  EXPECT_EQ(live(), 1U);

  pass(Millis{1'000});

  EXPECT_EQ(module_.closed, Reasons{DROVER_TIMEOUT});
}

TEST_F(ConnectionTest, TellsEachConnectionOnceThatTheWorkerDrains) {
  int told = 0;
  module_.drain = [&](drover_conn conn) {
    ++told;
    module_.write(conn, "leaving");
    module_.host->close(module_.context, conn);
  };
  const UniqueFd client = connect();
  server_->is_draining = true;
  for (int i = 0; i < 2; ++i) {
    core_->table().for_each([](Connection& connection) { connection.drain(); });
    turn();
  }
  EXPECT_EQ(told, 1);
  EXPECT_EQ(read_some(client), "leaving");

  const UniqueFd late = connect();

  EXPECT_EQ(told, 2);
  EXPECT_EQ(read_some(late), "leaving");
}

}  // namespace
}  // namespace drover
