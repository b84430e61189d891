// Temporary folders and whole-file reading and writing.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace drover::test {

// A fresh folder under /tmp, readable by every user (tests act as `nobody`); removed with all it
// holds.
class TempDir {
 public:
  TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  ~TempDir();

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  [[nodiscard]] std::string file(std::string_view name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

// Empty when the file cannot be read: files in /proc disappear with their process.
[[nodiscard]] std::string read_file(const std::filesystem::path& path);
void write_file(const std::filesystem::path& path, std::string_view text);

// Every "{name}" in the text becomes the value.
[[nodiscard]] std::string replace_all(std::string text, std::string_view name,
                                      std::string_view value);

}  // namespace drover::test
