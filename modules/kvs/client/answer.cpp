#include "modules/kvs/client/answer.h"

#include <fmt/format.h>

#include "common/directive_text.h"

namespace kvs::client {

std::string status_name(kv1::Status status) {
  switch (status) {
    case kv1::kOk:
      return "OK";
    case kv1::kNotFound:
      return "NOT_FOUND";
    case kv1::kExists:
      return "EXISTS";
    case kv1::kNotStored:
      return "NOT_STORED";
    case kv1::kPartial:
      return "PARTIAL";
    case kv1::kEvent:
      return "EVENT";
    case kv1::kBadFrame:
      return "BAD_FRAME";
    case kv1::kUnknownType:
      return "UNKNOWN_TYPE";
    case kv1::kKeyLength:
      return "KEY_LENGTH";
    case kv1::kValueTooLarge:
      return "VALUE_TOO_LARGE";
    case kv1::kBadArgument:
      return "BAD_ARGUMENT";
    case kv1::kNoSpace:
      return "NO_SPACE";
    case kv1::kNotANumber:
      return "NOT_A_NUMBER";
    case kv1::kDenied:
      return "DENIED";
    case kv1::kBusy:
      return "BUSY";
    case kv1::kShuttingDown:
      return "SHUTTING_DOWN";
    case kv1::kInternal:
      return "INTERNAL";
  }
  return fmt::format("status 0x{:02x}", static_cast<unsigned>(status));
}

std::string describe(kv1::Status status, std::string_view text) {
  const std::string name = status_name(status);
  return text.empty() ? name : name + ": " + drover::quote(text);
}

}  // namespace kvs::client
