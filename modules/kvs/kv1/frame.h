// KV1's frame, the same in both directions; numbers are big-endian:
//
//   TYPE u8 | RID u32 | KEYLEN u16 | KEY[KEYLEN] | VALLEN u32 | VAL[VALLEN]
//
// The reader is a codec and nothing else: bytes in, frames out, no I/O. It keeps its place between
// reads and looks at no byte twice, and however the bytes are split the frames are the same.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace kvs::kv1 {

// TYPE from a client. Never renumbered.
enum Request : std::uint8_t {
  kPing = 0x01,
  kHello = 0x02,
  kAuth = 0x03,
  kGet = 0x04,
  kLpm = 0x05,
  kSet = 0x06,
  kAdd = 0x07,
  kReplace = 0x08,
  kDel = 0x09,
  kGetMeta = 0x0A,
  kLpmMeta = 0x0B,
  kSetMeta = 0x0C,
  kIncr = 0x0D,
  kAppend = 0x0E,
  kPrepend = 0x0F,
  kTouch = 0x10,
  kMultiGet = 0x11,
  kScan = 0x12,
  kDelPrefix = 0x13,
  kWatch = 0x14,
  kUnwatch = 0x15,
  kStats = 0x16,
  kFlush = 0x17,
  kSnapshot = 0x18,
};

// TYPE from a server: 0x80 and the status. Never renumbered.
enum Status : std::uint8_t {
  kOk = 0x80,
  kNotFound = 0x81,
  kExists = 0x82,     // the cas is another one
  kNotStored = 0x83,  // it is there, or is not
  kPartial = 0x84,    // more frames for this RID follow
  kEvent = 0x85,
  kBadFrame = 0xA0,  // the connection closes
  kUnknownType = 0xA1,
  kKeyLength = 0xA2,
  kValueTooLarge = 0xA3,
  kBadArgument = 0xA4,
  kNoSpace = 0xA5,
  kNotANumber = 0xA6,
  kDenied = 0xA7,
  kBusy = 0xA8,
  kShuttingDown = 0xA9,
  kInternal = 0xAF,
};

inline constexpr std::size_t kHeadBytes = 7;         // TYPE, RID, KEYLEN
inline constexpr std::size_t kValueLengthBytes = 4;  // VALLEN
inline constexpr std::uint32_t kLongestKey = 65'535;
inline constexpr std::uint32_t kLongestValue = 64U << 20;
// A value this many times over the limit is not waited for.
inline constexpr std::uint64_t kDiscardFactor = 4;

struct Frame {
  std::uint8_t type = 0;
  std::uint32_t rid = 0;
  std::string_view key;
  std::string_view value;
};

enum class FrameFault {
  kNone,
  kKeyTooLong,     // the frame was skipped
  kValueTooLong,   // its value was skipped
  kRefused,        // the rest was skipped, because skip_rest() was called
  kHopelessValue,  // far too long: nothing after it can be read
  kBadType,        // not of this direction: nothing after it can be read
};

struct ReceivedFrame {
  Frame frame;
  FrameFault fault = FrameFault::kNone;
};

// A frame at the beginning of bytes that hold all of it, and how long it is. Nothing in it has been
// judged. None: there is more to come.
struct WholeFrame {
  Frame frame;
  std::size_t size_bytes = 0;
};
[[nodiscard]] std::optional<WholeFrame> whole_frame_at(std::string_view bytes);

class FrameReader {
 public:
  enum class Side { kRequests, kAnswers };  // what is read
  struct Limits {
    std::uint32_t key_bytes = 2'048;
    std::uint32_t value_bytes = 1U << 20;
  };

  FrameReader(Side side, Limits limits) : side_(side), limits_(limits) {}

  // Takes bytes off the front until a frame has ended. None: all were taken, and more are needed;
  // or nothing can be read any more. The frame is good until the next call, and as long as the
  // bytes are: what came in one piece is not copied.
  [[nodiscard]] std::optional<ReceivedFrame> next(std::string_view& bytes);

  // The frame that next() gave, good until the next call whatever becomes of the bytes.
  [[nodiscard]] Frame keep();
  // Nothing more is kept of the frame that has not ended; it ends as kRefused.
  void skip_rest();

  // The end of input here cuts a frame in two.
  [[nodiscard]] bool is_inside_frame() const { return step_ != Step::kHead || gathered_ > 0; }
  [[nodiscard]] bool is_broken() const { return step_ == Step::kBroken; }
  // What is kept of a frame that has not ended: never more than came of it.
  [[nodiscard]] std::size_t held_bytes() const { return key_.kept.size() + value_.kept.size(); }
  // Memory for that, which an idle connection has, too.
  [[nodiscard]] std::size_t reserved_bytes() const {
    return key_.kept.capacity() + value_.kept.capacity();
  }
  // What is to be kept of it as far as it has been told, 0 between frames: the client's word, for
  // which nothing has been allocated.
  [[nodiscard]] std::size_t announced_bytes() const {
    return (step_ < Step::kKey || step_ == Step::kBroken ? 0 : key_.wanted()) +
           (step_ == Step::kValue ? value_.wanted() : 0);
  }

 private:
  enum class Step { kHead, kKey, kValueLength, kValue, kBroken };
  struct Field {
    std::uint32_t size = 0;
    std::uint32_t taken = 0;
    bool is_skipped = false;
    std::string kept;  // of one that came in pieces
    std::string_view view;

    void begin(std::uint32_t bytes, bool skip);
    void be(std::string_view whole);
    // True when it is whole.
    bool take(std::string_view& bytes);
    [[nodiscard]] std::size_t wanted() const { return is_skipped ? 0 : size; }
    void make_room(std::size_t more);
    // The bytes of this read go away.
    void hold();
    void skip();
    void release();
  };

  [[nodiscard]] bool take_whole(std::string_view& bytes);
  bool gather(std::string_view& bytes, std::size_t size);
  [[nodiscard]] bool is_type_valid(std::uint8_t type) const {
    return side_ == Side::kRequests ? type > 0 && type < 0x80 : type >= 0x80;
  }
  [[nodiscard]] std::uint32_t longest_value() const;
  void begin_value();
  bool advance(std::string_view& bytes);
  [[nodiscard]] ReceivedFrame finish();

  Side side_;
  Limits limits_;
  Step step_ = Step::kHead;
  bool has_ended_ = false;  // the frame was given away: its fields may go
  std::array<char, kHeadBytes> gathered_bytes_{};
  std::size_t gathered_ = 0;
  std::uint8_t type_ = 0;
  std::uint32_t rid_ = 0;
  Field key_;
  Field value_;
  FrameFault fault_ = FrameFault::kNone;
};

void append_frame(std::string& out, const Frame& frame);
// All before the value, of which so many bytes follow.
void append_head(std::string& out, const Frame& frame, std::size_t value_bytes);

}  // namespace kvs::kv1
