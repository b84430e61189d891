// Build ids of real shared objects and of files that only look like one.
#include "master/build_id.h"

#include <elf.h>
#include <fcntl.h>
#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <iterator>

#include "common/unique_fd.h"

namespace drover {
namespace {

const std::string kModule = std::string(DROVER_BUILD_DIR) + "/modules/echo.so";

std::string module_bytes() {
  std::ifstream file(kModule, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

template <class Struct>
std::string bytes_of(const Struct& value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

Elf64_Ehdr header_with_segments(unsigned count) {
  Elf64_Ehdr header{};
  std::memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_phoff = sizeof header;
  header.e_phnum = static_cast<Elf64_Half>(count);
  return header;
}

// A file of one segment of notes that holds one note.
std::string file_with(const Elf64_Nhdr& note, const std::string& name_and_description) {
  const std::string notes = bytes_of(note) + name_and_description;
  Elf64_Phdr segment{};
  segment.p_type = PT_NOTE;
  segment.p_offset = sizeof(Elf64_Ehdr) + sizeof segment;
  segment.p_filesz = notes.size();
  return bytes_of(header_with_segments(1)) + bytes_of(segment) + notes;
}

const std::string kNameAndTwoBytes{"GNU\0\xAB\x01\0\0", 8};

TEST(BuildId, OfARealModuleIsTheSameFromItsBytesAndItsFile) {
  const UniqueFd file(open(kModule.c_str(), O_RDONLY | O_CLOEXEC));

  const std::string id = build_id_of(file.get());

  EXPECT_EQ(id.size(), 40U) << id;
  EXPECT_EQ(id.find_first_not_of("0123456789abcdef"), std::string::npos) << id;
  EXPECT_EQ(build_id_in(module_bytes()), id);
}

TEST(BuildId, IsTheDescriptionOfItsNoteInHex) {
  EXPECT_EQ(build_id_in(file_with({4, 2, NT_GNU_BUILD_ID}, kNameAndTwoBytes)), "ab01");
}

// Of a file that was cut off there is the whole id or none.
TEST(BuildId, OfAFileThatIsCutOffIsWholeOrEmpty) {
  const std::string whole = module_bytes();
  const std::string id = build_id_in(whole);
  ASSERT_GT(whole.size(), 2048U);
  for (std::size_t size = 0; size < 2048; ++size) {
    const std::string part = build_id_in(std::string(whole, 0, size));
    EXPECT_TRUE(part.empty() || part == id) << size << ": " << part;
  }
}

struct Malformed {
  const char* name;
  std::string bytes;
};

class BuildIdOfMalformed : public ::testing::TestWithParam<Malformed> {};

TEST_P(BuildIdOfMalformed, IsEmpty) { EXPECT_EQ(build_id_in(GetParam().bytes), ""); }

std::string with_table_at(std::uint64_t offset) {
  Elf64_Ehdr header = header_with_segments(0xFFFF);
  header.e_phoff = offset;
  return bytes_of(header) + std::string(100, '\xFF');
}

std::string with_notes_at(std::uint64_t offset, std::uint64_t size) {
  Elf64_Phdr segment{};
  segment.p_type = PT_NOTE;
  segment.p_offset = offset;
  segment.p_filesz = size;
  return bytes_of(header_with_segments(1)) + bytes_of(segment) + std::string(100, '\xFF');
}

INSTANTIATE_TEST_SUITE_P(
    Files, BuildIdOfMalformed,
    ::testing::Values(
        Malformed{"Empty", ""}, Malformed{"Text", std::string(5000, 'x')},
        Malformed{"NoMagic",
                  file_with({4, 2, NT_GNU_BUILD_ID}, kNameAndTwoBytes).replace(0, 1, "x")},
        Malformed{"SegmentsBeyondTheEnd", with_table_at(1'000'000)},
        Malformed{"SegmentsWhereNumbersEnd", with_table_at(UINT64_MAX - 8)},
        Malformed{"NotesBeyondTheEnd", with_notes_at(1'000'000, 100)},
        Malformed{"NotesLongerThanTheFile", with_notes_at(sizeof(Elf64_Ehdr), UINT64_MAX)},
        Malformed{"ANoteLongerThanItsSegment",
                  file_with({4, UINT32_MAX, NT_GNU_BUILD_ID}, kNameAndTwoBytes)},
        Malformed{"ANameLongerThanItsSegment",
                  file_with({UINT32_MAX, 2, NT_GNU_BUILD_ID}, kNameAndTwoBytes)},
        Malformed{"ANoteOfSomebodyElse",
                  file_with({4, 2, NT_GNU_BUILD_ID}, std::string("XYZ\0\xAB\x01\0\0", 8))},
        Malformed{"ANoteOfAnotherType", file_with({4, 2, NT_GNU_ABI_TAG}, kNameAndTwoBytes)}),
    [](const auto& row) { return row.param.name; });

}  // namespace
}  // namespace drover
