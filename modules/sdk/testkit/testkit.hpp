// A host for one module in the test's own process, without sockets, time or luck: the test feeds
// bytes in any split, reads what the module wrote, moves the clock, and decides what becomes of
// outgoing connections. What a worker promises to modules (drover_module.h) holds here too, so a
// module that passes is asked the same questions by Drover.
//
//   drover::testkit::Host host(drover::testkit::load("build/dev/modules/echo.so"));
//   const drover_conn conn = host.accept();
//   host.feed(conn, "hello");
//   EXPECT_EQ(host.read(conn), "hello");
//
// One instance of the module, one worker; not thread-safe. Errors in the use of the kit throw
// std::logic_error. Zones are given to whoever asks: owner and layout are not compared.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "../drover_module.h"

namespace drover::testkit {

using ModuleTable = struct drover_module;  // whose name is the exported constant's, too

// The table of a module's shared object, which stays loaded. Throws when it cannot be loaded.
[[nodiscard]] const ModuleTable& load(const std::string& path);

struct LogLine {
  drover_log_level level;
  std::string text;
};

// An outgoing connection that the module has asked for and the test has not answered.
struct Outgoing {
  drover_conn conn;
  std::string address;
  std::uint64_t tag;
  std::int64_t deadline_ms;
};

class Host {
  struct Connection;

 public:
  // What a server says to the module: texts by the names of its directives, without the module's,
  // read as Drover reads them; a number that is given beside its text is taken as it is.
  struct Setting {
    std::string text;
    std::optional<std::int64_t> number = std::nullopt;
  };
  using Settings = std::map<std::string, Setting>;

  // A zone of the configuration: what two Hosts share that are given the same.
  struct Zone {
    explicit Zone(std::size_t size) : size_bytes(size), pages(size / sizeof(Page) + 1) {}
    struct alignas(4096) Page {
      std::byte bytes[4096];
    };
    std::size_t size_bytes;
    std::vector<Page> pages;  // zeroed
    std::uint64_t unclean_ends = 0;
    bool is_initialised = false;
    struct Lease {
      const Host* holder = nullptr;
      std::int64_t until_ms = 0;
    };
    std::array<Lease, DROVER_ZONE_LEASES> leases;
  };
  using Zones = std::map<std::string, std::shared_ptr<Zone>>;

  // Calls worker_init; throws with the module's words when it refuses. Directives that `settings`
  // does not name have their defaults; a value that a directive does not take throws.
  explicit Host(const ModuleTable& module, Settings settings = {}, Zones zones = {});
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;
  // Ends what is open as a worker does that leaves, and calls worker_exit.
  ~Host();

  // The module's helper of that name, as in a process of its own: calls helper_init, throws with
  // the module's words when it refuses. There are no connections; ring() is its doorbell, pass()
  // its time, and the destructor calls helper_exit.
  struct HelperName {
    std::string name;
  };
  Host(const ModuleTable& module, const HelperName& helper, Settings settings = {},
       Zones zones = {});
  // Calls validate: the helpers that the module asks for. Throws with its words when it refuses.
  [[nodiscard]] static std::vector<std::string> wanted_helpers(const ModuleTable& module,
                                                               Settings settings = {});
  // The helpers that this instance has rung, in order.
  [[nodiscard]] const std::vector<std::string>& rung_helpers() const { return rung_helpers_; }

  // A client connects.
  drover_conn accept(std::string peer = "192.0.2.1:1000");
  // Bytes of the client arrive, together with what the module had left.
  void feed(drover_conn conn, std::string_view bytes);
  // The same in pieces of `size` bytes.
  void feed_in_pieces(drover_conn conn, std::string_view bytes, std::size_t size);
  // The client's end of stream; it may still read.
  void end(drover_conn conn);
  // The client is gone.
  void reset(drover_conn conn);
  // One of the server's timeouts has passed.
  void time_out(drover_conn conn);
  // Takes what the module has written and the client has not read. A client that is_deaf() gets
  // nothing: output is pending, and on_writable is called when it hears again.
  [[nodiscard]] std::string read(drover_conn conn);
  void set_deaf(drover_conn conn, bool is_deaf);
  // Of a deaf client: it takes so many bytes, and no more.
  std::string take(drover_conn conn, std::size_t most);

