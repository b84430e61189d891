#include "master/fd_store.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <charconv>

namespace drover {
namespace {

constexpr std::string_view kListener = "listen-";
constexpr std::string_view kZone = "zone-";

bool is_plain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '_' || c == '.';
}

template <class Number>
bool take_number(std::string_view& text, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return false;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return true;
}

// Tells one open socket or memory file from another.
ino_t identity_of(int fd) {
  struct stat status {};
  return fstat(fd, &status) == 0 ? status.st_ino : 0;
}

}  // namespace

std::string stored_zone_name(const std::string& zone) {
  std::string name(kZone);
  for (const char c : zone)
    name += is_plain(c) ? std::string(1, c) : fmt::format("%{:02x}", static_cast<unsigned char>(c));
  return name;
}

bool is_stored_zone(const std::string& name) { return name.starts_with(kZone); }

std::string stored_listener_name(std::uint32_t id, std::uint64_t path_inode) {
  if (path_inode == 0) return fmt::format("{}{}", kListener, id);
  return fmt::format("{}{}-{}", kListener, id, path_inode);
}

std::optional<StoredListener> parse_stored_listener(const std::string& name) {
  std::string_view text = name;
  StoredListener listener;
  if (!text.starts_with(kListener)) return {};
  text.remove_prefix(kListener.size());
  if (!take_number(text, listener.id)) return {};
  if (text.starts_with('-')) {
    text.remove_prefix(1);
    if (!take_number(text, listener.path_inode)) return {};
  }
  return text.empty() ? std::optional(listener) : std::nullopt;
}

void FdStore::know(const StoredFd& entry) { stored_[entry.name] = identity_of(entry.fd); }

void FdStore::give_up(const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    notify_.forget(name);
    stored_.erase(name);
  }
  if (!names.empty()) notify_.wait_until_heard();
}

// What goes is taken out first: a name may come back with another descriptor.
void FdStore::update(const std::vector<StoredFd>& wanted) {
  if (!notify_.is_speaking()) return;
  std::map<std::string, ino_t> now;
  for (const StoredFd& entry : wanted) now[entry.name] = identity_of(entry.fd);
  for (const auto& [name, identity] : stored_) {
    const auto found = now.find(name);
    if (found == now.end() || found->second != identity) notify_.forget(name);
  }
  for (const StoredFd& entry : wanted) {
    const auto found = stored_.find(entry.name);
    if (found == stored_.end() || found->second != now[entry.name])
      notify_.keep(entry.name, entry.fd);
  }
  stored_ = std::move(now);
}

}  // namespace drover
