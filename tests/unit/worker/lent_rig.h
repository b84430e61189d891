// A carrier whose streams are connections of its own server, and what each of them is offered.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "tests/unit/worker/harness.h"
#include "worker/child_transport.h"

namespace drover {

class LentInputTest : public ConnectionTest {
 protected:
  struct Offered {
    std::string bytes;
    const char* at = nullptr;
    bool is_inside = false;  // of the carrier's hook
  };

  LentInputTest() : client_(UniqueFd()) {
    streams_ = 8;
    client_ = connect();
    carrier_ = module_.opened[0];
    module_.data = [this](drover_conn conn, std::string_view bytes) {
      return on_data(conn, bytes);
    };
    module_.eof = [this](drover_conn conn) { offered_[conn].push_back({.bytes = "<end>"}); };
  }
  ~LentInputTest() override { module_.data = nullptr; }

  drover_conn open(drover_conn parent) {
    StreamCarrier stream{.server = server_.get(), .parent = parent, .argument = this};
    stream.table.write = [](void*, void* test, const drover_slice* slices, std::size_t count) {
      std::size_t size = 0;
      for (const drover_slice& slice : std::span(slices, count)) {
        static_cast<LentInputTest*>(test)->written_(
            {static_cast<const char*>(slice.data), slice.size});
        size += slice.size;
      }
      return size;
    };
    stream.table.consumed = [](void*, void* test, std::size_t size_bytes) {
      auto& self = *static_cast<LentInputTest*>(test);
      self.used_ += size_bytes;
      self.consumed_();
    };
    stream.table.close = [](void*, void*, drover_close_reason, int) {};
    return Connection::open_child(*server_, stream);
  }
  drover_conn open_and_wait() {
    core_->begin_batch();
    const drover_conn stream = open(carrier_);
    turn();
    return stream;
  }
  std::size_t give(drover_conn stream, std::string_view bytes) const {
    return module_.host->child_data(module_.context, stream, {bytes.data(), bytes.size()});
  }
  // The carrier's on_data runs with these bytes.
  void carry(std::string_view bytes, const std::function<void(std::string_view)>& hook) {
    carrying_ = hook;
    send(client_, bytes);
    turn();
  }
  // Large enough to be lent behind others.
  static std::string large(char byte) { return std::string(ChildTransport::kLeastLent, byte); }
  std::string all_of(drover_conn stream) {
    std::string all;
    for (const Offered& each : offered_[stream]) all += each.bytes + "|";
    return all;
  }

  UniqueFd client_;
  drover_conn carrier_ = 0;
  std::map<drover_conn, std::vector<Offered>> offered_;
  std::function<void(std::string_view)> carrying_;                           // of the carrier
  std::map<drover_conn, std::function<std::size_t(std::string_view)>> own_;  // of single streams
  std::size_t used_ = 0;
  std::function<void()> consumed_ = [] {};
  std::function<void(std::string_view)> written_ = [](std::string_view) {};  // by any stream

 private:
  std::int64_t on_data(drover_conn conn, std::string_view bytes) {
    if (conn == carrier_) {
      is_carrying_ = true;
      carrying_(bytes);
      is_carrying_ = false;
      return static_cast<std::int64_t>(bytes.size());
    }
    offered_[conn].push_back(
        {.bytes = std::string(bytes), .at = bytes.data(), .is_inside = is_carrying_});
    const auto own = own_.find(conn);
    return static_cast<std::int64_t>(own == own_.end() ? bytes.size() : own->second(bytes));
  }

  bool is_carrying_ = false;
};

}  // namespace drover
