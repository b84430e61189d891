#include "modules/mux/wire/yamux.h"

#include <gtest/gtest.h>

#include "modules/mux/wire/frame_reader.h"

namespace mux::yamux {
namespace {

using namespace std::string_literals;

struct Row {
  const char* name;
  Head head;
  std::string bytes;
};

class YamuxHead : public ::testing::TestWithParam<Row> {};

TEST_P(YamuxHead, LiesAsTheGoLibraryWritesIt) {
  std::string bytes;
  append_head(bytes, GetParam().head);
  EXPECT_EQ(bytes, GetParam().bytes);
  EXPECT_EQ(head_at(bytes), GetParam().head);
}

// The first four were captured from hashicorp/yamux.
INSTANTIATE_TEST_SUITE_P(
    Table, YamuxHead,
    ::testing::Values(
        Row{"Open",
            {.type = Type::kWindowUpdate, .flags = kSyn, .id = 1},
            "\0\1\0\1\0\0\0\1\0\0\0\0"s},
        Row{"Data", {.type = Type::kData, .id = 1, .length = 5}, "\0\0\0\0\0\0\0\1\0\0\0\5"s},
        Row{"OpenWithFourMebibytes",
            {.type = Type::kWindowUpdate, .flags = kSyn, .id = 1, .length = 0x3c0000},
            "\0\1\0\1\0\0\0\1\0\x3c\0\0"s},
        Row{"Ping", {.type = Type::kPing, .flags = kSyn}, "\0\2\0\1\0\0\0\0\0\0\0\0"s},
        Row{"AllBytes",
            {.version = 0xff,
             .type = Type{0xfe},
             .flags = 0x1234,
             .id = 0x89abcdef,
             .length = 0xfedcba98},
            "\xff\xfe\x12\x34\x89\xab\xcd\xef\xfe\xdc\xba\x98"s}),
    [](const auto& row) { return row.param.name; });

struct Collector {
  std::uint32_t on_head(std::string_view head) {
    said += "[" + std::string{head} + "]";
    return static_cast<std::uint32_t>(head[1] - '0');
  }
  void on_body(std::string_view part, bool is_last) {
    said += std::string{part} + (is_last ? "." : "");
  }
  [[nodiscard]] bool goes_on() const { return said.find("[x") == std::string::npos; }
  std::string said;
};

TEST(FrameReader, SaysTheSameWhereverTheInputIsCut) {
  const std::string_view bytes = "a3bcdd0e1f";
  for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
    wire::FrameReader<2> reader;
    Collector collector;
    reader.read(bytes.substr(0, cut), collector);
    reader.read(bytes.substr(cut), collector);
    std::erase(collector.said, '.');
    EXPECT_EQ(collector.said, "[a3]bcd[d0][e1]f") << "cut at " << cut;
  }
}

TEST(FrameReader, PassesABodyOnAsItComesAndMarksTheLast) {
  wire::FrameReader<2> reader;
  Collector collector;
  reader.read("a3b", collector);
  EXPECT_EQ(collector.said, "[a3]b");
  reader.read("cd", collector);
  EXPECT_EQ(collector.said, "[a3]bcd.");
}

TEST(FrameReader, StopsWhenItsHandlerDoes) {
  wire::FrameReader<2> reader;
  Collector collector;
  reader.read("x0a1b", collector);
  EXPECT_EQ(collector.said, "[x0]");
}

}  // namespace
}  // namespace mux::yamux
