#include "master/module_list.h"

#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <vector>

#include "master/module_images.h"

namespace drover {
namespace {

std::vector<std::string> shared_objects(const std::string& folder) {
  std::vector<std::string> paths;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    if (entry.path().extension() == ".so") paths.push_back(entry.path().string());
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

int describe_one(const std::string& path, DescribeModule describe) {
  Result<ModuleImage> image = copy_module(path, "");
  Result<std::string> lines =
      image ? describe(image->heritage()) : Result<std::string>(image.error());
  if (lines) {
    fmt::print("{}", *lines);
  } else {
    fmt::print(stderr, "{}\n", lines.error().message());
  }
  return lines ? 0 : 1;
}

// In a process of its own.
bool describe_apart(const std::string& path, DescribeModule describe) {
  std::fflush(nullptr);
  const pid_t pid = fork();
  if (pid == 0) std::exit(describe_one(path, describe));
  int wait_status = 0;
  if (pid < 0 || waitpid(pid, &wait_status, 0) != pid) return false;
  if (WIFSIGNALED(wait_status))
    fmt::print(stderr, "{}: crashed when loaded, signal {}\n", path, WTERMSIG(wait_status));
  return wait_status == 0;
}

}  // namespace

int list_modules(const std::string& folder, DescribeModule describe) {
  bool all_good = true;
  for (const std::string& path : shared_objects(folder))
    all_good = describe_apart(path, describe) && all_good;
  return all_good ? 0 : 1;
}

}  // namespace drover