  // The module's end of stream has been sent.
  [[nodiscard]] bool has_ended(drover_conn conn) const;
  // Why it ended; nothing while it lives.
  [[nodiscard]] std::optional<drover_close_reason> closed(drover_conn conn) const;
  [[nodiscard]] bool is_paused(drover_conn conn) const;
  [[nodiscard]] std::size_t live() const;

  // Lets time pass; timers ring in their order, each at its own moment.
  void pass(std::chrono::milliseconds time);
  // The slot's doorbell was rung, by whomever.
  void ring();
  // The slots whose doorbells the module has rung, in order.
  [[nodiscard]] const std::vector<std::uint32_t>& rung() const { return rung_; }

  // The worker drains: every connection is told, those that come too.
  void drain();

  // A connection on its way to another instance: what its module has frozen, and what goes along by
  // itself. Version and blob are the test's to change.
  struct Frozen {
    std::uint64_t version = 0;
    std::string blob;
    std::unique_ptr<Connection> rest;
  };
  // Takes the connection out of this instance. Nothing when it stays: the module cannot or does not
  // want to, or it is not open, or was told to close.
  std::optional<Frozen> freeze(drover_conn conn);
  // Puts it into this one. Nothing when the module refuses it; its client sees a reset.
  std::optional<drover_conn> thaw(Frozen frozen);

  // What became of an outgoing connection. It lives like an accepted one when established.
  [[nodiscard]] const std::vector<Outgoing>& outgoing() const { return outgoing_; }
  void establish(drover_conn conn);
  void refuse(drover_conn conn, int error);

  // Streams that the module carries: the test is the protocol that serves them. Those that have not
  // ended, in the order in which they were opened.
  [[nodiscard]] std::vector<drover_conn> children() const;
  [[nodiscard]] std::string server_of(drover_conn child) const;
  // The protocol writes: how many bytes the module took.
  std::size_t child_write(drover_conn child, std::string_view bytes);
  void child_half_close(drover_conn child);
  // Takes what has come for it, which the module is told.
  [[nodiscard]] std::string child_read(drover_conn child);
  // The peer's end of stream has come, behind what child_read() gives.
  [[nodiscard]] bool child_peer_ended(drover_conn child) const;
  // The module was told by child_writable, since the last time this was asked.
  [[nodiscard]] bool child_was_writable(drover_conn child);
  // It ends, in order when both ends of stream were given; as a child does that the module breaks
  // off, or whose connection has gone.
  void child_close(drover_conn child, drover_close_reason reason = DROVER_CLOSED_BY_MODULE);
  // Why it ended; nothing while it lives.
  [[nodiscard]] std::optional<drover_close_reason> child_closed(drover_conn child) const;
  // Streams are refused from now on.
  bool refuses_children = false;

  // This worker's number and how many there are.
  std::uint32_t slot = 0;
  std::uint32_t slots = 1;
  // Files that file_open finds; others are ENOENT.
  std::map<std::string, std::string> files;

  [[nodiscard]] const std::vector<LogLine>& log() const { return log_; }
  // How often the module called a function of the host, by its name in drover_host.
  [[nodiscard]] int calls(const std::string& function) const;
  // Calls on connections that had gone: harmless, and counted by Drover.
  [[nodiscard]] int stale_calls() const { return calls("stale"); }
  // The value of a counter or gauge of the module; throws when it declares none of that name.
  [[nodiscard]] std::int64_t metric(std::string_view name) const;
  [[nodiscard]] void* instance() const { return instance_; }

 private:
  friend struct HostCalls;   // the functions of drover_host
  friend struct ChildCalls;  // those of them that are for streams

