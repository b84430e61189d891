// A small file that is whole at every moment: replaced by rename, after what is new has reached the
// disk.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

class WholeFile {
 public:
  explicit WholeFile(std::string_view path)
      : path_(path), temporary_(path_ + ".new." + std::to_string(getpid())) {}

  [[nodiscard]] bool may_be_written() const {
    return access(std::filesystem::path(path_).parent_path().c_str(), W_OK) == 0;
  }
  [[nodiscard]] std::string text() const {
    std::ifstream in(path_);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  // Does nothing more when something fails: the next try is due soon.
  void replace(const std::string& text) {
    remove_leftovers();
    const int fd = open(temporary_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0) return;
    const bool is_whole = ::write(fd, text.data(), text.size()) == ssize_t(text.size());
    const bool is_on_disk = is_whole && fsync(fd) == 0;
    ::close(fd);
    if (is_on_disk && std::rename(temporary_.c_str(), path_.c_str()) == 0) sync_folder();
  }

 private:
  // Of those who were killed in the middle; a name with a pid in it, so that nobody else writes to
  // what is about to be renamed.
  void remove_leftovers() {
    if (std::exchange(is_clean_, true)) return;
    const std::filesystem::path path(path_);
    std::error_code ignored;
    for (const auto& entry : std::filesystem::directory_iterator(path.parent_path(), ignored)) {
      if (entry.path().string().starts_with(path_ + ".new.")) remove(entry.path(), ignored);
    }
  }
  void sync_folder() const {
    const int fd = open(std::filesystem::path(path_).parent_path().c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return;
    fsync(fd);
    ::close(fd);
  }

  std::string path_;
  std::string temporary_;
  bool is_clean_ = false;
};

inline void wait_a_moment() { std::this_thread::sleep_for(std::chrono::milliseconds(20)); }
