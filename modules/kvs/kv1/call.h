// A request that is being served, and what its function may do: answer, or say that it is to be
// called again, and when. So a request that has to wait needs no thread, and no function waits.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "modules/kvs/kv1/frame.h"
#include "modules/kvs/kv1/meta.h"
#include "modules/kvs/kv1/service.h"

namespace kvs::kv1 {

// Where a session's answers go.
struct Output {
  std::string& bytes;
  std::size_t pending = 0;  // bytes of before that the client has not taken
  [[nodiscard]] std::size_t size() const { return pending + bytes.size(); }
};

struct Client {
  Service& service;
  Output& output;
  bool& is_known;  // has said the token, or need not
  [[nodiscard]] bool is_full() const { return output.size() >= service.limits.output_bytes; }
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
  // Of work that grows with the data.
  bool has_begun = false;
  std::uint64_t cursor = 0;
  std::uint64_t count = 0;
  std::vector<std::string> sent{};  // keys of the bucket at the cursor
  // Of what is tried again.
  std::optional<Time> busy_since = std::nullopt;
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
// The same with an item's value, behind its meta if there is one.
void answer_item(const Client& client, const Frame& request, Status status, std::string_view key,
                 const Item& item, bool with_meta);
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
