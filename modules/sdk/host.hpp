// What Drover offers to a module, in C++: Host (the functions of drover_host with their context),
// File, and Config with the rows of directives and metrics. Included by module.hpp.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "drover_module.h"
#include "zone.hpp"

namespace drover {

class File;
class Stream;

// A helper was refused: why is in the log, and is what refuses the configuration.
struct HelperRefused : std::exception {
  [[nodiscard]] const char* what() const noexcept override { return "helper refused"; }
};

// What Drover offers, with its context. A value; valid until the instance is destroyed.
class Host {
 public:
  Host(const drover_host* host, drover_context* context) : host_(host), context_(context) {}

  void write(drover_conn conn, std::string_view bytes) const {
    host_->write(context_, conn, {bytes.data(), bytes.size()});
  }
  void half_close(drover_conn conn) const { host_->half_close(context_, conn); }
  void close(drover_conn conn) const { host_->close(context_, conn); }
  void pause_reading(drover_conn conn) const { host_->pause_reading(context_, conn); }
  void resume_reading(drover_conn conn) const { host_->resume_reading(context_, conn); }
  [[nodiscard]] std::size_t pending_output(drover_conn conn) const {
    return host_->pending_output(context_, conn);
  }
  [[nodiscard]] std::string peer_name(drover_conn conn) const {
    char buffer[128];  // the longest is an IPv6 address with its port, 47
    return {buffer, host_->peer_name(context_, conn, buffer, sizeof buffer)};
  }
  void log(drover_log_level level, const std::string& message) const {
    host_->log(context_, level, message.c_str());
  }

  [[nodiscard]] std::chrono::milliseconds now() const {
    return std::chrono::milliseconds(host_->now_ms(context_));
  }
  void set_timer(drover_conn conn, std::chrono::milliseconds after) const {
    host_->set_timer(context_, conn, after.count());
  }
  void cancel_timer(drover_conn conn) const { host_->cancel_timer(context_, conn); }
  drover_timer start_timer(std::chrono::milliseconds after, std::uint64_t tag = 0) const {
    return host_->start_timer(context_, after.count(), tag);
  }
  void stop_timer(drover_timer timer) const { host_->stop_timer(context_, timer); }

  // Null when the connection has gone or is not open yet.
  template <class State>
  [[nodiscard]] State* state_of(drover_conn conn) const {
    return static_cast<State*>(host_->state_of(context_, conn));
  }

  // The bytes stay in `owner` until they have left.
  void write_shared(drover_conn conn, std::shared_ptr<const std::string> owner) const {
    auto* kept = new std::shared_ptr<const std::string>(std::move(owner));
    const auto release = [](void* argument) {
      delete static_cast<std::shared_ptr<const std::string>*>(argument);
    };
    host_->write_reference(context_, conn, {(*kept)->data(), (*kept)->size()}, release, kept);
  }
  // Null when the file cannot be read; errno is in `error`.
  [[nodiscard]] File open_file(const std::string& path, int& error) const;
  void write_file(drover_conn conn, const File& file, std::uint64_t offset,
                  std::uint64_t size_bytes) const;

  drover_conn connect(const std::string& address, std::chrono::milliseconds timeout,
                      std::uint64_t tag) const {
    return host_->connect(context_, address.c_str(), timeout.count(), tag);
  }
  [[nodiscard]] std::uint64_t tag(drover_conn conn) const { return host_->tag(context_, conn); }

  // Null when there is none.
  [[nodiscard]] const drover_server* server(const char* name) const {
    return host_->server(context_, name);
  }
  // 0 when it is refused: `stream` is not kept then. Otherwise it must live until closed() is
  // called.
  drover_conn open_child(drover_conn parent, const drover_server* server, Stream& stream) const;
  std::size_t child_data(drover_conn child, std::string_view bytes) const {
    return host_->child_data(context_, child, {bytes.data(), bytes.size()});
  }
  void child_end(drover_conn child) const { host_->child_end(context_, child); }
  void child_reset(drover_conn child) const { host_->child_reset(context_, child); }
  void child_writable(drover_conn child) const { host_->child_writable(context_, child); }

  // The zone of that name with a T at its beginning, built by T() when nobody has done it before.
  // `version` is the layout's number. In the constructor only; throws ZoneRefused.
  template <class T>
  [[nodiscard]] Zone<T> zone(const char* name, std::uint64_t version) const {
    return Zone<T>(host_, context_, name, version);
  }
  // The same as bytes, for what is not one type: initialise(std::span<std::byte>) fills the zeroed
  // memory of one that nobody has initialised, and says whether it could.
  template <class Initialise>
  [[nodiscard]] ZoneMemory zone_memory(const char* name, std::uint64_t version,
                                       std::uint64_t type_sizes, Initialise initialise) const {
    return ZoneMemory(host_, context_, name, version, type_sizes, initialise);
  }
  [[nodiscard]] std::uint32_t slot() const { return host_->slot(context_); }
  [[nodiscard]] std::uint32_t slots() const { return host_->slots(context_); }
  void ring(std::uint32_t slot_number) const { host_->ring(context_, slot_number); }
  void ring_others() const {
    for (std::uint32_t other = 0; other < slots(); ++other) {
      if (other != slot()) ring(other);
    }
  }
  // In `validate` only; throws HelperRefused.
  void want_helper(const std::string& name) const {
    if (host_->want_helper(context_, name.c_str()) == 0) throw HelperRefused();
  }
  void ring_helper(const std::string& name) const { host_->ring_helper(context_, name.c_str()); }

  // `index` is a row of kMetrics.
  void count(std::uint32_t index, std::uint64_t add = 1) const {
    host_->count(context_, index, add);
  }
  void gauge(std::uint32_t index, std::int64_t value) const {
    host_->gauge(context_, index, value);
  }

