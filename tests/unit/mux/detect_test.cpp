// The rule by which a client's protocol is told, on openings as the clients send them.
#include "modules/mux/detect.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

namespace mux {
namespace {

// "00 01 0001" to bytes.
std::string bytes_of(std::string_view hex) {
  std::string bytes;
  int high = -1;
  for (const char c : hex) {
    if (c == ' ') continue;
    const int digit = c <= '9' ? c - '0' : c - 'a' + 10;
    if (high >= 0) bytes += static_cast<char>(high * 16 + digit);
    high = high >= 0 ? -1 : digit;
  }
  return bytes;
}

struct Row {
  const char* name;
  const char* hex;
  Detection at_once;
  Detection late;
};

class Detect : public ::testing::TestWithParam<Row> {};

TEST_P(Detect, SaysWhatTheFirstBytesAre) {
  EXPECT_EQ(detect(bytes_of(GetParam().hex)), GetParam().at_once);
  EXPECT_EQ(detect_late(bytes_of(GetParam().hex)), GetParam().late);
}

constexpr auto kSmux = Detection::kSmux;
constexpr auto kXsmux1 = Detection::kXsmux1;
constexpr auto kXsmux2 = Detection::kXsmux2;
constexpr auto kYamux = Detection::kYamux;
constexpr auto kNone = Detection::kNone;
constexpr auto kMore = Detection::kMore;
constexpr auto kMoreSoon = Detection::kMoreSoon;

INSTANTIATE_TEST_SUITE_P(
    Openings, Detect,
    ::testing::Values(
        Row{"Nothing", "", kMore, kMore}, Row{"OneZero", "00", kMore, kMore},
        Row{"SmuxOfFive", "0005 00 01 00000001 68 65 6c 6c 6f", kSmux, kSmux},
        Row{"SmuxWithoutItsBody", "0005 00 01 00000001", kSmux, kSmux},
        Row{"SmuxOfSevenBytesIsNotTold", "0005 00 01 000000", kMore, kMore},
        Row{"SmuxFullFrame", "4000 00 00 00000001 6161", kSmux, kSmux},
        Row{"SmuxBeyondAFullFrame", "4001 00 00 00000001", kNone, kNone},
        Row{"SmuxLike256", "0100 00 01 00000001 61", kSmux, kSmux},
        Row{"SmuxLikeXsmux256", "0100 00 00 00000001 61", kSmux, kSmux},
        Row{"SmuxLikeXsmux512", "0200 00 00 00000001 61", kSmux, kSmux},
        Row{"SmuxLikeXsmux259", "0103 00 00 00000001 61", kSmux, kSmux},
        Row{"SmuxLikeXsmux515", "0203 00 00 00000003 61", kSmux, kSmux},
        Row{"SmuxOfTwoLikeAPing", "0002 00 01 00000001 6161", kSmux, kSmux},
        Row{"SmuxOfThreeLikeAGoAway", "0003 00 00 00000001 616161", kSmux, kSmux},
        Row{"SmuxOfOneByteInParts", "0001 00 00 00000001 61", kSmux, kSmux},
        Row{"SmuxFlag2", "0005 00 02 00000001", kNone, kNone},
        Row{"SmuxType1", "0005 01 01 00000001", kNone, kNone},
        Row{"SmuxEvenNumber", "0005 00 01 00000002", kNone, kNone},
        Row{"SmuxHighNumber", "0005 00 01 01000001", kNone, kNone},
        Row{"Xsmux1", "01 00 0000 03000000 01 02 0500 03000000", kXsmux1, kXsmux1},
        Row{"Xsmux2", "02 00 0000 03000000", kXsmux2, kXsmux2},
        Row{"Xsmux1Nop", "01 03 0000 00000000", kXsmux1, kXsmux1},
        Row{"Xsmux2Nop", "02 03 0000 00000000", kXsmux2, kXsmux2},
        Row{"Xsmux3", "03 03 0000 00000000", kNone, kNone},
        Row{"XsmuxOfSevenBytesIsNotTold", "01 00 0000 030000", kMore, kMore},
        Row{"XsmuxEvenNumber", "01 00 0000 02000000", kNone, kNone},
        Row{"XsmuxData", "01 02 0500 03000000", kNone, kNone},
        Row{"Yamux", "00 01 0001 00000001 00000000", kYamux, kYamux},
        Row{"YamuxPing", "00 02 0001 00000000 00000000", kYamux, kYamux},
        Row{"YamuxGoAway", "00 03 0000 00000000 00000000", kYamux, kYamux},
        Row{"YamuxDataWithSyn", "00 00 0001 00000001 00000005", kYamux, kYamux},
        Row{"YamuxSynAndFin", "00 01 0005 00000001 00000000", kYamux, kYamux},
        Row{"YamuxDataWithoutSyn", "00 00 0000 00000001 00000005", kNone, kNone},
        Row{"YamuxAnsweredPing", "00 02 0002 00000000 00000000", kNone, kNone},
        Row{"YamuxOf4MiB", "00 01 0001 00000001 003c0000", kMoreSoon, kYamux},
        Row{"YamuxOf4MiBAndData", "00 01 0001 00000001 003c0000 00 00 0000 00000001 00000005",
            kYamux, kYamux},
        Row{"YamuxOfAnOddWindow", "00 01 0001 00000001 00000001", kYamux, kYamux},
        Row{"AmbiguousHead", "0001 00 01 00000001", kMore, kMore},
        Row{"AmbiguousOneByte", "0001 00 01 00000001 61", kMoreSoon, kSmux},
        Row{"AmbiguousOneByteOfZero", "0001 00 01 00000001 00", kMoreSoon, kSmux},
        Row{"AmbiguousOf11", "0001 00 01 00000001 61 0001", kMoreSoon, kSmux},
        Row{"AmbiguousOf16", "0001 00 01 00000001 61 0005 00 01 000000", kMoreSoon, kYamux},
        Row{"TwoSmuxRequests", "0001 00 01 00000001 61 0005 00 01 00000003", kSmux, kSmux},
        Row{"OneByteThenAFullFrame", "0001 00 01 00000001 61 4000 00 00 00000003", kSmux, kSmux},
        Row{"OneByteThenNoFullFrame", "0001 00 01 00000001 61 0005 00 00 00000003", kYamux, kYamux},
        Row{"OneByteThenAnEvenNumber", "0001 00 01 00000001 61 0005 00 01 00000002", kYamux,
            kYamux},
        Row{"Tls", "16 03 01 02", kNone, kNone}, Row{"Http", "47 45 54 20", kNone, kNone},
        Row{"ProxyV1", "50 52 4f 58 59 20", kNone, kNone}, Row{"ProxyV2", "0d 0a 0d", kNone, kNone},
        Row{"High", "ff", kNone, kNone}),
    [](const auto& row) { return std::string(row.param.name); });

// Openings as the client libraries send them, with what they are.
class Generator {
 public:
  struct Opening {
    std::string bytes;
    Detection detection;
  };

