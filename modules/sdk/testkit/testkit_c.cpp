// The functions of testkit.h.
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

#include "testkit.h"
#include "testkit.hpp"

struct drover_testkit {
  std::unique_ptr<drover::testkit::Host> host;
  std::string refusal;
  std::string given;  // what the last call has returned
};

namespace {

using drover::testkit::Host;

Host::Settings settings_of(const drover_testkit_setting* settings, std::size_t count) {
  Host::Settings made;
  for (std::size_t i = 0; i < count; ++i) made[settings[i].name].text = settings[i].text;
  return made;
}

std::string_view bytes_of(const void* bytes, std::size_t size) {
  return {static_cast<const char*>(bytes), size};
}

[[noreturn]] void give_up(const char* why) {
  static_cast<void>(std::fprintf(stderr, "drover_testkit: %s\n", why));
  std::abort();
}

// No exception gets out into C: wrong use of the kit ends the program.
template <class Call>
auto with(const drover_testkit* kit, Call call) {
  if (kit->host == nullptr) give_up("the module did not start");
  try {
    return call(*kit->host);
  } catch (const std::exception& error) {
    give_up(error.what());
  }
}

drover_slice give(drover_testkit& kit, std::string bytes) {
  kit.given = std::move(bytes);
  return {kit.given.c_str(), kit.given.size()};
}

}  // namespace

extern "C" {

const struct drover_module* drover_testkit_load(const char* path) try {
  return &drover::testkit::load(path);
} catch (const std::exception& error) {
  static_cast<void>(std::fprintf(stderr, "drover_testkit_load: %s\n", error.what()));
  return nullptr;
}

drover_testkit* drover_testkit_start(const struct drover_module* module,
                                     const drover_testkit_setting* settings, std::size_t count) {
  auto kit = std::make_unique<drover_testkit>();
  try {
    if (module == nullptr) throw std::logic_error("there is no module");
    kit->host = std::make_unique<Host>(*module, settings_of(settings, count));
  } catch (const std::logic_error& error) {
    kit->refusal = error.what();
  }
  return kit.release();
}

const char* drover_testkit_refusal(const drover_testkit* kit) {
  return kit->host == nullptr ? kit->refusal.c_str() : nullptr;
}
void drover_testkit_stop(drover_testkit* kit) { delete kit; }
void* drover_testkit_instance(const drover_testkit* kit) {
  return with(kit, [&](Host& host) { return host.instance(); });
}

drover_conn drover_testkit_accept(drover_testkit* kit, const char* peer) {
  return with(kit, [&](Host& host) { return peer == nullptr ? host.accept() : host.accept(peer); });
}
void drover_testkit_feed(drover_testkit* kit, drover_conn conn, const void* bytes,
                         std::size_t size) {
  with(kit, [&](Host& host) { host.feed(conn, bytes_of(bytes, size)); });
}
void drover_testkit_feed_in_pieces(drover_testkit* kit, drover_conn conn, const void* bytes,
                                   std::size_t size, std::size_t piece) {
  with(kit, [&](Host& host) {
    if (piece == 0) throw std::logic_error("pieces of no bytes");
    host.feed_in_pieces(conn, bytes_of(bytes, size), piece);
  });
}
void drover_testkit_end(drover_testkit* kit, drover_conn conn) {
  with(kit, [&](Host& host) { host.end(conn); });
}
void drover_testkit_reset(drover_testkit* kit, drover_conn conn) {
  with(kit, [&](Host& host) { host.reset(conn); });
}
void drover_testkit_time_out(drover_testkit* kit, drover_conn conn) {
  with(kit, [&](Host& host) { host.time_out(conn); });
}
drover_slice drover_testkit_read(drover_testkit* kit, drover_conn conn) {
  return with(kit, [&](Host& host) { return give(*kit, host.read(conn)); });
}
void drover_testkit_set_deaf(drover_testkit* kit, drover_conn conn, int is_deaf) {
  with(kit, [&](Host& host) { host.set_deaf(conn, is_deaf != 0); });
}

int drover_testkit_has_ended(const drover_testkit* kit, drover_conn conn) {
  return with(kit, [&](Host& host) { return host.has_ended(conn) ? 1 : 0; });
}
int drover_testkit_closed(const drover_testkit* kit, drover_conn conn) {
  return with(kit, [&](Host& host) {
    const auto reason = host.closed(conn);
    return reason ? static_cast<int>(*reason) : DROVER_TESTKIT_LIVES;
  });
}
int drover_testkit_is_paused(const drover_testkit* kit, drover_conn conn) {
  return with(kit, [&](Host& host) { return host.is_paused(conn) ? 1 : 0; });
}
std::size_t drover_testkit_live(const drover_testkit* kit) {
  return with(kit, [&](Host& host) { return host.live(); });
}

void drover_testkit_pass(drover_testkit* kit, std::int64_t milliseconds) {
  with(kit, [&](Host& host) { host.pass(std::chrono::milliseconds(milliseconds)); });
}
void drover_testkit_ring(drover_testkit* kit) {
  with(kit, [&](Host& host) { host.ring(); });
}
void drover_testkit_drain(drover_testkit* kit) {
  with(kit, [&](Host& host) { host.drain(); });
}
void drover_testkit_set_slot(drover_testkit* kit, std::uint32_t slot, std::uint32_t slots) {
  with(kit, [&](Host& host) {
    host.slot = slot;
    host.slots = slots;
  });
}
void drover_testkit_add_file(drover_testkit* kit, const char* path, drover_slice content) {
  with(kit, [&](Host& host) { host.files[path] = bytes_of(content.data, content.size); });
}

drover_conn drover_testkit_outgoing(const drover_testkit* kit, std::size_t index) {
  return with(kit, [&](Host& host) {
    const auto& waiting = host.outgoing();
    return index < waiting.size() ? waiting[index].conn : 0;
  });
}
const char* drover_testkit_outgoing_address(const drover_testkit* kit, std::size_t index) {
  return with(kit, [&](Host& host) {
    const auto& waiting = host.outgoing();
    return index < waiting.size() ? waiting[index].address.c_str() : nullptr;
  });
}
void drover_testkit_establish(drover_testkit* kit, drover_conn conn) {
  with(kit, [&](Host& host) { host.establish(conn); });
}
void drover_testkit_refuse(drover_testkit* kit, drover_conn conn, int error) {
  with(kit, [&](Host& host) { host.refuse(conn, error); });
}

std::int64_t drover_testkit_metric(const drover_testkit* kit, const char* name) {
  return with(kit, [&](Host& host) { return host.metric(name); });
}
int drover_testkit_calls(const drover_testkit* kit, const char* function) {
  return with(kit, [&](Host& host) { return host.calls(function); });
}
const char* drover_testkit_log(const drover_testkit* kit, std::size_t index) {
  return with(kit, [&](Host& host) {
    const auto& lines = host.log();
    return index < lines.size() ? lines[index].text.c_str() : nullptr;
  });
}

}  // extern "C"
