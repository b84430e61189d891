// A heritage as bytes, and back.
#include <fmt/format.h>

#include "common/master_heritage.h"
#include "common/tlv.h"

namespace drover {
namespace {

// Never renumbered and never given another meaning: older and newer binaries read them. New ones
// are added at the end; kTlvRequired only if serving without them would be wrong.
enum Field : std::uint16_t {
  kVersion = 1,
  kGeneration = 2,
  kGroup = 3,        // nested
  kZone = 4,         // nested
  kPredecessor = 5,  // nested
  kControl = 6,      // nested
  kPidFile = 7,      // nested
  kWatchdogUs = 8,
  kKeeperFd = 9,
  // 10: counters of modules, once
  kIsKeeper = 11,
  kFormer = 12,    // nested
  kFailures = 13,  // nested

  kText = 32,  // an address, a name, a path
  kFd = 33,    // an index of what came along
  kActive = 34,
  kSteered = 35,
  kMember = 36,  // nested
  kId = 37,
  kSize = 38,
  kPid = 39,
  kModule = 41,  // of a former: nested
  kValue = 42,
  kLent = 43,
  kPath = 44,
  kBuildId = 45,
  kHangs = 46,
  kMetricsFd = 47,
};

class Encoder {
 public:
  EncodedHeritage encode(const MasterHeritage& heritage);

 private:
  void put_fd(TlvWriter& out, std::uint16_t type, int fd);
  std::string group(const MasterHeritage::Group& group);
  std::string named(const std::string& text, int fd);
  std::string former(const MasterHeritage::Former& former);

  std::vector<int> fds_;
};

void Encoder::put_fd(TlvWriter& out, std::uint16_t type, int fd) {
  if (fd < 0) return;
  out.put_number(type, fds_.size());
  fds_.push_back(fd);
}

std::string Encoder::group(const MasterHeritage::Group& group) {
  TlvWriter out;
  out.put(kText, group.address);
  out.put_number(kActive, static_cast<std::uint64_t>(group.active));
  out.put_number(kSteered, group.is_steered ? 1 : 0);
  for (const MasterHeritage::Member& member : group.members) {
    TlvWriter inner;
    inner.put_number(kId, member.id);
    put_fd(inner, kFd, member.fd);
    if (member.is_lent) inner.put_number(kLent, 1);
    out.put(kMember, inner.bytes());
  }
  return out.bytes();
}

std::string Encoder::named(const std::string& text, int fd) {
  TlvWriter out;
  out.put(kText, text);
  put_fd(out, kFd, fd);
  return out.bytes();
}

std::string Encoder::former(const MasterHeritage::Former& former) {
  TlvWriter out;
  out.put_number(kId, former.generation);
  out.put(kText, former.settings);
  for (const MasterHeritage::Module& module : former.modules) {
    TlvWriter inner;
    inner.put(kText, module.name);
    inner.put(kPath, module.path);
    inner.put(kBuildId, module.build_id);
    put_fd(inner, kFd, module.fd);
    out.put(kModule, inner.bytes());
  }
  return out.bytes();
}

std::string encode_failures(const MasterHeritage::Failures& failures) {
  TlvWriter out;
  out.put(kModule, failures.module);
  out.put_number(kValue, failures.crashes);
  out.put_number(kHangs, failures.hangs);
  return out.bytes();
}

EncodedHeritage Encoder::encode(const MasterHeritage& heritage) {
  TlvWriter out;
  out.put(kVersion, heritage.version);
  out.put_number(kGeneration, heritage.generation);
  for (const auto& each : heritage.groups) out.put(kGroup, group(each));
  for (const auto& zone : heritage.zones) {
    TlvWriter size;
    size.put_number(kSize, static_cast<std::uint64_t>(zone.size_bytes));
    out.put(kZone, named(zone.name, zone.fd) + size.bytes());
  }
  for (const auto& predecessor : heritage.predecessors) {
    TlvWriter inner;
    inner.put_number(kPid, static_cast<std::uint64_t>(predecessor.pid));
    put_fd(inner, kFd, predecessor.scoreboard_fd);
    put_fd(inner, kMetricsFd, predecessor.metrics_fd);
    out.put(kPredecessor, inner.bytes());
  }
  if (!heritage.control.path.empty())
    out.put(kControl, named(heritage.control.path, heritage.control.fd));
  if (!heritage.pid_file.path.empty())
    out.put(kPidFile, named(heritage.pid_file.path, heritage.pid_file.fd));
  out.put_number(kWatchdogUs, heritage.watchdog_us);
  out.put_number(kIsKeeper, heritage.is_keeper ? 1 : 0);
  put_fd(out, kKeeperFd, heritage.keeper_fd);
  if (heritage.former) out.put(kFormer, former(*heritage.former));
  for (const auto& failures : heritage.failures) out.put(kFailures, encode_failures(failures));
  return {out.bytes(), std::move(fds_)};
}

// Reads one level of records into what they stand for. The first error is kept, later ones are not
// of interest.
class Decoder {
 public:
  explicit Decoder(const std::vector<int>& fds) : fds_(fds) {}
  Result<MasterHeritage> decode(std::string_view bytes);

