// Requests that came together are looked through before they are served one by one, so that what
// they will need from memory comes for all of them at once: a request is a wait or two for memory,
// and little else.
#pragma once

#include <cstddef>
#include <string_view>

#include "modules/kvs/store/store.h"

namespace kvs::kv1 {

// `bytes` begin with a frame. How many frames have been looked at: the next ones are for another
// call. It stops where a frame has not come to its end, and judges none.
std::size_t look_ahead(const Store& store, std::string_view bytes);

}  // namespace kvs::kv1
