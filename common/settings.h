// What one configuration says, as plain values. The member initialisers are the defaults; directive
// tables (common/directives.h) give each its name, range and help. Read-only once a generation
// has been made from it.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/address.h"
#include "common/log_level.h"

namespace drover {

using Millis = std::chrono::milliseconds;

enum class AcceptStrategy { kShared, kExclusive, kMutex, kAcceptor, kReuseport };
[[nodiscard]] const char* to_string(AcceptStrategy strategy);

enum class AcceptorBalance { kLeastLoaded, kRoundRobin };

// Where a value was written, for messages.
struct Source {
  std::string file;
  int line = 0;
  [[nodiscard]] std::string to_string() const { return file + ":" + std::to_string(line); }
};

struct KeepaliveSettings {
  bool enabled = false;
  int idle_s = 0;  // 0: the kernel's default
  int interval_s = 0;
  int count = 0;
};

// One `listen =` line: an address and its options.
struct ListenSettings {
  Address address;
  int backlog = 4096;  // the kernel caps it at net.core.somaxconn
  bool deferred = false;
  int fastopen = 0;  // queue length, 0: off
  bool nodelay = true;
  KeepaliveSettings keepalive;
  bool quickack = false;
  int rcvbuf = 0;  // bytes, 0: the kernel's default
  int sndbuf = 0;
  bool v6only = true;
  int mode = 0666;    // unix sockets
  std::string owner;  // unix sockets; empty: the process's
  std::string group;
  bool proxy_protocol = false;
  Source source;
};

struct AccessRule {
  bool allow = true;
  Cidr cidr;
};

// A module's own directive, "kvs.zone = urls": the name with its prefix and the text as written.
struct ModuleDirective {
  std::string name;
  std::string value;
  Source source;
};

struct ServerSettings {
  std::string name;
  std::vector<ListenSettings> listens;  // may be empty: a server for another server's streams
  AcceptStrategy accept = AcceptStrategy::kExclusive;
  AcceptorBalance acceptor_balance = AcceptorBalance::kLeastLoaded;
  std::string protocol;              // a module's name
  Millis idle_timeout{0};            // 0: none
  Millis first_byte_timeout{0};      // from accept to the first byte of the client, 0: none
  Millis write_timeout{60'000};      // without progress while output is pending, 0: none
  Millis proxy_timeout{5'000};       // for the PROXY header
  Millis linger_timeout{5'000};      // after our FIN, for the peer's
  std::int64_t max_connections = 0;  // over all workers, 0: no limit
  std::int64_t limit_per_ip = 0;
  [[nodiscard]] bool has_limits() const { return max_connections > 0 || limit_per_ip > 0; }
  std::vector<AccessRule> access;  // first match wins, default allow
  std::vector<Cidr> proxy_from;    // who may send a PROXY header
  std::string access_log;          // path, empty: off
  std::vector<ModuleDirective> module_directives;
  Source source;
};

struct ZoneSettings {
  std::string name;
  std::int64_t size_bytes = 0;
  bool preallocate = false;
  bool keep_required = false;
  Source source;
};

struct LogTarget {
  enum class Kind { kFile, kStderr, kSyslog };
  Kind kind = Kind::kStderr;
  std::string path;  // kFile
  LogLevel level = LogLevel::kInfo;
  bool operator==(const LogTarget&) const = default;
};

struct CpuAffinity {
  enum class Kind { kOff, kAuto, kList };
  Kind kind = Kind::kOff;
  std::vector<int> cpus;  // kList: slot i runs on cpus[i % size]
};

struct Settings {
  std::string prefix;  // absolute; relative paths are under it
  std::string user;    // only when started as root; empty: stay
  std::string group;   // empty: the user's
  int workers = 0;     // 0: auto, the CPUs this process may use
  std::int64_t worker_streams = 65'536;
  std::int64_t worker_connections = 0;  // 0: auto, nofile minus a reserve
  std::optional<LogTarget> error_log;   // default: stderr in the foreground, else syslog
  std::string pid;                      // path; empty: none
  std::string control;                  // path; empty: none
  std::string module_dir;
  std::vector<std::string> load;  // a name in module_dir or a path
  std::string working_directory;
  std::int64_t rlimit_nofile = 0;  // 0: as it was inherited
  CpuAffinity cpu_affinity;
  Millis ready_timeout{10'000};
  Millis worker_shutdown_timeout{300'000};
  Millis steer_after{1'200};
  Millis steer_linger{10'000};
  Millis hang_timeout{10'000};
  int max_draining = 4;
  int max_crashes = 0;                // of a module's code before it is quarantined, 0: any number
  Millis max_crashes_window{60'000};  // within so long
  Millis rollback_window{0};          // after a reload, 0: it is never taken back
  int rollback_crashes = 3;           // of workers, before it is

  std::vector<ServerSettings> servers;
  std::vector<ZoneSettings> zones;
};

// `workers`, resolved: the setting or the CPUs of the affinity mask and the cgroup's quota, between
// 1 and kMaxSlots.
[[nodiscard]] int resolve_workers(const Settings& settings);

inline constexpr int kMaxSlots = 256;

}  // namespace drover
