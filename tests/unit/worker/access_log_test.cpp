#include "worker/access_log.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <array>

namespace drover {
namespace {

AccessEntry entry() {
  return {
      .time = std::chrono::system_clock::time_point(std::chrono::milliseconds(1'700'000'000'042)),
      .peer = "127.0.0.1:5000",
      .server = "web",
      .bytes_in = 12,
      .bytes_out = 34,
      .duration = std::chrono::milliseconds(56),
      .reason = "peer"};
}

std::string contents(int fd) {
  std::array<char, 4096> buffer{};
  const ssize_t size = pread(fd, buffer.data(), buffer.size(), 0);
  return {buffer.data(), size > 0 ? static_cast<std::size_t>(size) : 0};
}

constexpr const char* kLine =
    "2023-11-14T22:13:20.042Z 127.0.0.1:5000 web in=12 out=34 ms=56 reason=peer";

TEST(AccessLog, FormatsOneLineAConnection) { EXPECT_EQ(format_access_line(entry()), kLine); }

TEST(AccessLog, WritesWhatHasGatheredWhenFlushed) {
  const UniqueFd file(memfd_create("log", 0));
  AccessLog log{UniqueFd(dup(file.get()))};
  ASSERT_TRUE(log.add(entry()).ok());
  EXPECT_EQ(contents(file.get()), "");

  ASSERT_TRUE(log.flush().ok());

  EXPECT_EQ(contents(file.get()), std::string(kLine) + "\n");
}

TEST(AccessLog, WritesByItselfBeforeItGrowsLarge) {
  const UniqueFd file(memfd_create("log", 0));
  AccessLog log{UniqueFd(dup(file.get()))};

  for (int i = 0; i < 1000; ++i) ASSERT_TRUE(log.add(entry()).ok());

  EXPECT_GT(lseek(file.get(), 0, SEEK_END), 32 * 1024);
}

TEST(AccessLog, ReportsAFullDiskAndDropsTheLines) {
  AccessLog log{UniqueFd(open("/dev/full", O_WRONLY))};
  ASSERT_TRUE(log.add(entry()).ok());

  const Status written = log.flush();

  ASSERT_FALSE(written.ok());
  EXPECT_EQ(written.error().message(), "write access_log: No space left on device");
  EXPECT_TRUE(log.flush().ok()) << "the lines are gone";
}

TEST(AccessLog, GoesOnInTheNextFile) {
  const UniqueFd file(memfd_create("log", 0));
  AccessLog log{UniqueFd(open("/dev/null", O_WRONLY))};

  log.replace_fd(UniqueFd(dup(file.get())));
  ASSERT_TRUE(log.add(entry()).ok());
  ASSERT_TRUE(log.flush().ok());

  EXPECT_EQ(contents(file.get()), std::string(kLine) + "\n");
}

}  // namespace
}  // namespace drover
