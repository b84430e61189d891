// A directory of configuration files, removed with the test, and the ways to load it.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "common/config.h"

namespace drover {

// What [server] needs, for tests of something else.
inline constexpr const char* kServer = "[server web]\nprotocol = echo\nlisten = 127.0.0.1:7007\n";

class ConfigFixture : public testing::Test {
 protected:
  ConfigFixture() { directory_ = mkdtemp(name_); }
  ~ConfigFixture() override { std::filesystem::remove_all(directory_); }

  void write(const std::string& name, const std::string& content) const {
    const std::filesystem::path path = std::filesystem::path(directory_) / name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << content;
  }
  [[nodiscard]] ConfigRequest request(std::vector<Override> overrides = {}) const {
    return {"d.conf", directory_, std::move(overrides)};
  }
  // `content` as d.conf, loaded with the directory as prefix, which is cut from the messages.
  ConfigResult load(const std::string& content, std::vector<Override> overrides = {}) {
    write("d.conf", content);
    ConfigResult result = load_config(request(std::move(overrides)));
    for (std::string& error : result.errors) cut_directory(error);
    for (std::string& warning : result.warnings) cut_directory(warning);
    return result;
  }
  void cut_directory(std::string& text) const {
    const std::string directory = directory_ + "/";
    for (std::size_t at = 0; (at = text.find(directory, at)) != std::string::npos;) {
      text.erase(at, directory.size());
    }
  }

  char name_[32] = "/tmp/drover-config-XXXXXX";
  std::string directory_;
};

}  // namespace drover