 private:
  const drover_host* host_;
  drover_context* context_;
};

// An open file, closed when this goes.
class File {
 public:
  File(const drover_host* host, drover_context* context, drover_file* file,
       std::uint64_t size_bytes)
      : host_(host), context_(context), file_(file), size_bytes_(size_bytes) {}
  File(File&& other) noexcept
      : host_(other.host_),
        context_(other.context_),
        file_(std::exchange(other.file_, nullptr)),
        size_bytes_(other.size_bytes_) {}
  File& operator=(File&&) = delete;
  ~File() {
    if (file_ != nullptr) host_->file_close(context_, file_);
  }
  explicit operator bool() const { return file_ != nullptr; }
  [[nodiscard]] std::uint64_t size_bytes() const { return size_bytes_; }
  [[nodiscard]] drover_file* get() const { return file_; }

 private:
  const drover_host* host_;
  drover_context* context_;
  drover_file* file_;
  std::uint64_t size_bytes_;
};

inline File Host::open_file(const std::string& path, int& error) const {
  std::uint64_t size_bytes = 0;
  drover_file* file = host_->file_open(context_, path.c_str(), &size_bytes, &error);
  return {host_, context_, file, size_bytes};
}

inline void Host::write_file(drover_conn conn, const File& file, std::uint64_t offset,
                             std::uint64_t size_bytes) const {
  host_->write_file(context_, conn, file.get(), offset, size_bytes);
}

// A stream that a module carries, for Host::open_child; see drover_transport. What its functions
// throw costs the stream in write(), and is dropped in the others.
class Stream {
 public:
  // Takes bytes for the peer; how many.
  virtual std::size_t write(std::span<const drover_slice> slices) = 0;
  virtual void half_close() {}
  virtual void consumed(std::size_t /*size_bytes*/) {}
  // The last call: it may delete itself.
  virtual void closed(drover_close_reason reason, bool is_in_order) = 0;

  static constexpr drover_transport table() {
    return {.size = sizeof(drover_transport),
            .write = &call_write,
            .half_close = &call_half_close,
            .consumed = &call_consumed,
            .close = &call_closed};
  }

 protected:
  ~Stream() = default;

 private:
  template <class Call>
  static bool guarded(void* argument, Call call) noexcept {
    try {
      call(*static_cast<Stream*>(argument));
      return true;
    } catch (...) {
      return false;
    }
  }
  static std::size_t call_write(void* /*instance*/, void* argument, const drover_slice* slices,
                                std::size_t count) {
    std::size_t taken = 0;
    const bool done = guarded(argument, [&](Stream& stream) {
      taken = stream.write({slices, count});
    });
    return done ? taken : ~std::size_t{0};
  }
  static void call_half_close(void* /*instance*/, void* argument) {
    guarded(argument, [](Stream& stream) { stream.half_close(); });
  }
  static void call_consumed(void* /*instance*/, void* argument, std::size_t size_bytes) {
    guarded(argument, [&](Stream& stream) { stream.consumed(size_bytes); });
  }
  static void call_closed(void* /*instance*/, void* argument, drover_close_reason reason,
                          int is_in_order) {
    guarded(argument, [&](Stream& stream) { stream.closed(reason, is_in_order != 0); });
  }
};

inline drover_conn Host::open_child(drover_conn parent, const drover_server* server,
                                    Stream& stream) const {
  static constexpr drover_transport kTable = Stream::table();
  return host_->open_child(context_, parent, server, &kTable, &stream);
}

// A row of kDirectives; see drover_directive. Bounds are in numbers, bytes or milliseconds.
struct Directive {
  const char* name = nullptr;
  drover_directive_type type = DROVER_TEXT;
  const char* default_text = nullptr;  // null: every server must say it
  std::int64_t min = 0;
  std::int64_t max = 0;
  const char* const* words = nullptr;  // of DROVER_CHOICE, a null pointer after the last
  const char* help = nullptr;

  constexpr drover_directive row() const {
    return {sizeof(drover_directive), name, type, default_text, min, max, words, help};
  }
};

// A row of kMetrics; see drover_metric.
struct Metric {
  const char* name = nullptr;
  drover_metric_kind kind = DROVER_COUNTER;
  const char* help = nullptr;

  constexpr drover_metric row() const { return {sizeof(drover_metric), name, kind, help}; }
};

// What the server says to its module. A value; valid as long as the Host beside it. A name that is
// not in kDirectives is a bug: std::logic_error.
class Config {
 public:
  Config(const drover_host* host, drover_context* context) : host_(host), context_(context) {}

  // Of any type, as written; a path absolute.
  [[nodiscard]] std::string_view text(const char* name) const {
    const char* value = host_->config_text(context_, name);
    if (value == nullptr) throw std::logic_error(std::string("kDirectives has no row ") + name);
    return value;
  }
  [[nodiscard]] std::int64_t number(const char* name) const {
    static_cast<void>(text(name));  // the check
    return host_->config_number(context_, name);
  }
  [[nodiscard]] std::size_t size(const char* name) const {
    return static_cast<std::size_t>(number(name));
  }
  [[nodiscard]] std::chrono::milliseconds duration(const char* name) const {
    return std::chrono::milliseconds(number(name));
  }
  [[nodiscard]] bool flag(const char* name) const { return number(name) != 0; }
  // The index of the word, as an enum that names them in their order.
  template <class Choice>
  [[nodiscard]] Choice choice(const char* name) const {
    return static_cast<Choice>(number(name));
  }

 private:
  const drover_host* host_;
  drover_context* context_;
};

}  // namespace drover
