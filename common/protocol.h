// The messages between the master and its children over their channel (SOCK_SEQPACKET, one message
// a packet, descriptors attached where noted). Within one master's life both sides are the same
// binary, so bodies are fixed structs or text; every length is checked by Channel and by the
// reader, because the master treats what a child sends as hostile.
#pragma once

#include <cstddef>
#include <cstdint>

namespace drover {

enum class MessageType : std::uint16_t {
  // child -> master
  kReady = 1,   // no body. A worker: modules loaded, nothing accepted yet. A validator: the
                // configuration is good
  kFailed = 2,  // text: why the child cannot become ready; it exits after it
  kLeaving =
      3,  // no body. A worker that got SIGTERM: it drains by itself, its slot may be refilled
  kLogsReopened = 4,  // body: ReopenBody, the same as in the request
  kTrying = 5,        // text: what a validator does next, "loading module echo (/...)". Whatever it
                      // dies of or hangs in, the master knows the module
  kMetrics = 6,       // body: encode_metrics() of one module, from a validator before its kReady
  kWantHelper = 7,    // body: WantHelperBody, once for each helper; from a validator, before kReady

  // master -> child
  kServe = 32,       // no body: all are READY, begin to accept; a helper: begin to work
  kDrain = 33,       // body: DrainBody, followed by `removed` uint32 listener ids. A helper: no
                     // worker is left, do what is to be done last and leave
  kReopenLogs = 34,  // body: ReopenBody; descriptors: error log, then one for each server with an
                     // access log, in order
  kCloseListener = 35,  // body: CloseListenerBody
  kCloseServer = 36,    // to workers and the acceptor. Body: CloseServerBody

  // Between a master, or an orphan in its place, and its successor, which may be of another
  // version:
  // never renumbered, and bodies only grow.
  kHeritage = 64,     // a part of what common/master_heritage.h encodes, with its descriptors
  kHeritageEnd = 65,  // no body: that was the last part
  kSucceeded = 66,    // from the successor: it serves. Body: uint32 ids of listeners it has no more
  kRefused = 67,      // from the successor, which exits after it. Text: why it cannot serve
  kSuccessor = 68,    // to a foreground master that stays as keeper. Body: SuccessorBody
};

// Stop accepting, finish what is live, be gone by the deadline (CLOCK_MONOTONIC milliseconds).
// Listeners in the list that follows are in no later generation: their queues are accepted to the
// end before they are closed.
struct DrainBody {
  std::int64_t deadline_ms;
  std::uint32_t removed;
  std::uint32_t reserved;
};

struct ReopenBody {
  std::uint64_t serial;
};

// A surplus listener whose queue has run dry: accept what is left, close it. Unknown ids are
// ignored.
struct CloseListenerBody {
  std::uint32_t listener_id;
};

// The server's module is quarantined: its listeners are closed with what waits at them, its
// connections end, its instance does, and no connection is given to it any more.
struct CloseServerBody {
  std::uint32_t server;  // index in Settings::servers
};

// From now on this process is the master.
struct SuccessorBody {
  std::int32_t pid;
};

// A server's module wants a helper: a process of its own for the generation's life.
inline constexpr std::size_t kMaxHelperName = 31;
struct WantHelperBody {
  std::uint32_t server;  // index in Settings::servers
  char name[kMaxHelperName + 1];
};

inline constexpr std::size_t kMaxMessageBody = 8192;
inline constexpr std::size_t kMaxMessageFds = 250;  // SCM_MAX_FD is 253

// What the acceptor sends to a worker with each batch of descriptors: the listener ids, in the
// order of the descriptors.
inline constexpr std::size_t kMaxPassed = 64;
struct PassedBatch {
  std::uint32_t count;
  std::uint32_t listener_ids[kMaxPassed];
};

}  // namespace drover
