#include "modules/kvs/kv1/frame.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "modules/kvs/kv1/meta.h"

namespace kvs::kv1 {
namespace {

using Side = FrameReader::Side;

constexpr FrameReader::Limits kSmall{.key_bytes = 8, .value_bytes = 16};

struct Seen {
  std::uint8_t type;
  std::uint32_t rid;
  std::string key;
  std::string value;
  FrameFault fault;
  bool operator==(const Seen&) const = default;
};

void read(FrameReader& reader, std::string_view bytes, std::vector<Seen>& seen) {
  while (const auto received = reader.next(bytes)) {
    const Frame& frame = received->frame;
    seen.push_back(
        {frame.type, frame.rid, std::string(frame.key), std::string(frame.value), received->fault});
  }
}

std::vector<Seen> read_all(const std::string& bytes, FrameReader::Limits limits = kSmall) {
  FrameReader reader(Side::kRequests, limits);
  std::vector<Seen> seen;
  read(reader, bytes, seen);
  return seen;
}

std::string frame(std::uint8_t type, std::uint32_t rid, std::string_view key,
                  std::string_view value) {
  std::string out;
  append_frame(out, {type, rid, key, value});
  return out;
}

// Every kind of frame that does not end the connection.
std::string a_bit_of_everything() {
  return frame(kPing, 1, "", "") + frame(kSet, 0x01020304, "key", "value") +
         frame(kGet, 2, std::string("\0\xff", 2), "") + frame(kSet, 3, "12345678", "") +
         frame(kSet, 4, "123456789", "too long a key") + frame(kSet, 5, "k", std::string(17, 'v')) +
         frame(kSet, 6, "", std::string(16, 'v')) + frame(0x7f, 7, "what", "is this") +
         frame(kSet, 8, std::string(100, 'k'), std::string(64, 'v')) + frame(kPing, 9, "", "end");
}

TEST(Kv1Frame, IsReadAsItWasWritten) {
  EXPECT_EQ(frame(kSet, 0x01020304, "key", "v"),
            std::string("\x06\x01\x02\x03\x04\x00\x03key\x00\x00\x00\x01v", 15));
  EXPECT_EQ(read_all(a_bit_of_everything()),
            (std::vector<Seen>{
                {kPing, 1, "", "", FrameFault::kNone},
                {kSet, 0x01020304, "key", "value", FrameFault::kNone},
                {kGet, 2, std::string("\0\xff", 2), "", FrameFault::kNone},
                {kSet, 3, "12345678", "", FrameFault::kNone},
                {kSet, 4, "", "", FrameFault::kKeyTooLong},
                {kSet, 5, "k", "", FrameFault::kValueTooLong},
                {kSet, 6, "", std::string(16, 'v'), FrameFault::kNone},
                {0x7f, 7, "what", "is this", FrameFault::kNone},
                {kSet, 8, "", "", FrameFault::kKeyTooLong},
                {kPing, 9, "", "end", FrameFault::kNone},
            }));
}

// Each piece lies in memory of its own, so that a view into one that has gone is seen by a
// sanitizer.
TEST(Kv1Frame, IsTheSameForEverySplitInThree) {
  const std::string whole = a_bit_of_everything();
  const std::vector<Seen> expected = read_all(whole);
  for (std::size_t first = 0; first <= whole.size(); ++first) {
    for (std::size_t second = first; second <= whole.size(); ++second) {
      FrameReader reader(Side::kRequests, kSmall);
      std::vector<Seen> seen;
      read(reader, std::string(whole, 0, first), seen);
      read(reader, std::string(whole, first, second - first), seen);
      read(reader, std::string(whole, second), seen);
      ASSERT_EQ(seen, expected) << first << ' ' << second;
      ASSERT_FALSE(reader.is_inside_frame());
    }
  }
}

TEST(Kv1Frame, IsTheSameByteByByte) {
  FrameReader reader(Side::kRequests, kSmall);
  std::vector<Seen> seen;
  for (const char byte : a_bit_of_everything()) read(reader, std::string(1, byte), seen);
  EXPECT_EQ(seen, read_all(a_bit_of_everything()));
}

TEST(Kv1Frame, OfTheOtherDirectionEndsTheReading) {
  for (const int type : {0x00, 0x80, 0xff}) {
    const auto seen =
        read_all(frame(static_cast<std::uint8_t>(type), 7, "k", "v") + frame(kPing, 8, "", ""));
    ASSERT_EQ(seen.size(), 1U);
    EXPECT_EQ(seen[0].rid, 7U);
    EXPECT_EQ(seen[0].fault, FrameFault::kBadType);
  }
}

TEST(Kv1Frame, OfAnAnswerIsForTheClientOnly) {
  FrameReader reader(Side::kAnswers, kSmall);
  std::vector<Seen> seen;
  read(reader, frame(kOk, 1, "k", "v") + frame(kGet, 2, "k", ""), seen);
  ASSERT_EQ(seen.size(), 2U);
  EXPECT_EQ(seen[0].fault, FrameFault::kNone);
  EXPECT_EQ(seen[1].fault, FrameFault::kBadType);
  EXPECT_TRUE(reader.is_broken());
}

TEST(Kv1Frame, WithAValueFourTimesTooLongIsNotWaitedFor) {
  const std::string at_the_limit = frame(kSet, 1, "k", std::string(64, 'v'));
  EXPECT_EQ(read_all(at_the_limit)[0].fault, FrameFault::kValueTooLong);

  const std::string beyond = frame(kSet, 2, "k", std::string(65, 'v'));
  const auto seen = read_all(beyond.substr(0, kHeadBytes + 1 + kValueLengthBytes));

  ASSERT_EQ(seen.size(), 1U) << "before any of it has come";
  EXPECT_EQ(seen[0].fault, FrameFault::kHopelessValue);
  EXPECT_EQ(seen[0].key, "k");
}

TEST(Kv1Frame, KnowsWhetherTheEndCutsOne) {
  const std::string whole = frame(kSet, 1, "key", "value");
  for (std::size_t size = 1; size < whole.size(); ++size) {
    FrameReader reader(Side::kRequests, kSmall);
    std::vector<Seen> seen;
    read(reader, whole.substr(0, size), seen);
    EXPECT_TRUE(reader.is_inside_frame()) << size;
  }
}

TEST(Kv1Frame, HoldsWhatHasComeAndNotWhatWasAnnounced) {
  FrameReader reader(Side::kRequests, {.key_bytes = 8, .value_bytes = kLongestValue});
  std::string head = frame(kSet, 1, "key", "");
  head.replace(head.size() - 4, 4, "\x04\x00\x00\x00", 4);  // 64 MiB
  std::vector<Seen> seen;

  read(reader, head, seen);
  EXPECT_EQ(reader.held_bytes(), 3U);
  read(reader, std::string(1'000, 'v'), seen);

  EXPECT_EQ(reader.held_bytes(), 1'003U);
  EXPECT_TRUE(seen.empty());
}

TEST(Kv1Frame, ThatWasLargeLeavesNoMemoryTaken) {
  FrameReader reader(Side::kRequests, {});
  const std::string whole = frame(kSet, 1, "key", std::string(500'000, 'v'));
  std::vector<Seen> seen;
  read(reader, whole.substr(0, 250'000), seen);
  read(reader, whole.substr(250'000), seen);
  EXPECT_EQ(seen.size(), 1U);
  EXPECT_LT(reader.reserved_bytes(), 5'000U);
}

TEST(Kv1Frame, ThatComesInPiecesTakesNoMoreMemoryThanItsSize) {
  FrameReader reader(Side::kRequests, {});
  const std::string whole = frame(kSet, 1, "key", std::string(600'000, 'v'));
  std::vector<Seen> seen;
  for (std::size_t at = 0; at < 599'000; at += 1'000) read(reader, whole.substr(at, 1'000), seen);
  EXPECT_LT(reader.reserved_bytes(), 600'100U);
  EXPECT_TRUE(seen.empty());
}

TEST(Kv1Frame, OfOnePieceIsNotCopied) {
  FrameReader reader(Side::kRequests, {});
  const std::string whole = frame(kSet, 1, "key", "value");
  std::string_view bytes = whole;

  const auto received = reader.next(bytes);

  ASSERT_TRUE(received);
  EXPECT_EQ(received->frame.key.data(), whole.data() + kHeadBytes);
  EXPECT_EQ(reader.held_bytes(), 0U);
}

TEST(Kv1Meta, IsReadAsItWasWritten) {
  std::string out;
  append_meta(out, {.flags = 1, .ttl_ms = 2, .cas = 0x0102030405060708});
  EXPECT_EQ(out.size(), 24U);
  EXPECT_EQ(out.substr(12, 8), "\x01\x02\x03\x04\x05\x06\x07\x08");

  const std::string with_value = out + "rest";
  const auto parsed = parse_meta(with_value);

  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->meta.flags, 1U);
  EXPECT_EQ(parsed->meta.ttl_ms, 2U);
  EXPECT_EQ(parsed->meta.cas, 0x0102030405060708U);
  EXPECT_EQ(parsed->value, "rest");
}

TEST(Kv1Meta, IsRefusedWhenItIsCutOrFromTheFuture) {
  std::string out;
  append_meta(out, {});
  EXPECT_FALSE(parse_meta(out.substr(1)));
  out[23] = 1;
  EXPECT_FALSE(parse_meta(out));
}

}  // namespace
}  // namespace kvs::kv1
