#include "worker/output_queue.h"

#include <algorithm>
#include <array>
#include <cerrno>

namespace drover {
namespace {

constexpr std::size_t kMaxSlices = 64;
constexpr std::size_t kPart = std::size_t{16} << 10;
constexpr std::size_t kFileSlice = std::size_t{1} << 20;  // a sendfile(2)
constexpr std::size_t kShare = std::size_t{4} << 20;      // a call: others want their turn

std::string_view bytes_of(const std::vector<char>& own) { return {own.data(), own.size()}; }
std::string_view bytes_of(const LentBytes& lent) { return lent.bytes(); }
std::string_view bytes_of(const FileRange& /*range*/) { return {}; }

std::size_t size_of(const FileRange& range) { return static_cast<std::size_t>(range.size_bytes); }
template <class Memory>
std::size_t size_of(const Memory& memory) {
  return bytes_of(memory).size();
}

}  // namespace

bool means_later(int error_number) {
  return error_number == EAGAIN || error_number == EINTR || error_number == ENOBUFS;
}

// What comes in small pieces is kept in one, up to a part: more would be copied again and again
// while it grows.
void OutputQueue::append(std::string_view bytes) {
  auto* last = parts_.empty() ? nullptr : std::get_if<std::vector<char>>(&parts_.back());
  if (last != nullptr && parts_.size() == 1 && front_sent_ > last->size() / 2) {
    last->erase(last->begin(), last->begin() + static_cast<std::ptrdiff_t>(front_sent_));
    front_sent_ = 0;
  }
  if (last == nullptr || last->size() + bytes.size() > kPart)
    last = &std::get<std::vector<char>>(parts_.emplace_back());
  last->insert(last->end(), bytes.begin(), bytes.end());
  size_bytes_ += bytes.size();
}

void OutputQueue::append(LentBytes lent) {
  if (lent.bytes().empty()) return;
  size_bytes_ += lent.bytes().size();
  parts_.emplace_back(std::move(lent));
}

void OutputQueue::append(FileRange range) {
  if (range.size_bytes == 0) return;
  size_bytes_ += size_of(range);
  parts_.emplace_back(std::move(range));
}

OutputQueue::Sent OutputQueue::send(Transport& transport, bool fin_follows) {
  Sent sent;
  while (!parts_.empty() && !sent.is_full) {
    std::size_t wanted = 0;
    const bool is_file = front_is_file();
    const ssize_t result =
        is_file ? send_file(transport, wanted) : send_memory(transport, wanted, fin_follows);
    const bool file_ended = is_file && result == 0;
    sent.is_broken = file_ended || (result < 0 && !means_later(errno));
    if (sent.is_broken) break;
    const auto taken = static_cast<std::size_t>(std::max<ssize_t>(result, 0));
    drop(taken);
    sent.size_bytes += taken;
    sent.is_full = taken < wanted || sent.size_bytes >= kShare;
  }
  return sent;
}

ssize_t OutputQueue::send_memory(Transport& transport, std::size_t& wanted,
                                 bool fin_follows) const {
  std::array<iovec, kMaxSlices> slices;
  std::size_t count = 0;
  auto part = parts_.begin();
  for (; part != parts_.end() && count < slices.size(); ++part) {
    const auto bytes = std::visit([](const auto& each) { return bytes_of(each); }, *part);
    if (bytes.empty()) break;  // a file
    const std::size_t skip = count == 0 ? front_sent_ : 0;
    slices[count++] = {const_cast<char*>(bytes.data() + skip), bytes.size() - skip};
    wanted += bytes.size() - skip;
  }
  return transport.send(std::span(slices).first(count), part != parts_.end() || fin_follows);
}

ssize_t OutputQueue::send_file(Transport& transport, std::size_t& wanted) const {
  const auto& range = std::get<FileRange>(parts_.front());
  wanted = std::min(size_of(range) - front_sent_, kFileSlice);
  return transport.send_file(range.file->get(), range.offset + front_sent_, wanted);
}

void OutputQueue::drop(std::size_t size_bytes) {
  size_bytes_ -= size_bytes;
  front_sent_ += size_bytes;
  while (!parts_.empty()) {
    const std::size_t front =
        std::visit([](const auto& each) { return size_of(each); }, parts_.front());
    if (front_sent_ < front) return;
    front_sent_ -= front;
    parts_.pop_front();
  }
}

}  // namespace drover
