// A daemon that serves KV1 from a zone, and clients that speak it.
#pragma once

#include <gtest/gtest.h>

#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "modules/kvs/kv1/big_endian.h"
#include "modules/kvs/kv1/frame.h"
#include "tests/support/client.h"
#include "tests/support/daemon.h"
#include "tests/support/proc.h"

namespace drover::test {

inline std::string kvs_server(const std::string& directives = "",
                              const std::string& zone = "[zone data]\nsize = 32m\n") {
  return "\n[server kv]\nlisten = 127.0.0.1:{port}\nprotocol = kvs\nkvs.zone = data\n" +
         directives + "\n" + zone;
}

inline std::string kvs_config(const std::string& directives = "", int workers = 3,
                              const std::string& drover = "",
                              const std::string& zone = "[zone data]\nsize = 32m\n") {
  return config("workers = " + std::to_string(workers) + "\nload = " + built("modules/kvs.so") +
                    "\n" + drover,
                kvs_server(directives, zone));
}

inline std::string frame(std::uint8_t type, std::uint32_t rid, std::string_view key = {},
                         std::string_view value = {}) {
  std::string out;
  kvs::kv1::append_frame(out, {type, rid, key, value});
  return out;
}

// A SET as far as its VALLEN: nothing of the value.
inline std::string announced(std::uint32_t rid, std::string_view key, std::uint32_t size) {
  std::string head = frame(kvs::kv1::kSet, rid, key);
  head.resize(head.size() - sizeof size);
  kvs::kv1::append_number(head, size);
  return head;
}

struct Said {
  int status = 0;
  std::uint32_t rid = 0;
  std::string key;
  std::string value;
};

class KvClient {
 public:
  explicit KvClient(Daemon& daemon, Millis patience = kPatience)
      : client_(Endpoint::v4(daemon.port()), "", patience) {}

  void say(std::string_view bytes) { client_.send_all(bytes); }
  // The next answer; none at the end of the stream.
  std::optional<Said> hear() {
    for (;;) {
      if (const auto received = reader_.next(left_)) {
        const kvs::kv1::Frame& said = received->frame;
        return Said{said.type, said.rid, std::string(said.key), std::string(said.value)};
      }
      bytes_ = client_.receive_some(std::size_t{1} << 20);
      left_ = bytes_;
      if (bytes_.empty()) return std::nullopt;
    }
  }
  Said ask(std::uint8_t type, std::string_view key = {}, std::string_view value = {}) {
    say(frame(type, ++rid_, key, value));
    auto said = hear();
    if (!said) throw std::runtime_error("the connection ended");
    EXPECT_EQ(said->rid, rid_);
    return *said;
  }
  int status(std::uint8_t type, std::string_view key = {}, std::string_view value = {}) {
    return ask(type, key, value).status;
  }
  std::string get(std::string_view key) {
    const Said said = ask(kvs::kv1::kGet, key);
    return said.status == kvs::kv1::kOk ? said.value : "";
  }
  std::uint64_t stat(const std::string& name) {
    const std::string text = "\n" + ask(kvs::kv1::kStats).value;
    const std::size_t at = text.find("\n" + name + " ");
    if (at == std::string::npos) throw std::runtime_error("no " + name);
    return std::stoull(text.substr(at + name.size() + 2));
  }
  [[nodiscard]] Client& socket() { return client_; }

 private:
  Client client_;
  kvs::kv1::FrameReader reader_{
      kvs::kv1::FrameReader::Side::kAnswers,
      {.key_bytes = kvs::kv1::kLongestKey, .value_bytes = kvs::kv1::kLongestValue}};
  std::string bytes_;
  std::string_view left_;
  std::uint32_t rid_ = 0;
};

// A client in each of so many workers, told apart by their counts: every worker that served one has
// one request more.
inline std::vector<KvClient> clients_of_workers(Daemon& daemon, std::size_t workers) {
  std::vector<KvClient> clients;
  const bool all = wait_until([&] {
    KvClient client(daemon);
    const bool is_new = client.stat("worker_requests") == 1;
    if (is_new) clients.push_back(std::move(client));
    return clients.size() == workers;
  });
  EXPECT_TRUE(all) << clients.size() << " workers serve";
  return clients;
}

}  // namespace drover::test
