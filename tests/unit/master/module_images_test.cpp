#include "master/module_images.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

namespace drover {
namespace {

TEST(ModuleImages, CopyTheFileIntoMemoryThatNobodyCanChange) {
  auto image = copy_module("echo", std::string(DROVER_BUILD_DIR) + "/modules");
  ASSERT_TRUE(image.ok()) << image.error().message();
  EXPECT_EQ(image->name, "echo");
  EXPECT_EQ(write(image->fd.get(), "x", 1), -1);
  EXPECT_EQ(ftruncate(image->fd.get(), 0), -1);
}

TEST(ModuleImages, KnowTheBuildId) {
  auto image = copy_module("echo", std::string(DROVER_BUILD_DIR) + "/modules");
  ASSERT_TRUE(image.ok());
  EXPECT_EQ(image->build_id.size(), 40U) << image->build_id;
}

TEST(ModuleImages, TakeAPathAsItIs) {
  auto image = copy_module(std::string(DROVER_BUILD_DIR) + "/modules/echo.so", "/nowhere");
  EXPECT_TRUE(image.ok());
}

TEST(ModuleImages, SayWhichFileIsMissing) {
  EXPECT_EQ(copy_module("nothing", "/nowhere").error().message(),
            "/nowhere/nothing.so: No such file or directory");
}

TEST(ModuleImages, RefuseWhatIsNotAFile) {
  EXPECT_EQ(copy_module("/dev/null", "").error().message(), "/dev/null: not a regular file");
}

TEST(ModuleImages, SayWhichLoadLineFailed) {
  Settings settings;
  settings.module_dir = "/nowhere";
  settings.load = {"kvs"};
  EXPECT_EQ(copy_modules(settings).error().message(),
            "load = kvs: /nowhere/kvs.so: No such file or directory");
}

}  // namespace
}  // namespace drover
