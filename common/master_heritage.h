// What a master leaves to its successor: the one message of an upgrade and of an adoption. It
// crosses versions, so it is records (common/tlv.h) with the descriptors beside them; a newer
// binary reads what every older one wrote (tests/unit/common/heritage_samples).
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/channel.h"
#include "common/event.h"
#include "common/predecessor_heritage.h"
#include "common/result.h"
#include "common/unique_fd.h"

namespace drover {

// Descriptors are the writer's own, or, after decoding, numbers that Inheritance owns; -1: none.
struct MasterHeritage {
  // One listening socket; `id` is what the children of the writer know it by.
  struct Member {
    std::uint32_t id = 0;
    int fd = -1;
    bool is_lent = false;  // a socket unit of systemd's has it, and its file
  };
  // The sockets of one address, in the order in which they joined the kernel's reuseport group.
  struct Group {
    std::string address;  // Address::to_string()
    int active = 1;       // the first so many get new connections, the others are surplus
    bool is_steered = false;
    std::vector<Member> members;
  };
  struct Zone {
    std::string name;
    std::int64_t size_bytes = 0;
    int fd = -1;
  };
  // A file that says where the daemon is: the control socket, the pid file.
  struct Place {
    std::string path;
    int fd = -1;
  };
  // A module's file as it was when it was loaded.
  struct Module {
    std::string name;
    std::string path;
    std::string build_id;
    int fd = -1;
  };
  // What a successor returns to when its workers crash: what the writer served, or would itself
  // have returned to.
  struct Former {
    std::uint32_t generation = 0;
    std::string settings;  // dump_settings()
    std::vector<Module> modules;
  };
  // How often workers ended in a module's code.
  struct Failures {
    std::string module;
    std::uint64_t crashes = 0;
    std::uint64_t hangs = 0;
  };

  std::string version;           // of the binary that wrote it
  std::uint32_t generation = 0;  // the last number it used
  std::vector<Group> groups;
  std::vector<Zone> zones;
  std::vector<PredecessorHeritage> predecessors;  // the writer itself comes first
  Place control;
  Place pid_file;
  std::uint64_t watchdog_us = 0;  // systemd's interval; 0: none
  bool is_keeper = false;         // the writer stays in the foreground for its successors
  int keeper_fd = -1;             // the channel to an earlier one that does
  std::optional<Former> former;   // of a master only
  std::vector<Failures> failures;
};

// What was received. Whatever is not claimed is closed with it.
class Inheritance {
 public:
  Inheritance() = default;
  Inheritance(MasterHeritage heritage, std::vector<UniqueFd> fds)
      : heritage_(std::move(heritage)), fds_(std::move(fds)) {}

  [[nodiscard]] const MasterHeritage& heritage() const { return heritage_; }
  [[nodiscard]] std::size_t descriptors() const { return fds_.size(); }
  // Once for each descriptor; a closed one for -1.
  [[nodiscard]] UniqueFd claim(int fd);

 private:
  MasterHeritage heritage_;
  std::vector<UniqueFd> fds_;
};

struct EncodedHeritage {
  std::string bytes;
  std::vector<int> fds;  // what the records refer to by index
};
[[nodiscard]] EncodedHeritage encode_heritage(const MasterHeritage& heritage);
// `fds` are what came along; an error when the bytes refer to others, or ask for what this version
// does not know.
[[nodiscard]] Result<MasterHeritage> decode_heritage(std::string_view bytes,
                                                     const std::vector<int>& fds);

// kSucceeded's body.
[[nodiscard]] std::string_view as_bytes(const std::vector<std::uint32_t>& listener_ids);
[[nodiscard]] std::vector<std::uint32_t> listener_ids(std::string_view bytes);

// Never blocks: what the socket does not take waits in the channel.
void send_heritage(Channel& channel, const MasterHeritage& heritage);
// Blocks until all of it has come; an error when it has not within `patience`.
[[nodiscard]] Result<Inheritance> receive_heritage(int channel_fd, Millis patience);

}  // namespace drover
