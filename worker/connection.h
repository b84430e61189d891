// One client's life: accept -> PROXY header -> access list and limits -> on_open -> bytes ->
// on_close. The record is one allocation that ends with the module's state; buffers exist only
// while they hold something.
//
// A call from a module only notes what it wants; settle() does it once the hook has returned, and
// is the one place where a connection may end and go.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "common/address.h"
#include "common/event.h"
#include "common/unique_fd.h"
#include "modules/sdk/drover_module.h"
#include "worker/output_queue.h"
#include "worker/transport.h"

namespace drover {

class ChildTransport;
class ConnectionCore;
struct ListenSettings;
struct Server;
struct StreamCarrier;

// "peer", "module", "reset", "timeout", "drained", "failed": for the access log.
[[nodiscard]] const char* to_string(drover_close_reason reason);

class alignas(std::max_align_t) Connection {
 public:
  // Takes a connected, non-blocking socket into the core's table, which must not be full; starts
  // its life. It may have ended when this returns. It deletes itself when it ends.
  static void start(Server& server, const ListenSettings& listen, UniqueFd fd,
                    const PeerAddress& peer);
  // Begins an outgoing connection, which lives as the accepted ones once it is established. 0: the
  // table is full, or there is no descriptor. Nothing of it ends inside.
  static drover_conn connect(Server& server, const Address& address, Millis timeout,
                             std::uint64_t tag);
  // Begins a stream of another connection, which lives as the accepted ones from the end of the
  // batch on. 0: no room, or its access list or limits refuse the peer. Nothing ends inside.
  static drover_conn open_child(Server& server, const StreamCarrier& carrier);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // What modules ask for (module_host.cpp). Nothing ends inside these.
  void write(std::string_view bytes);
  void write(LentBytes lent);
  void write(FileRange range);
  void half_close();
  void close() { close_for(DROVER_CLOSED_BY_MODULE); }
  void set_paused(bool paused);
  [[nodiscard]] std::size_t pending_output() const;
  [[nodiscard]] const PeerAddress& peer() const { return peer_; }
  [[nodiscard]] std::uint64_t tag() const;  // of an outgoing one, else 0
  [[nodiscard]] Server& server() const { return *server_; }
  [[nodiscard]] void* state() { return this + 1; }  // of the module

  // For its carrier; null: it has a socket.
  [[nodiscard]] ChildTransport* stream() const;
  // The carrier has given too much.
  void fail_stream();
  // Has on_turn() called at the end of the batch. For calls that may come from another connection's
  // hook; after one of its own settle() comes anyway.
  void settle_soon();

  // The transport is ready: EV_READ, EV_WRITE. May delete this.
  void on_event(short what);
  // Takes what the transport has ready, sends what can be sent and does what is due: at the end of
  // a batch, for those that asked. May delete this.
  void on_turn();
  // It has waited in the LingerQueue: ends if its peer has, and is watched from here on if not.
  // True: it has ended, and deleted this.
  bool on_linger_turn();
  // The table's deadline has passed. May delete this.
  void on_deadline();
  // The module's timer has rung. May delete this.
  void on_timer();
  // The worker drains: tells the module, once. May delete this.
  void drain();
  // The worker's time is over: ends the streams of a carrier, which gets no others and may say so
  // to its peer in this batch. False: there are none, and it may end itself.
  [[nodiscard]] bool cut_streams();
  // Ends now, whatever is pending. Deletes this.
  void end(drover_close_reason reason);
  // Whether the module knows it: on_open was called.
  [[nodiscard]] bool is_open() const { return is_open_; }

 private:
  enum class State : std::uint8_t {
    kConnecting,   // outgoing, not established yet; a child in its first batch
    kProxyHeader,  // waits for the balancer's word
    kServing,
    kClosing,  // the module, or we, have said goodbye: send, end of stream, discard until the
               // peer's
  };

  Connection(Server& server, const PeerAddress& peer);
  // With a transport of type T, in the core's table.
  template <class T, class... Args>
  static Connection* make(Server& server, const PeerAddress& peer, Args&&... transport);
  ~Connection();
  static void destroy(Connection* connection);