 private:
  template <class OnRecord>
  void each(std::string_view bytes, OnRecord on_record);
  std::uint64_t number(const TlvRecord& record);
  int fd(const TlvRecord& record);
  void unknown(const TlvRecord& record);
  void top(MasterHeritage& heritage, const TlvRecord& record);
  MasterHeritage::Group group(std::string_view bytes);
  MasterHeritage::Member member(std::string_view bytes);
  MasterHeritage::Zone zone(std::string_view bytes);
  PredecessorHeritage predecessor(std::string_view bytes);
  MasterHeritage::Place place(std::string_view bytes);
  MasterHeritage::Module module(std::string_view bytes);
  MasterHeritage::Former former(std::string_view bytes);
  MasterHeritage::Failures failures(std::string_view bytes);

  const std::vector<int>& fds_;
  std::string error_;
};

template <class OnRecord>
void Decoder::each(std::string_view bytes, OnRecord on_record) {
  const auto records = parse_tlv(bytes);
  if (!records.ok()) {
    if (error_.empty()) error_ = records.error().message();
    return;
  }
  for (const TlvRecord& record : records.value()) on_record(record);
}

std::uint64_t Decoder::number(const TlvRecord& record) {
  const auto value = record.number();
  if (value.ok()) return value.value();
  if (error_.empty()) error_ = value.error().message();
  return 0;
}

int Decoder::fd(const TlvRecord& record) {
  const std::uint64_t index = number(record);
  if (index < fds_.size()) return fds_[index];
  if (error_.empty()) error_ = fmt::format("descriptor {} has not come along", index);
  return -1;
}

void Decoder::unknown(const TlvRecord& record) {
  if ((record.type & kTlvRequired) == 0 || !error_.empty()) return;
  error_ = fmt::format("it asks for record {}, which this version does not know", record.type);
}

MasterHeritage::Member Decoder::member(std::string_view bytes) {
  MasterHeritage::Member member;
  each(bytes, [&](const TlvRecord& record) {
    if (record.type == kId) return void(member.id = static_cast<std::uint32_t>(number(record)));
    if (record.type == kFd) return void(member.fd = fd(record));
    if (record.type == kLent) return void(member.is_lent = number(record) != 0);
    unknown(record);
  });
  return member;
}

MasterHeritage::Group Decoder::group(std::string_view bytes) {
  MasterHeritage::Group group;
  each(bytes, [&](const TlvRecord& record) {
    if (record.type == kText) return void(group.address = record.value);
    if (record.type == kActive) return void(group.active = static_cast<int>(number(record)));
    if (record.type == kSteered) return void(group.is_steered = number(record) != 0);
    if (record.type == kMember) return void(group.members.push_back(member(record.value)));
    unknown(record);
  });
  return group;
}

MasterHeritage::Zone Decoder::zone(std::string_view bytes) {
  MasterHeritage::Zone zone;
  each(bytes, [&](const TlvRecord& record) {
    if (record.type == kText) return void(zone.name = record.value);
    if (record.type == kSize)
      return void(zone.size_bytes = static_cast<std::int64_t>(number(record)));
    if (record.type == kFd) return void(zone.fd = fd(record));
    unknown(record);
  });
  return zone;
}

PredecessorHeritage Decoder::predecessor(std::string_view bytes) {
  PredecessorHeritage predecessor;
  each(bytes, [&](const TlvRecord& record) {
    if (record.type == kPid) return void(predecessor.pid = static_cast<pid_t>(number(record)));
    if (record.type == kFd) return void(predecessor.scoreboard_fd = fd(record));
    if (record.type == kMetricsFd) return void(predecessor.metrics_fd = fd(record));
    unknown(record);
  });
  return predecessor;
}

MasterHeritage::Place Decoder::place(std::string_view bytes) {
  MasterHeritage::Place place;
  each(bytes, [&](const TlvRecord& record) {
    if (record.type == kText) return void(place.path = record.value);
    if (record.type == kFd) return void(place.fd = fd(record));
    unknown(record);
  });
  return place;
}

MasterHeritage::Module Decoder::module(std::string_view bytes) {
  MasterHeritage::Module module;
  each(bytes, [&](const TlvRecord& record) {
    if (record.type == kText) return void(module.name = record.value);
    if (record.type == kPath) return void(module.path = record.value);
    if (record.type == kBuildId) return void(module.build_id = record.value);
    if (record.type == kFd) return void(module.fd = fd(record));
    unknown(record);
  });
  return module;
}

MasterHeritage::Former Decoder::former(std::string_view bytes) {
  MasterHeritage::Former former;
  each(bytes, [&](const TlvRecord& record) {
    if (record.type == kId)
      return void(former.generation = static_cast<std::uint32_t>(number(record)));
    if (record.type == kText) return void(former.settings = record.value);
    if (record.type == kModule) return void(former.modules.push_back(module(record.value)));
    unknown(record);
  });
  return former;
}

MasterHeritage::Failures Decoder::failures(std::string_view bytes) {
  MasterHeritage::Failures failures;
  each(bytes, [&](const TlvRecord& record) {
    if (record.type == kModule) return void(failures.module = record.value);
    if (record.type == kValue) return void(failures.crashes = number(record));
    if (record.type == kHangs) return void(failures.hangs = number(record));
    unknown(record);
  });
  return failures;
}

void Decoder::top(MasterHeritage& heritage, const TlvRecord& record) {
  switch (record.type) {
    case kVersion:
      return void(heritage.version = record.value);
    case kGeneration:
      return void(heritage.generation = static_cast<std::uint32_t>(number(record)));
    case kGroup:
      return heritage.groups.push_back(group(record.value));
    case kZone:
      return heritage.zones.push_back(zone(record.value));
    case kPredecessor:
      return heritage.predecessors.push_back(predecessor(record.value));
    case kControl:
      return void(heritage.control = place(record.value));
    case kPidFile:
      return void(heritage.pid_file = place(record.value));
    case kWatchdogUs:
      return void(heritage.watchdog_us = number(record));
    case kIsKeeper:
      return void(heritage.is_keeper = number(record) != 0);
    case kKeeperFd:
      return void(heritage.keeper_fd = fd(record));
    case kFormer:
      return void(heritage.former = former(record.value));
    case kFailures:
      return heritage.failures.push_back(failures(record.value));
    default:
      return unknown(record);
  }
}

Result<MasterHeritage> Decoder::decode(std::string_view bytes) {
  MasterHeritage heritage;
  each(bytes, [&](const TlvRecord& record) { top(heritage, record); });
  if (!error_.empty()) return Error("the heritage cannot be read: " + error_);
  return heritage;
}

}  // namespace

EncodedHeritage encode_heritage(const MasterHeritage& heritage) {
  return Encoder().encode(heritage);
}

Result<MasterHeritage> decode_heritage(std::string_view bytes, const std::vector<int>& fds) {
  return Decoder(fds).decode(bytes);
}

}  // namespace drover