  Opening next() {
    switch (below(4)) {
      case 0:
        return {smux(), kSmux};
      case 1:
        return {xsmux(1), kXsmux1};
      case 2:
        return {xsmux(2), kXsmux2};
      default:
        return {yamux(), kYamux};
    }
  }

 private:
  std::size_t below(std::size_t end) { return random_() % end; }
  void append(std::string& out, std::uint32_t number, int size) {
    for (int i = size; i-- > 0;) out += static_cast<char>(number >> (8 * i));
  }
  void append_little(std::string& out, std::uint32_t number, int size) {
    for (int i = 0; i < size; ++i) out += static_cast<char>(number >> (8 * i));
  }
  void append_body(std::string& out, std::size_t size) {
    const auto most = std::min<std::size_t>(size, 40);
    for (std::size_t i = 0; i < most; ++i) out += static_cast<char>(random_());
  }

  // One request, or several at once: each its own stream.
  std::string smux() {
    constexpr std::size_t kSizes[] = {1, 1, 1, 2, 3, 256, 259, 512, 515, 2727, 16384, 20000};
    std::string out;
    for (std::uint32_t id = 1; out.size() < 20 && id < 9; id += 2) {
      const std::size_t size = below(2) == 0 ? kSizes[below(12)] : 1 + below(70'000);
      const bool is_whole = size <= 16'384;
      append(out, static_cast<std::uint32_t>(std::min<std::size_t>(size, 16'384)), 2);
      out += '\0';
      out += is_whole ? '\1' : '\0';
      append(out, id, 4);
      append_body(out, size);
      if (size > 40 || below(3) == 0) break;
    }
    return out;
  }

  std::string xsmux(int version) {
    std::string out;
    const auto frame = [&](int command, std::uint32_t length, std::uint32_t id) {
      out += static_cast<char>(version);
      out += static_cast<char>(command);
      append_little(out, length, 2);
      append_little(out, id, 4);
    };
    if (below(8) == 0) frame(3, 0, 0);
    frame(0, 0, 3);
    const std::size_t size = 1 + below(32'768);
    frame(2, static_cast<std::uint32_t>(size), 3);
    append_body(out, size);
    return out;
  }

  std::string yamux() {
    std::string out;
    const auto frame = [&](int type, int flags, std::uint32_t id, std::uint32_t length) {
      out += '\0';
      out += static_cast<char>(type);
      append(out, static_cast<std::uint32_t>(flags), 2);
      append(out, id, 4);
      append(out, length, 4);
    };
    if (below(8) == 0) frame(2, 1, 0, static_cast<std::uint32_t>(below(3)));
    const auto window = static_cast<std::uint32_t>(below(64) << (12 + below(7)));
    if (below(6) == 0) {
      frame(0, 1, 1, 1 + static_cast<std::uint32_t>(below(9'000)));
    } else {
      frame(1, 1, 1, below(2) == 0 ? 0 : window);
      if (below(2) == 0) return out;
      const bool is_second = below(4) == 0;
      if (is_second) frame(1, 1, 3, window);
      frame(0, 0, 1, 1 + static_cast<std::uint32_t>(below(200'000)));
    }
    append_body(out, 20);
    return out;
  }

  std::mt19937 random_{20'240'607};
};

bool is_open(Detection detection) { return detection == kMore || detection == kMoreSoon; }

TEST(DetectGenerated, TellsEachOpeningRightWhenAllHasCome) {
  Generator generator;

  for (int i = 0; i < 100'000; ++i) {
    const auto opening = generator.next();
    ASSERT_EQ(detect_late(opening.bytes), opening.detection)
        << ::testing::PrintToString(opening.bytes);
  }
}

TEST(DetectGenerated, NoCutDecidesOtherwiseThanTheWhole) {
  Generator generator;

  for (int i = 0; i < 30'000; ++i) {
    const auto opening = generator.next();
    for (std::size_t size = 0; size <= opening.bytes.size(); ++size) {
      const Detection seen = detect(std::string_view(opening.bytes).substr(0, size));
      ASSERT_TRUE(seen == opening.detection || is_open(seen)) << size;
      ASSERT_TRUE(size < kMostToDetect || !is_open(seen)) << size;
    }
  }
}

TEST(DetectGenerated, NoiseThatIsNotAnOpeningIsRefusedInEightBytes) {
  std::mt19937 random(7);

  for (int i = 0; i < 100'000; ++i) {
    std::string bytes(kMostToDetect, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random() % (i % 2 == 0 ? 4 : 256));
    const Detection whole = detect(bytes);
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      const Detection seen = detect(std::string_view(bytes).substr(0, size));
      ASSERT_TRUE(seen == whole || is_open(seen)) << ::testing::PrintToString(bytes);
      ASSERT_TRUE(size < 8 || whole != kNone || seen == kNone);
    }
  }
}

}  // namespace
}  // namespace mux
