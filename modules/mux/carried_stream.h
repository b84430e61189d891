// A stream of a session as the connection that Drover makes of it. Drover owns it from open_child()
// to closed(), in which it deletes itself; the connection that carries it knows it in a list.
#pragma once

#include <cstddef>
#include <span>

#include "modules/mux/carrier_connection.h"
#include "modules/mux/stream.h"
#include "modules/sdk/module.hpp"

namespace mux {

class CarriedStream final : public drover::Stream {
 public:
  CarriedStream(CarrierConnection& carrier, mux::Stream& session_stream)
      : stream(&session_stream), carrier_(carrier) {}

  std::size_t write(std::span<const drover_slice> slices) override {
    return carrier_.write(*this, slices);
  }
  void half_close() override { carrier_.half_close(*this); }
  void consumed(std::size_t size_bytes) override { carrier_.consumed(*this, size_bytes); }
  void closed(drover_close_reason reason, bool is_in_order) override {
    carrier_.closed(*this, reason, is_in_order);
    delete this;
  }

  mux::Stream* stream;            // null: the session has forgotten it
  drover_conn child = 0;          // what Drover calls it
  std::size_t used = 0;           // bytes the child has taken that the session was not told of
  bool is_due = false;            // ... but will be at the end of the batch
  bool is_stuck = false;          // the session did not take all that the child has written
  CarriedStream* next = nullptr;  // of the same connection
  CarriedStream* previous = nullptr;

 private:
  CarrierConnection& carrier_;
};

}  // namespace mux
