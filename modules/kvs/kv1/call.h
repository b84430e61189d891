// A request that is being served, and what its function may do: answer, or say that it is to be
// called again, and when. So a request that has to wait needs no thread, and no function waits.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "modules/kvs/kv1/frame.h"
#include "modules/kvs/kv1/meta.h"
#include "modules/kvs/kv1/pinned_value.h"
#include "modules/kvs/kv1/service.h"

namespace kvs::kv1 {

// Where more than this has not been taken, it is told when most of that has left; of less it is
// not. So of a value that is sent in pieces there is always as much on its way.
inline constexpr std::size_t kWatchedOutput = std::size_t{256} << 10;

// Where a session's answers go.
struct Output {
  std::string& bytes;
  std::size_t pending = 0;  // bytes of before that the client has not taken
  [[nodiscard]] std::size_t size() const { return pending + bytes.size(); }
};

struct Client {
  Service& service;
  Output& output;
  Charge& output_charge;
  bool& is_known;  // has said the token, or need not

  // Whether so much more may be kept for it. What it has not taken counts from now on.
  [[nodiscard]] bool has_room(std::size_t bytes) const {
    output_charge.set(counted_output(output.size()));
    return service.budget.has_room(bytes);
  }
  // It must take some first: there is as much as it may have; or others have used up what the
  // worker may keep, and there is more than a little.
  [[nodiscard]] bool is_full() const {
    if (output.size() >= service.limits.output_bytes) return true;
    return output.size() > kFreeOutput && !has_room(kFreeOutput);
  }
};

enum class Progress {
  kDone,        // it is answered
  kBusy,        // again when the batch is over, which may be all it needs, then each moment
  kMore,        // again in the next turn
  kOutputFull,  // again when the client has taken what is there
};

struct Row;

struct Call {
  const Row* row = nullptr;
  Frame frame;
  std::optional<std::uint64_t> key_hash = std::nullopt;  // if it has been made
  // Of work that grows with the data.
  bool has_begun = false;
  std::uint64_t cursor = 0;
  std::uint64_t count = 0;
  std::vector<std::string> sent{};  // keys of the bucket at the cursor
  // Of what is tried again.
  std::optional<Time> busy_since = std::nullopt;
  // Of a value that is sent in pieces: nothing else is said before its end.
  std::unique_ptr<PinnedValue> rest{};
  bool is_answered = false;  // but for the rest
};

// Status and value of an error, which is text for a person.
struct Refusal {
  Status status;
  std::string_view text;
};

[[nodiscard]] Refusal words_for(Answer answer);
// Not sent when nobody wants it: OK for RID 0.
void answer(const Client& client, const Frame& request, Status status, std::string_view key = {},
            std::string_view value = {});
// The same with an item's value, behind its meta if there is one. kDone: that is sent, or call.rest
// is what is left of it. kBusy: nothing of it is sent, there is no room.
struct ItemAnswer {
  Status status;
  std::string_view key;
  bool with_meta = false;
};
[[nodiscard]] Progress answer_item(const Client& client, Call& call, const ItemAnswer& said,
                                   const Item& item);
// As much of call.rest as the client may be sent now. False: there is more.
[[nodiscard]] bool send_rest(const Client& client, Call& call);
void refuse(const Client& client, const Frame& request, const Refusal& refusal);
[[nodiscard]] inline Progress refused(const Client& client, const Call& call,
                                      const Refusal& refusal) {
  refuse(client, call.frame, refusal);
  return Progress::kDone;
}
// What the store has answered: told to the client, or a reason to try again. `value` is that of OK.
[[nodiscard]] Progress settle(const Client& client, const Call& call, Answer answer,
                              std::string_view value = {});

}  // namespace kvs::kv1
