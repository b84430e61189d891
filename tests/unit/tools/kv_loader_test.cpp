#include "tools/kv/loader.h"

#include <gtest/gtest.h>

#include <thread>

#include "tests/unit/kvs_client/scripted_peer.h"

namespace drover::kv {
namespace {

using kvs::client::frame;
using kvs::client::Heard;
using kvs::client::Pipeline;
using kvs::client::ScriptedPeer;

class LoaderTest : public ::testing::Test {
 protected:
  ScriptedPeer peer_;
  Pipeline pipeline_ = peer_.pipeline();
  Loader loader_{pipeline_};
};

TEST_F(LoaderTest, SetsEachLineAndCountsTheAnswers) {
  ASSERT_TRUE(loader_.add("a\t1").ok());
  ASSERT_TRUE(loader_.add("b\\n\t\\x00").ok());
  EXPECT_EQ(loader_.report().stored, 0);
  peer_.says(frame(kvs::kv1::kOk, 2, "", "") + frame(kvs::kv1::kOk, 1, "", ""));

  ASSERT_TRUE(loader_.settle().ok());

  EXPECT_EQ(loader_.report().lines, 2);
  EXPECT_EQ(loader_.report().stored, 2);
  EXPECT_EQ(loader_.report().failed, 0);
  EXPECT_EQ(peer_.hears(), (Heard{kvs::kv1::kSet, 1, "a", "1"}));
  EXPECT_EQ(peer_.hears(), (Heard{kvs::kv1::kSet, 2, "b\n", std::string(1, '\0')}));
}

TEST_F(LoaderTest, NamesTheLinesThatWereNotStored) {
  ASSERT_TRUE(loader_.add("a\t1").ok());
  ASSERT_TRUE(loader_.add("no tab").ok());
  ASSERT_TRUE(loader_.add("b\t2").ok());
  peer_.says(frame(kvs::kv1::kNoSpace, 2, "", "full") + frame(kvs::kv1::kOk, 1, "", ""));

  ASSERT_TRUE(loader_.settle().ok());

  EXPECT_EQ(loader_.report().lines, 3);
  EXPECT_EQ(loader_.report().sent, 2);
  EXPECT_EQ(loader_.report().stored, 1);
  EXPECT_EQ(loader_.report().failed, 2);
  EXPECT_EQ(loader_.report().errors,
            (std::vector<std::string>{"line 2: no tab between key and value",
                                      "line 3: NO_SPACE: \"full\""}));
}

TEST_F(LoaderTest, RemembersTheFirstTenErrorsAndCountsAll) {
  for (int i = 0; i < 25; ++i) ASSERT_TRUE(loader_.add("bad").ok());

  EXPECT_EQ(loader_.report().failed, 25);
  EXPECT_EQ(loader_.report().errors.size(), 10);
}

TEST_F(LoaderTest, KnowsWhatWasAcknowledgedWhenTheServerCloses) {
  for (const char* line : {"a\t1", "b\t2", "c\t3"}) ASSERT_TRUE(loader_.add(line).ok());
  ASSERT_TRUE(pipeline_.flush().ok());
  for (int i = 0; i < 3; ++i) EXPECT_EQ(peer_.hears().type, kvs::kv1::kSet);
  peer_.says(frame(kvs::kv1::kOk, 1, "", "") + frame(kvs::kv1::kOk, 3, "", ""));
  peer_.closes();

  const Status status = loader_.settle();
  loader_.collect();

  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().message(),
            "the server closed the connection, with 1 requests unanswered");
  EXPECT_EQ(loader_.report().stored, 2);
}

TEST_F(LoaderTest, EndsWhenTheServerSaysThatItGoes) {
  for (const char* line : {"a\t1", "b\t2", "c\t3"}) ASSERT_TRUE(loader_.add(line).ok());
  peer_.says(frame(kvs::kv1::kOk, 1, "", "") + frame(kvs::kv1::kShuttingDown, 2, "", "going") +
             frame(kvs::kv1::kShuttingDown, 3, "", "going"));

  const Status status = loader_.settle();

  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().message(), "SHUTTING_DOWN: \"going\"");
  EXPECT_FALSE(loader_.add("d\t4").ok());
  EXPECT_EQ(loader_.report().stored, 1);
  EXPECT_EQ(loader_.report().failed, 0);
}

// A server that answers each request before it reads the next one.
TEST(Loader, KeepsManyOnTheirWayAndNotTooMany) {
  constexpr int kLines = 20'000;
  ScriptedPeer peer;
  Pipeline pipeline = peer.pipeline({.timeout = std::chrono::seconds(20)});
  Loader loader(pipeline);
  std::thread server([&] {
    for (Heard heard = peer.hears(); heard.type != 0; heard = peer.hears())
      if (!peer.says(frame(kvs::kv1::kOk, heard.rid, "", ""))) return;
  });

  bool is_good = true;
  std::size_t most = 0;
  for (int i = 0; i < kLines && is_good; ++i) {
    is_good = loader.add("key\t" + std::to_string(i)).ok();
    most = std::max(most, pipeline.in_flight());
  }
  is_good = is_good && loader.settle().ok();
  ::shutdown(pipeline.fd(), SHUT_RDWR);
  server.join();

  EXPECT_TRUE(is_good);
  EXPECT_EQ(loader.report().stored, kLines);
  EXPECT_GT(most, 100);
  EXPECT_LE(most, 512);
}

}  // namespace
}  // namespace drover::kv
