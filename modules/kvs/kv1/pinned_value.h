// A value that is sent in pieces, as its client takes them, and of which a worker so keeps no more
// than a piece or two. In the store it stays as it was when it was asked for, whatever others
// write, until this goes. There are few pins: who gets none has the value copied.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "modules/kvs/store/store.h"

namespace kvs::kv1 {

class PinnedValue {
 public:
  static constexpr std::size_t kPiece = std::size_t{64} << 10;

  PinnedValue(Store& store, const Item& item)
      : store_(store), pin_(store.pin(item)), rest_(item.value) {}
  PinnedValue(const PinnedValue&) = delete;
  PinnedValue& operator=(const PinnedValue&) = delete;
  ~PinnedValue() {
    if (pin_) store_.unpin(*pin_);
  }
  // False: there was no pin for it.
  [[nodiscard]] bool is_pinned() const { return pin_.has_value(); }

  [[nodiscard]] bool is_sent() const { return rest_.empty(); }
  // To be sent next.
  [[nodiscard]] std::string_view take_piece() {
    const std::string_view piece = rest_.substr(0, kPiece);
    rest_.remove_prefix(piece.size());
    return piece;
  }

 private:
  Store& store_;
  std::optional<Pin> pin_;
  std::string_view rest_;
};

}  // namespace kvs::kv1
