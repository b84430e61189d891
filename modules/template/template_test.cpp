// The module in a host of the test's own: no sockets, no time, any split of the bytes.
#include <gtest/gtest.h>

#include <drover/testkit/testkit.hpp>

#ifndef TEMPLATE_MODULE
#define TEMPLATE_MODULE "./template.so"
#endif

namespace {

using drover::testkit::Host;

class Template : public testing::Test {
 protected:
  Host host_{drover::testkit::load(TEMPLATE_MODULE),
             {{"greeting", {.text = "hello"}}, {"max_line", {.text = "8"}}}};
  drover_conn conn_ = host_.accept();
};

TEST_F(Template, GreetsAndNumbersLinesHoweverTheyAreSplit) {
  EXPECT_EQ(host_.read(conn_), "hello\n");
  const std::string lines = "one\ntwo\n\n";
  for (std::size_t size = 1; size <= lines.size(); ++size) {
    Host host(drover::testkit::load(TEMPLATE_MODULE));
    const drover_conn conn = host.accept();
    host.feed_in_pieces(conn, lines, size);
    EXPECT_EQ(host.read(conn), "1 one\n2 two\n3 \n") << size;
    EXPECT_EQ(host.metric("lines"), 3);
  }
}

TEST_F(Template, ClosesWhenALineIsTooLong) {
  host_.feed(conn_, "12345678\n123456789");
  EXPECT_EQ(host_.read(conn_), "hello\n1 12345678\ntoo long\n");
  EXPECT_TRUE(host_.has_ended(conn_));
  EXPECT_EQ(host_.metric("too_long"), 1);
}

TEST_F(Template, EndsWhenTheClientDoes) {
  host_.feed(conn_, "last\n");
  host_.end(conn_);
  EXPECT_EQ(host_.read(conn_), "hello\n1 last\n");
  EXPECT_EQ(host_.closed(conn_), DROVER_CLOSED_BY_PEER);
}

}  // namespace
