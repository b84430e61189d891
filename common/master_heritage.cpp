// How a heritage gets from one process to another. Its encoding is in master_heritage_codec.cpp.
#include "common/master_heritage.h"

#include <poll.h>

#include <algorithm>
#include <cstring>

#include "common/fault.h"

namespace drover {
namespace {

std::vector<int> numbers_of(const std::vector<UniqueFd>& fds) {
  std::vector<int> numbers;
  numbers.reserve(fds.size());
  for (const UniqueFd& fd : fds) numbers.push_back(fd.get());
  return numbers;
}

// Waits for one more part. False: that was the last.
Result<bool> receive_part(int channel_fd, Millis deadline, std::string& bytes,
                          std::vector<UniqueFd>& fds) {
  pollfd ready{channel_fd, POLLIN, 0};
  const Millis left = deadline - monotonic_now();
  if (left <= Millis{0} || poll(&ready, 1, static_cast<int>(left.count())) <= 0)
    return Error("the heritage did not come in time");
  DROVER_TRY(std::optional<Message> message, receive_message(channel_fd));
  if (!message) return true;
  if (message->type == MessageType::kHeritageEnd) return false;
  if (message->type != MessageType::kHeritage) return Error("something else came than a heritage");
  bytes += message->body;
  std::ranges::move(message->fds, std::back_inserter(fds));
  return true;
}

}  // namespace

UniqueFd Inheritance::claim(int fd) {
  const auto found = std::ranges::find(fds_, fd, &UniqueFd::get);
  if (fd < 0 || found == fds_.end()) return {};
  return std::move(*found);
}

std::string_view as_bytes(const std::vector<std::uint32_t>& listener_ids) {
  return {reinterpret_cast<const char*>(listener_ids.data()),
          listener_ids.size() * sizeof(std::uint32_t)};
}

std::vector<std::uint32_t> listener_ids(std::string_view bytes) {
  std::vector<std::uint32_t> ids(bytes.size() / sizeof(std::uint32_t));
  if (!ids.empty()) std::memcpy(ids.data(), bytes.data(), ids.size() * sizeof(std::uint32_t));
  return ids;
}

void send_heritage(Channel& channel, const MasterHeritage& heritage) {
  if (fault("heritage")) return channel.send(MessageType::kHeritageEnd);
  const EncodedHeritage encoded = encode_heritage(heritage);
  std::string_view bytes = encoded.bytes;
  std::span<const int> fds = encoded.fds;
  while (!bytes.empty() || !fds.empty()) {
    const std::size_t size = std::min(bytes.size(), kMaxMessageBody);
    const std::size_t count = std::min(fds.size(), kMaxMessageFds);
    channel.send(MessageType::kHeritage, bytes.substr(0, size), fds.first(count));
    bytes.remove_prefix(size);
    fds = fds.subspan(count);
  }
  channel.send(MessageType::kHeritageEnd);
}

Result<Inheritance> receive_heritage(int channel_fd, Millis patience) {
  const Millis deadline = monotonic_now() + patience;
  std::string bytes;
  std::vector<UniqueFd> fds;
  bool has_more = true;
  while (has_more) {
    DROVER_TRY(has_more, receive_part(channel_fd, deadline, bytes, fds));
  }
  if (bytes.empty()) return Error("nothing came as a heritage");
  DROVER_TRY(MasterHeritage heritage, decode_heritage(bytes, numbers_of(fds)));
  return Inheritance(std::move(heritage), std::move(fds));
}

}  // namespace drover