  struct Connection {
    std::string peer;
    std::uint64_t tag = 0;
    std::unique_ptr<std::max_align_t[]> state;
    std::string held;      // arrived, and not offered yet
    std::string leftover;  // offered, and not consumed
    std::string output;    // written, and not read by the client
    bool is_open = false;  // on_open was called
    bool peer_ended = false;
    bool eof_told = false;
    bool is_paused = false;
    bool is_deaf = false;
    bool is_throttled = false;  // above the high-water mark
    bool wants_fin = false;     // half_close or close
    bool is_closing = false;    // close: nothing is told any more
    bool drain_told = false;
    bool is_broken = false;  // ends as a reset
    std::optional<std::int64_t> timer_ms;
    drover_close_reason reason = DROVER_CLOSED_BY_PEER;  // if it ends by itself
    std::optional<drover_close_reason> ended;

    [[nodiscard]] std::size_t pending() const { return is_deaf ? output.size() : 0; }
    [[nodiscard]] bool fin_sent() const { return wants_fin && pending() == 0; }
    [[nodiscard]] bool reads() const {
      return is_open && !is_paused && !is_throttled && !is_closing && !ended;
    }
  };
  struct Child {
    drover_conn parent = 0;
    std::string server;
    drover_transport transport{};
    void* argument = nullptr;
    std::string inbox;
    bool peer_ended = false;
    bool has_ended = false;
    bool was_writable = false;
    std::optional<drover_close_reason> broken;  // closes at the end of the batch
    std::optional<drover_close_reason> closed;
  };
  struct WorkerTimer {
    std::int64_t at_ms;
    std::uint64_t tag;
  };

  struct NotStarted {};
  Host(NotStarted how, const ModuleTable& module, Settings settings, Zones zones);
  void read_settings();
  [[noreturn]] void throw_last_words(const char* otherwise) const;

  Connection& at(drover_conn conn);
  [[nodiscard]] const Connection& at(drover_conn conn) const;
  Connection* find_live(drover_conn conn);
  Child& child_at(drover_conn child);
  [[nodiscard]] const Child& child_at(drover_conn child) const;
  void end_child(drover_conn child, drover_close_reason reason);
  void end_children_of(drover_conn parent, drover_close_reason reason);
  void settle_children();
  drover_conn add(std::string peer);
  Outgoing take_outgoing(drover_conn conn);
  void open(drover_conn conn);
  void offer(drover_conn conn);
  void tell_end(drover_conn conn);
  void tell_drain(drover_conn conn);
  void check_water(drover_conn conn);
  void settle(drover_conn conn);
  void settle_all();
  void end_batch();
  void break_off(drover_conn conn, drover_close_reason reason);
  void close(drover_conn conn, drover_close_reason reason);
  [[nodiscard]] std::optional<std::string> ask_to_freeze(drover_conn conn);
  [[nodiscard]] bool offer_to_thaw(drover_conn conn, const Frozen& frozen);
  void ring_connection(drover_conn conn);
  void ring_worker(drover_timer timer);
  bool ring_next(std::int64_t until_ms);

  ModuleTable module_;
  Settings settings_;
  Zones zones_;
  std::vector<std::uint32_t> rung_;
  std::unique_ptr<drover_context> context_;
  void* instance_ = nullptr;
  std::int64_t now_ms_ = 1'000'000;
  std::map<drover_conn, Connection> connections_;                  // those that have ended too
  std::map<drover_conn, Child> children_;                          // those that have ended too
  std::map<std::string, std::shared_ptr<drover_server>> servers_;  // that it has asked for
  std::map<drover_timer, WorkerTimer> timers_;
  std::vector<Outgoing> outgoing_;
  std::vector<LogLine> log_;
  std::map<std::string, int> calls_;
  std::map<std::uint32_t, std::int64_t> metrics_;  // by their place in the module's table
  bool has_counted_wrongly_ = false;
  std::uint64_t last_id_ = 0;
  bool is_draining_ = false;
  bool hook_has_run_ = false;
  std::vector<std::string> rung_helpers_;
  std::vector<std::string> wanted_helpers_;
  bool is_validating_ = false;
  std::string helper_name_;  // empty: an instance
};

}  // namespace drover::testkit
