#include "modules/kvs/client/pipeline.h"

#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <thread>

#include "tests/support/wait.h"
#include "tests/unit/kvs_client/scripted_peer.h"

namespace kvs::client {
namespace {

using drover::test::Millis;
using drover::test::since;

constexpr Millis kShort{40};

Heard seen(const Answer& answer) { return {answer.status, answer.rid, answer.key, answer.value}; }

std::vector<Heard> take_all(Pipeline& pipeline) {
  std::vector<Heard> all;
  while (const auto answer = pipeline.take()) all.push_back(seen(*answer));
  return all;
}

// What the next receive() says is wrong; "" for an answer.
std::string error_of(Pipeline& pipeline) {
  const auto answer = pipeline.receive();
  return answer.ok() ? "" : answer.error().message();
}

// One GET, one MGET and one SCAN on their way: RIDs 1, 2 and 3.
class PipelineTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(pipeline_.send(kv1::kGet, "k", "").value(), 1);
    ASSERT_EQ(pipeline_.send(kv1::kMultiGet, "", "").value(), 2);
    ASSERT_EQ(pipeline_.send(kv1::kScan, "", "").value(), 3);
  }
  ScriptedPeer peer_;
  Pipeline pipeline_ = peer_.pipeline({.timeout = Millis{5'000}});
};

const std::string kAnswers = frame(kv1::kPartial, 3, "a", "1") + frame(kv1::kPartial, 2, "b", "2") +
                             frame(kv1::kOk, 1, "", std::string(300, 'v')) +
                             frame(kv1::kPartial, 3, "c", "") + frame(kv1::kOk, 2, "", "") +
                             frame(kv1::kOk, 3, "", "12345678");
const std::vector<Heard> kInOrder = {{kv1::kPartial, 3, "a", "1"},
                                     {kv1::kPartial, 2, "b", "2"},
                                     {kv1::kOk, 1, "", std::string(300, 'v')},
                                     {kv1::kPartial, 3, "c", ""},
                                     {kv1::kOk, 2, "", ""},
                                     {kv1::kOk, 3, "", "12345678"}};

TEST_F(PipelineTest, GivesAnswersAsTheyCome) {
  peer_.says(kAnswers);

  for (const Heard& expected : kInOrder) EXPECT_EQ(seen(pipeline_.receive().value()), expected);

  EXPECT_EQ(pipeline_.in_flight(), 0);
}

TEST_F(PipelineTest, GivesEachAnswerToItsRequest) {
  peer_.says(kAnswers);

  EXPECT_EQ(seen(pipeline_.receive(2).value()), kInOrder[1]);
  EXPECT_EQ(seen(pipeline_.receive(3).value()), kInOrder[0]);
  EXPECT_EQ(seen(pipeline_.receive(3).value()), kInOrder[3]);
  EXPECT_EQ(seen(pipeline_.receive(3).value()), kInOrder[5]);
  EXPECT_EQ(seen(pipeline_.receive(1).value()), kInOrder[2]);
  EXPECT_EQ(seen(pipeline_.receive(2).value()), kInOrder[4]);
}

TEST(Pipeline, ReadsTheSameForEverySplitInTwo) {
  for (std::size_t cut = 0; cut <= kAnswers.size(); ++cut) {
    ScriptedPeer peer;
    Pipeline pipeline = peer.pipeline();
    for (const auto type : {kv1::kGet, kv1::kMultiGet, kv1::kScan})
      ASSERT_TRUE(pipeline.send(type, "", "").ok());

    for (const std::string& piece : {kAnswers.substr(0, cut), kAnswers.substr(cut)}) {
      peer.says(piece);
      ASSERT_TRUE(pipeline.advance().ok());
    }

    ASSERT_EQ(take_all(pipeline), kInOrder) << cut;
  }
}

TEST_F(PipelineTest, ReadsTheSameByteByByte) {
  for (const char byte : kAnswers) {
    peer_.says({&byte, 1});
    ASSERT_TRUE(pipeline_.advance().ok());
  }

  EXPECT_EQ(take_all(pipeline_), kInOrder);
}

TEST_F(PipelineTest, SendsWhatWasAskedInItsOrder) {
  ASSERT_TRUE(pipeline_.flush().ok());

  EXPECT_EQ(peer_.hears(), (Heard{kv1::kGet, 1, "k", ""}));
  EXPECT_EQ(peer_.hears(), (Heard{kv1::kMultiGet, 2, "", ""}));
  EXPECT_EQ(peer_.hears(), (Heard{kv1::kScan, 3, "", ""}));
}

// What a server sends that ends the connection.
struct Garbage {
  const char* name;
  std::string bytes;
  std::string why;
};

void PrintTo(const Garbage& row, std::ostream* out) { *out << row.name; }

class GarbageTest : public ::testing::TestWithParam<Garbage> {};

TEST_P(GarbageTest, EndsTheConnectionAfterTheAnswersBeforeIt) {
  ScriptedPeer peer;
  Pipeline pipeline = peer.pipeline();
  ASSERT_TRUE(pipeline.send(kv1::kGet, "a", "").ok());
  ASSERT_TRUE(pipeline.send(kv1::kGet, "b", "").ok());
  peer.says(frame(kv1::kOk, 1, "", "v") + GetParam().bytes + frame(kv1::kOk, 2, "", "v"));

  EXPECT_EQ(pipeline.receive().value().rid, 1);
  EXPECT_EQ(error_of(pipeline), GetParam().why);
  EXPECT_EQ(error_of(pipeline), GetParam().why);
  const auto later = pipeline.send(kv1::kGet, "c", "");

  ASSERT_FALSE(later.ok());
  EXPECT_EQ(later.error().message(), GetParam().why);
}

INSTANTIATE_TEST_SUITE_P(
    All, GarbageTest,
    ::testing::Values(Garbage{"another_protocol", "HTTP/1.1 400 Bad Request\r\n\r\n",
                              "the server sent what is not KV1"},
                      Garbage{"a_request", frame(kv1::kPing, 2, "", ""),
                              "the server sent what is not KV1"},
                      Garbage{"unknown_rid", frame(kv1::kOk, 3, "", ""),
                              "the server sent OK for RID 3, which does not wait for it"},
                      Garbage{"the_same_twice", frame(kv1::kNotFound, 1, "", ""),
                              "the server sent NOT_FOUND for RID 1, which does not wait for it"},
                      Garbage{"part_of_what_has_no_parts", frame(kv1::kPartial, 2, "k", "v"),
                              "the server sent PARTIAL for RID 2, which does not wait for it"},
                      Garbage{"an_event", frame(kv1::kEvent, 2, "k", "v"),
                              "the server sent EVENT for RID 2, which does not wait for it"},
                      Garbage{"said_of_the_connection", frame(kv1::kBadFrame, 0, "", "type 0"),
                              "the server said BAD_FRAME: \"type 0\""},
                      Garbage{"far_too_long", std::string("\x80\0\0\0\2\0\0\xff\xff\xff\xff", 11),
                              "the server sent more than an answer may have"}),
    [](const auto& row) { return row.param.name; });

TEST_F(PipelineTest, SaysThatTheServerClosed) {
  peer_.says(frame(kv1::kOk, 1, "", "v"));
  peer_.closes();

  EXPECT_EQ(pipeline_.receive().value().value, "v");
  EXPECT_EQ(error_of(pipeline_), "the server closed the connection, with 2 requests unanswered");
}

// A refusal as any other: the request was not done, and the connection goes on until it ends.
TEST_F(PipelineTest, TellsWhichRequestsAServerThatGoesHasNotDone) {
  peer_.says(frame(kv1::kOk, 1, "", "v") + frame(kv1::kShuttingDown, 2, "", "connect again") +
             frame(kv1::kShuttingDown, 3, "", "connect again"));
  peer_.closes();

  EXPECT_EQ(pipeline_.receive(1).value().status, kv1::kOk);
  EXPECT_EQ(pipeline_.receive(2).value().status, kv1::kShuttingDown);
  EXPECT_EQ(pipeline_.receive(3).value().status, kv1::kShuttingDown);
  EXPECT_FALSE(pipeline_.send(kv1::kPing, "", "").ok() && error_of(pipeline_).empty());
}

TEST_F(PipelineTest, SaysThatTheServerClosedInTheMiddleOfAnAnswer) {
  peer_.says(frame(kv1::kOk, 1, "", "value").substr(0, 13));
  peer_.closes();

  EXPECT_EQ(error_of(pipeline_),
            "the server closed the connection in the middle of an answer, with 3 requests "
            "unanswered");
}

// Writing fails first; what was to be read says more.
TEST(Pipeline, ReadsWhyAServerThatReadsNoMoreHasClosed) {
  ScriptedPeer peer;
  Pipeline pipeline = peer.pipeline();
  peer.says(frame(kv1::kBadFrame, 0, "", "enough"));
  peer.closes();

  ASSERT_TRUE(pipeline.send(kv1::kSet, "k", std::string(1 << 20, 'v')).ok());

  EXPECT_EQ(error_of(pipeline), "the server said BAD_FRAME: \"enough\"");
}

TEST(Pipeline, GivesUpASilentServerAtTheDeadline) {
  ScriptedPeer peer;
  Pipeline pipeline = peer.pipeline({.timeout = kShort});
  ASSERT_TRUE(pipeline.send(kv1::kGet, "k", "").ok());
  const auto start = Clock::now();

  EXPECT_EQ(error_of(pipeline), "no answer within 40ms, with 1 requests on their way");

  EXPECT_GE(since(start), kShort);
  peer.says(frame(kv1::kOk, 1, "", "late"));
  EXPECT_EQ(error_of(pipeline), "no answer within 40ms, with 1 requests on their way");
}

TEST(Pipeline, GivesUpAServerThatReadsNothingAtTheDeadline) {
  ScriptedPeer peer;
  Pipeline pipeline = peer.pipeline({.timeout = kShort});

  ASSERT_TRUE(pipeline.send(kv1::kSet, "k", std::string(8 << 20, 'v')).ok());
  const auto sent = pipeline.send(kv1::kSet, "k", "v");

  ASSERT_FALSE(sent.ok());
  EXPECT_EQ(sent.error().message(), "no answer within 40ms, with 1 requests on their way");
}

TEST(Pipeline, GivesUpAServerThatTricklesAtTheDeadline) {
  ScriptedPeer peer;
  Pipeline pipeline = peer.pipeline({.timeout = kShort});
  const std::uint32_t rid = pipeline.send(kv1::kGet, "k", "").value();
  std::thread server([&] {
    if (!peer.says(frame(kv1::kOk, rid, "", std::string(1 << 20, 'v')).substr(0, 11))) return;
    while (peer.says("v")) std::this_thread::sleep_for(Millis{1});
  });

  const auto answer = pipeline.receive(rid);
  ::shutdown(pipeline.fd(), SHUT_RDWR);
  server.join();

  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().message(), "no answer within 40ms, with 1 requests on their way");
}

TEST(Pipeline, GivesUpAtTheDeadlineAlsoWhenThereIsSomethingToRead) {
  ScriptedPeer peer;
  Pipeline pipeline = peer.pipeline({.timeout = Millis{0}});
  ASSERT_TRUE(pipeline.send(kv1::kGet, "k", "").ok());
  peer.says(frame(kv1::kOk, 1, "", "late"));

  EXPECT_EQ(error_of(pipeline), "no answer within 0, with 1 requests on their way");
}

TEST(Pipeline, GivesUpAScanWithoutEndAtTheDeadline) {
  ScriptedPeer peer;
  Client client = peer.client({.timeout = kShort});
  std::thread server([&] {
    while (peer.says(frame(kv1::kPartial, 1, "k", "v")))
      ;
  });

  const auto page = client.scan("", 0, 10);
  ::shutdown(client.pipeline().fd(), SHUT_RDWR);
  server.join();

  ASSERT_FALSE(page.ok());
  EXPECT_EQ(page.error().message(), "no answer within 40ms, with 1 requests on their way");
}

// A server that reads nothing while it cannot write: both buffers are full long before the client
// has sent all.
TEST(Pipeline, ReadsWhileItCannotSend) {
  constexpr int kRequests = 300;
  const std::string value(100'000, 'v');
  ScriptedPeer peer;
  Pipeline pipeline = peer.pipeline({.timeout = Millis{20'000}});
  std::thread server([&] {
    for (Heard heard = peer.hears(); heard.type != 0; heard = peer.hears())
      if (!peer.says(frame(kv1::kOk, heard.rid, "", heard.value))) return;
  });

  int sent = 0;
  while (sent < kRequests && pipeline.send(kv1::kPing, "", value).ok()) ++sent;
  int received = 0;
  for (; received < sent; ++received) {
    const auto answer = pipeline.receive();
    if (!answer.ok() || answer.value().value != value) break;
  }
  ::shutdown(pipeline.fd(), SHUT_RDWR);
  server.join();

  EXPECT_EQ(sent, kRequests);
  EXPECT_EQ(received, kRequests);
}

TEST(Pipeline, IsInterruptedByItsCallerAndGoesOn) {
  const drover::UniqueFd cancel(::eventfd(1, EFD_CLOEXEC));
  ScriptedPeer peer;
  Pipeline pipeline = peer.pipeline({.timeout = Millis{20'000}, .cancel_fd = cancel.get()});
  ASSERT_TRUE(pipeline.send(kv1::kGet, "k", "").ok());

  EXPECT_EQ(error_of(pipeline), "interrupted");

  eventfd_t count = 0;
  ASSERT_EQ(::eventfd_read(cancel.get(), &count), 0);
  peer.says(frame(kv1::kOk, 1, "", "v"));
  EXPECT_EQ(pipeline.receive().value().value, "v");
}

}  // namespace
}  // namespace kvs::client
