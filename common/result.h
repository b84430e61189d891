// Errors as values. What can be expected to fail (a directive, a bind, a peer) returns Result<T>;
// the caller looks at it or passes it up with DROVER_TRY, adding where it was on the way.
#pragma once

#include <cerrno>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace drover {

// A message for the person at the terminal: what, on what, why.
class Error {
 public:
  explicit Error(std::string message) : message_(std::move(message)) {}

  // "<what>: <strerror(code)>"
  static Error from_errno(std::string_view what, int code = errno);

  // Says where it happened: "<where>: <message>".
  [[nodiscard]] Error in(std::string_view where) && {
    message_.insert(0, std::string(where) + ": ");
    return std::move(*this);
  }

  [[nodiscard]] const std::string& message() const { return message_; }

 private:
  std::string message_;
};

template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value)
      : state_(std::in_place_index<0>, std::move(value)) {}  // NOLINT: implicit by design
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT

  [[nodiscard]] bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }

  // Only when ok().
  T& value() & { return *std::get_if<0>(&state_); }
  const T& value() const& { return *std::get_if<0>(&state_); }
  T&& value() && { return std::move(*std::get_if<0>(&state_)); }
  T* operator->() { return std::get_if<0>(&state_); }
  T& operator*() & { return value(); }

  // Only when not ok().
  Error& error() & { return *std::get_if<1>(&state_); }
  const Error& error() const& { return *std::get_if<1>(&state_); }
  Error&& error() && { return std::move(*std::get_if<1>(&state_)); }

 private:
  std::variant<T, Error> state_;
};

// The result of something done for its effect.
struct Done {};
using Status = Result<Done>;

}  // namespace drover

#define DROVER_CONCAT_(a, b) a##b
#define DROVER_CONCAT(a, b) DROVER_CONCAT_(a, b)

// NOLINTBEGIN(bugprone-macro-parentheses): a declaration cannot stand in parentheses
// DROVER_TRY(auto fd, open_file(path)); returns the error from the enclosing function, or goes on
// with the value.
#define DROVER_TRY(declaration, expression)                     \
  auto DROVER_CONCAT(result_, __LINE__) = (expression);         \
  if (!DROVER_CONCAT(result_, __LINE__).ok()) {                 \
    return std::move(DROVER_CONCAT(result_, __LINE__)).error(); \
  }                                                             \
  declaration = std::move(DROVER_CONCAT(result_, __LINE__)).value()

// NOLINTEND(bugprone-macro-parentheses)

// The same for a Status.
#define DROVER_TRY_DO(expression)                   \
  if (auto status_ = (expression); !status_.ok()) { \
    return std::move(status_).error();              \
  }
