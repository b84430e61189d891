#include "master/build_id.h"

#include <elf.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cstring>
#include <optional>

namespace drover {
namespace {

using namespace std::string_view_literals;

constexpr std::string_view kMagic{ELFMAG, SELFMAG};
constexpr std::string_view kNameOfNote = "GNU\0"sv;

struct Note {
  std::uint32_t type;
  std::string_view name;
  std::string_view description;
};

template <class Struct>
std::optional<Struct> struct_at(std::string_view bytes, std::size_t at) {
  if (at > bytes.size() || bytes.size() - at < sizeof(Struct)) return std::nullopt;
  Struct value;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

constexpr std::size_t padded(std::uint32_t size) {
  return (std::size_t{size} + 3) & ~std::size_t{3};
}

// Takes the first note off; nothing when what is left is none.
std::optional<Note> take_note(std::string_view& notes) {
  const auto header = struct_at<Elf64_Nhdr>(notes, 0);
  if (!header) return std::nullopt;
  const std::size_t description = sizeof *header + padded(header->n_namesz);
  const std::size_t size = description + padded(header->n_descsz);
  if (size > notes.size()) return std::nullopt;
  const Note note{header->n_type, notes.substr(sizeof *header, header->n_namesz),
                  notes.substr(description, header->n_descsz)};
  notes.remove_prefix(size);
  return note;
}

std::string hex(std::string_view bytes) {
  std::string text;
  for (const char c : bytes) text += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return text;
}

std::string build_id_among(std::string_view notes) {
  while (const auto note = take_note(notes)) {
    if (note->type == NT_GNU_BUILD_ID && note->name == kNameOfNote) return hex(note->description);
  }
  return {};
}

// The bytes of a segment of notes, as far as the file has them; empty for any other segment.
std::string_view notes_of(const Elf64_Phdr& segment, std::string_view image) {
  if (segment.p_type != PT_NOTE || segment.p_offset > image.size()) return {};
  return image.substr(segment.p_offset, segment.p_filesz);
}

}  // namespace

std::string build_id_in(std::string_view image) {
  const auto header = struct_at<Elf64_Ehdr>(image, 0);
  if (!header || !image.starts_with(kMagic)) return {};
  for (std::size_t i = 0; i < header->e_phnum; ++i) {
    const auto segment = struct_at<Elf64_Phdr>(image, header->e_phoff + i * sizeof(Elf64_Phdr));
    if (!segment) return {};
    std::string id = build_id_among(notes_of(*segment, image));
    if (!id.empty()) return id;
  }
  return {};
}

std::string build_id_of(int fd) {
  struct stat status {};
  if (fstat(fd, &status) != 0 || status.st_size <= 0) return {};
  const auto size = static_cast<std::size_t>(status.st_size);
  void* memory = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
  if (memory == MAP_FAILED) return {};
  std::string id = build_id_in({static_cast<const char*>(memory), size});
  munmap(memory, size);
  return id;
}

}  // namespace drover