  [[nodiscard]] ConnectionCore& core() const;
  [[nodiscard]] drover_conn handle() const;
  [[nodiscard]] Transport& transport() const;
  template <class Hook, class... Args>
  auto call(Hook hook, Args... args);

  // Outgoing (connection_outgoing.cpp).
  void on_connected_or_not();
  void fail_to_connect(int error_number);
  void tell_not_connected(std::uint64_t tag);

  // Streams (connection_children.cpp).
  void end_children(drover_close_reason reason);
  [[nodiscard]] bool may_carry() const;
  [[nodiscard]] int depth() const;
  void receive_lent(std::string_view bytes);

  // Input (connection_input.cpp).
  void receive();
  void note_received(std::size_t size_bytes);
  void on_bytes(std::string_view bytes);
  std::string_view read_proxy_header(std::string_view bytes);
  void admit();
  [[nodiscard]] bool is_admitted();
  void open();
  void offer(std::string_view bytes);
  void give_lent();
  void keep_rest(std::string_view bytes, std::int64_t consumed);
  void keep(std::string_view rest);
  void on_end_of_stream();
  void tell_drain();

  // Output (connection_output.cpp).
  void write_from_outside(std::string_view bytes);
  void send_gathered(std::string_view more);
  void send_slices(std::span<iovec> slices);
  void send_pending();
  template <class Output>
  void queue(Output output);
  template <class Output>
  void keep_output(Output output);
  void keep_gathered();
  [[nodiscard]] bool may_write() const;
  void note_sent(std::size_t size_bytes);
  void note_high_water();
  void check_water();

  // Life (connection.cpp).
  void settle();
  void close_for(drover_close_reason reason);
  void break_with(drover_close_reason reason);
  void refuse();
  void finish_output();
  [[nodiscard]] bool is_over() const;
  void watch();
  [[nodiscard]] bool may_linger_unwatched() const;
  [[nodiscard]] short wanted() const;
  [[nodiscard]] bool holds_back() const;
  [[nodiscard]] Millis next_deadline() const;
  void write_access_log(drover_close_reason reason) const;

  Server* server_;
  std::unique_ptr<OutputQueue> output_;    // what the transport did not take
  std::unique_ptr<std::string> leftover_;  // what the module did not consume
  std::uint64_t bytes_in_ = 0;
  std::uint64_t bytes_out_ = 0;
  Millis opened_at_;
  std::uint32_t index_ = 0;  // in the table
  PeerAddress peer_;
  std::uint8_t connect_error_ = 0;  // errno of a connection that was not established
  State state_ : 2 = State::kServing;
  drover_close_reason reason_ : 4 = DROVER_CLOSED_BY_PEER;  // once kClosing or broken
  unsigned watched_ : 6 = 0;                                // EV_READ, EV_WRITE, EV_ET
  bool is_outgoing_ : 1 = false;
  bool is_child_ : 1 = false;           // its transport is a ChildTransport
  bool is_carrier_ : 1 = false;         // has, or has had, children
  bool is_cut_ : 1 = false;             // ... which have been cut: it gets no more
  bool is_ending_ : 1 = false;          // end() has begun
  bool is_sending_ : 1 = false;         // its transport has what it sends
  bool is_open_ : 1 = false;            // on_open has been called
  bool is_broken_ : 1 = false;          // ends at the next settle()
  bool is_settling_later_ : 1 = false;  // in the core's list
  bool is_paused_ : 1 = false;          // by the module
  bool is_throttled_ : 1 = false;       // above the high-water mark: not read
  bool transport_is_full_ : 1 = false;  // no send before it is writable
  bool wants_fin_ : 1 = false;          // end of stream after what is pending
  bool fin_sent_ : 1 = false;
  bool peer_ended_ : 1 = false;  // its end of stream has been read
  bool has_first_byte_ : 1 = false;
  bool drain_told_ : 1 = false;
  bool is_touched_ : 1 = true;  // the deadline is to be set anew
  alignas(void*) std::byte transport_[kTransportRoom];
};

}  // namespace drover
