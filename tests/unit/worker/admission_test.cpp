// Who gets in: access lists, PROXY headers, limits.
#include "worker/admission.h"

#include "tests/unit/worker/harness.h"

namespace drover {
namespace {

AccessRule rule(bool allow, std::string_view cidr) {
  return {allow, std::move(Cidr::parse(cidr)).value()};
}

TEST_F(ConnectionTest, AsksTheFirstMatchingRuleAndAllowsByDefault) {
  const std::vector rules{rule(true, "10.1.0.0/16"), rule(false, "10.0.0.0/8")};

  EXPECT_TRUE(is_allowed(rules, address_of("10.1.2.3:1")));
  EXPECT_FALSE(is_allowed(rules, address_of("10.2.2.3:1")));
  EXPECT_TRUE(is_allowed(rules, address_of("192.0.2.1:1")));
}

TEST_F(ConnectionTest, RefusesADeniedPeerUnseenByTheModule) {
  settings_.access = {rule(false, "192.0.2.0/24")};

  const UniqueFd denied = connect("192.0.2.7:5000");
  const UniqueFd allowed = connect("192.0.3.7:5000");

  EXPECT_TRUE(is_ended(denied));
  EXPECT_FALSE(is_ended(allowed));
  EXPECT_EQ(module_.opened.size(), 1U);
  EXPECT_EQ(module_.closed.size(), 0U);
  EXPECT_EQ(value(seat_.counters.refused_access), 1U);
}

TEST_F(ConnectionTest, RefusesBeyondMaxConnectionsUntilOneEnds) {
  settings_.max_connections = 2;
  hooks_.on_eof = nullptr;
  UniqueFd first = connect("192.0.2.1:1");
  const UniqueFd second = connect("192.0.2.2:1");

  const UniqueFd third = connect("192.0.2.3:1");
  EXPECT_TRUE(is_ended(third));
  EXPECT_EQ(value(seat_.counters.refused_limit), 1U);
  first.reset();
  turns(2);
  const UniqueFd fourth = connect("192.0.2.3:1");

  EXPECT_FALSE(is_ended(fourth));
  EXPECT_EQ(limits_->count(limits_->key("web")), 2U);
}

TEST_F(ConnectionTest, LimitsEachAddressByItself) {
  settings_.limit_per_ip = 1;
  settings_.max_connections = 10;
  const UniqueFd first = connect("192.0.2.1:1");

  const UniqueFd again = connect("192.0.2.1:2");
  const UniqueFd other = connect("192.0.2.2:1");

  EXPECT_TRUE(is_ended(again));
  EXPECT_FALSE(is_ended(other));
  EXPECT_EQ(limits_->count(limits_->key("web")), 2U) << "the refused one holds a share";
}

class ProxiedTest : public ConnectionTest {
 protected:
  ProxiedTest() {
    settings_.listens[0].proxy_protocol = true;
    settings_.proxy_from = {std::move(Cidr::parse("10.0.0.0/8")).value()};
    echo();
  }
};

TEST_F(ProxiedTest, TakesTheClientsAddressFromTheHeaderAtEverySplit) {
  const std::string header = "PROXY TCP4 192.0.2.1 10.0.0.1 5000 80\r\n";
  const std::string input = header + "hello";
  for (std::size_t split = 0; split <= input.size(); ++split) {
    const UniqueFd balancer = connect("10.0.0.9:999");
    if (split > 0) send(balancer, input.substr(0, split));
    turn();
    EXPECT_EQ(split >= header.size(), !module_.opened.empty());
    if (split < input.size()) send(balancer, input.substr(split));
    turn();

    ASSERT_EQ(module_.opened.size(), 1U);
    EXPECT_EQ(find(module_.opened[0])->peer().to_string(), "192.0.2.1:5000");
    EXPECT_EQ(read_some(balancer), "hello");
    module_.opened.clear();
  }
}

TEST_F(ProxiedTest, JudgesTheClientOfTheHeaderNotTheBalancer) {
  settings_.access = {rule(false, "192.0.2.0/24")};
  const UniqueFd balancer = connect("10.0.0.9:999");

  send(balancer, "PROXY TCP4 192.0.2.1 10.0.0.1 5000 80\r\nhello");
  turn();

  EXPECT_TRUE(is_ended(balancer));
  EXPECT_EQ(module_.opened.size(), 0U);
  EXPECT_EQ(value(seat_.counters.refused_access), 1U);
}

TEST_F(ProxiedTest, RefusesAPeerThatMayNotSendHeaders) {
  const UniqueFd stranger = connect("11.0.0.1:1");

  EXPECT_TRUE(is_ended(stranger));
  EXPECT_EQ(value(seat_.counters.refused_access), 1U);
}

TEST_F(ProxiedTest, RefusesWhatIsNoHeader) {
  const UniqueFd balancer = connect("10.0.0.9:999");

  send(balancer, "GET / HTTP/1.0\r\n");
  turn();

  EXPECT_TRUE(is_ended(balancer));
  EXPECT_EQ(module_.opened.size(), 0U);
  EXPECT_EQ(value(seat_.counters.refused_access), 1U);
}

TEST_F(ProxiedTest, GivesTheWholeHeaderOneTimeHoweverSlowlyItDrips) {
  settings_.proxy_timeout = Millis{5'000};
  const UniqueFd balancer = connect("10.0.0.9:999");
  for (const char letter : std::string_view("PROX")) {
    send(balancer, std::string(1, letter));
    turn();
    pass(Millis{1'000});
  }
  EXPECT_EQ(live(), 1U);

  pass(Millis{1'000});

  EXPECT_EQ(live(), 0U);
  EXPECT_EQ(value(seat_.counters.refused_access), 1U);
}

}  // namespace
}  // namespace drover
