#include "tests/support/crowd.h"

#include <sys/socket.h>

#include <algorithm>
#include <iterator>
#include <thread>

namespace drover::test {
namespace {

using Clients = std::vector<Client>;

// A client that could not connect is missing.
Clients connect_some(const Endpoint& to, const CrowdOptions& options, size_t first) {
  Clients clients;
  for (size_t i = first; i < options.count; i += options.threads) {
    const std::string source =
        options.sources.empty() ? "" : options.sources[i % options.sources.size()];
    std::optional<Client> client = Client::try_connect(to, nullptr, source);
    if (!client) continue;
    // Whoever has been turned away already shows when the answer is read.
    [[maybe_unused]] const ssize_t sent = ::send(client->fd(), "x", 1, MSG_NOSIGNAL);
    clients.push_back(std::move(*client));
  }
  return clients;
}

}  // namespace

Crowd::Crowd(const Endpoint& to, const CrowdOptions& options) {
  std::vector<Clients> parts(options.threads);
  std::vector<std::thread> threads;
  for (size_t i = 0; i < options.threads; ++i) {
    threads.emplace_back([&, i] { parts[i] = connect_some(to, options, i); });
  }
  for (std::thread& thread : threads) thread.join();
  for (Clients& part : parts) std::move(part.begin(), part.end(), std::back_inserter(waiting_));
  turned_away_ = options.count - waiting_.size();
}

void Crowd::look() {
  for (size_t i = 0; i < waiting_.size();) {
    const Client::Next next = waiting_[i].next(Millis{0});
    if (next == Client::Next::kSilence) {
      ++i;
      continue;
    }
    if (next == Client::Next::kBytes) {
      static_cast<void>(waiting_[i].receive(1));
      served_.push_back(std::move(waiting_[i]));
    } else {
      ++turned_away_;
    }
    std::swap(waiting_[i], waiting_.back());
    waiting_.pop_back();
  }
}

void Crowd::drop_ended() {
  const auto ended = std::remove_if(served_.begin(), served_.end(), [](Client& client) {
    return client.next(Millis{0}) != Client::Next::kSilence;
  });
  turned_away_ += static_cast<size_t>(served_.end() - ended);
  served_.erase(ended, served_.end());
}

size_t Crowd::served() {
  look();
  drop_ended();
  return served_.size();
}

bool Crowd::wait_until_settled(Millis patience) {
  return wait_until(
      [this] {
        look();
        return waiting_.empty();
      },
      patience);
}

bool Crowd::take_turns(Millis patience) {
  return wait_until(
      [this] {
        look();
        leave(served_.size());
        return waiting_.empty();
      },
      patience);
}

void Crowd::leave(size_t count) {
  served_.erase(served_.begin(), served_.begin() + static_cast<std::ptrdiff_t>(count));
  left_ += count;
}

}  // namespace drover::test
