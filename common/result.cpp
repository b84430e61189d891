#include "common/result.h"

#include <cstring>

namespace drover {

Error Error::from_errno(std::string_view what, int code) {
  return Error(std::string(what) + ": " + strerrordesc_np(code));
}

}  // namespace drover
