// The C++ layer's helpers: which hooks a class gets, its constructor, and that no exception passes.
#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <vector>

#include "modules/sdk/module.hpp"

namespace {

using Strings = std::vector<std::string>;

// What was done with the host; behind the contract's opaque type.
struct Record {
  Strings logged;
  Strings wanted;
  Strings rung;
};

Record& record_of(drover_context* context) { return *reinterpret_cast<Record*>(context); }

drover_host make_host() {
  drover_host host{};
  host.size = sizeof host;
  host.abi = DROVER_ABI;
  host.log = [](drover_context* c, drover_log_level, const char* text) {
    record_of(c).logged.emplace_back(text);
  };
  host.want_helper = [](drover_context* c, const char* name) {
    if (std::string(name) == "taken")
      return record_of(c).logged.emplace_back("helper taken refused"), 0;
    return record_of(c).wanted.emplace_back(name), 1;
  };
  host.ring_helper = [](drover_context* c, const char* name) {
    record_of(c).rung.emplace_back(name);
  };
  return host;
}

const drover_host kHost = make_host();

// What helpers in these tests did.
Strings done;

struct Plain {
  explicit Plain(drover::Host) {}
  void on_data(drover_conn, std::string_view) {}
};

struct WithHelper {
  struct Helper {
    Helper(drover::Host, drover::Config, std::string_view name) {
      if (name == "bad") throw std::runtime_error("no such work");
      done.push_back("init " + std::string(name));
    }
    ~Helper() { done.emplace_back("exit"); }
    void on_timer(std::uint64_t tag) { done.push_back("timer " + std::to_string(tag)); }
    void on_doorbell() { throw std::runtime_error("disk is full"); }
  };
  explicit WithHelper(drover::Host host) { host.ring_helper("writer"); }
  static void validate(drover::Host host, drover::Config) {
    host.want_helper("writer");
    host.want_helper("taken");
  }
  void on_data(drover_conn, std::string_view) {}
};

struct Small {
  struct Helper {
    explicit Helper(drover::Host) {}
  };
  explicit Small(drover::Host) {}
  void on_data(drover_conn, std::string_view) {}
};

constexpr auto kPlain = drover::detail::make_module<Plain>("plain");
constexpr auto kWithHelper = drover::detail::make_module<WithHelper>("with");
constexpr auto kSmall = drover::detail::make_module<Small>("small");

class HelperLayer : public testing::Test {
 protected:
  HelperLayer() { done.clear(); }
  Record record_;
  drover_context* const context_ = reinterpret_cast<drover_context*>(&record_);
};

TEST_F(HelperLayer, IsThereForAClassThatHasOne) {
  EXPECT_EQ(kPlain.helper_init, nullptr);
  EXPECT_EQ(kPlain.helper_exit, nullptr);
  EXPECT_EQ(kPlain.on_helper_timer, nullptr);
  EXPECT_EQ(kPlain.on_helper_doorbell, nullptr);
  EXPECT_NE(kSmall.helper_init, nullptr);
  EXPECT_NE(kSmall.helper_exit, nullptr);
  EXPECT_EQ(kSmall.on_helper_timer, nullptr);
  EXPECT_EQ(kSmall.on_helper_doorbell, nullptr);
}

TEST_F(HelperLayer, BuildsTellsAndDestroys) {
  void* helper = kWithHelper.helper_init(&kHost, context_, "writer");
  ASSERT_NE(helper, nullptr);

  kWithHelper.on_helper_timer(helper, 5);
  kWithHelper.helper_exit(helper);

  EXPECT_EQ(done, (Strings{"init writer", "timer 5", "exit"}));
}

TEST_F(HelperLayer, RefusesWithTheWordsOfWhatWasThrown) {
  EXPECT_EQ(kWithHelper.helper_init(&kHost, context_, "bad"), nullptr);
  EXPECT_EQ(record_.logged, Strings{"no such work"});
}

TEST_F(HelperLayer, LogsWhatAHookThrows) {
  void* helper = kWithHelper.helper_init(&kHost, context_, "writer");

  kWithHelper.on_helper_doorbell(helper);
  kWithHelper.helper_exit(helper);

  EXPECT_EQ(record_.logged, Strings{"exception: disk is full"});
}

TEST_F(HelperLayer, RefusesTheConfigurationWithTheHostsReason) {
  EXPECT_NE(kWithHelper.validate(&kHost, context_), 0);

  EXPECT_EQ(record_.wanted, Strings{"writer"});
  EXPECT_EQ(record_.logged, Strings{"helper taken refused"});
}

TEST_F(HelperLayer, RingsByName) {
  void* instance = kWithHelper.worker_init(&kHost, context_);
  kWithHelper.worker_exit(instance);

  EXPECT_EQ(record_.rung, Strings{"writer"});
}

}  // namespace
