// The zones of all generations. The master owns their descriptors and neither maps nor reads what
// modules keep in them. A zone lives as long as a generation that names it, so workers may crash
// and configurations change over it; a new generation that names it gets the same.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/heritage.h"
#include "common/master_heritage.h"
#include "common/result.h"
#include "common/settings.h"
#include "common/unique_fd.h"
#include "common/zone.h"

namespace drover {

class Zone {
 public:
  Zone(ZoneSettings settings, UniqueFd fd, std::uint64_t unclean_ends = 0)
      : settings_(std::move(settings)), fd_(std::move(fd)), unclean_ends_(unclean_ends) {}
  Zone(const Zone&) = delete;
  Zone& operator=(const Zone&) = delete;

  // What it was made from; a later configuration may have another `preallocate`.
  [[nodiscard]] const ZoneSettings& settings() const { return settings_; }
  [[nodiscard]] ZoneHeritage heritage() const;
  // What its header says now, or what is wrong with it.
  [[nodiscard]] Result<ZoneInfo> info() const {
    return read_zone_header(fd_.get(), settings_.size_bytes);
  }
  // A worker that had it ended otherwise than in order. Before its successor is forked.
  void count_unclean_end();

 private:
  ZoneSettings settings_;
  UniqueFd fd_;
  std::uint64_t unclean_ends_;
};

// What one generation has. A zone is freed with the last of them.
using ZoneSet = std::vector<std::shared_ptr<Zone>>;

class Zones {
 public:
  // The zones that the settings name: those there are, and new ones. An error (a size that is not
  // that of the living zone, no memory) leaves everything as it was.
  [[nodiscard]] Result<ZoneSet> open(const Settings& settings);
  // Before the first open(): zones that a predecessor had. Those that the first configuration does
  // not name are let go by it. `was_unwatched`: workers may have ended badly while nobody counted.
  void inherit(Inheritance& inheritance, bool was_unwatched);
  void let_go_of_inherited() { inherited_.clear(); }
  // Processes whose ends nobody saw had any of them.
  void count_unclean_end();
  // Those that some generation has now.
  [[nodiscard]] std::vector<ZoneHeritage> living() const;
  // Whether open() would refuse the settings because of zones that live; makes none.
  [[nodiscard]] Status check(const Settings& settings) const;

 private:
  std::map<std::string, std::weak_ptr<Zone>> zones_;
  ZoneSet inherited_;
};

}  // namespace drover
