// Every directive's parser on any text, chosen by the first byte. What is read must print to
// something that is read to the same again.
#include <cstddef>
#include <cstdint>
#include <string>

#include "common/check.h"
#include "common/directives.h"
#include "common/directives_listen.h"

namespace {

template <class Section>
void try_row(const std::vector<drover::Directive<Section>>& table, std::size_t index,
             const std::string& text) {
  const auto& row = table[index % table.size()];
  const drover::ValueContext context{"/", {"fuzz", 1}};
  Section section;
  if (!row.set(section, text, context).ok()) return;
  for (const drover::NamedValue& line : row.get(section)) {
    const auto* same = find_directive(table, line.name);
    DROVER_CHECK(same != nullptr);
    Section again;
    DROVER_CHECK(same->set(again, line.value, context).ok());
    DROVER_CHECK(same->repeats || same->get(again).front().value == line.value);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2 || size > 4096) return 0;
  const std::string text(reinterpret_cast<const char*>(data + 2), size - 2);
  // As the reader does: it never hands out a NUL, control characters or blanks at the ends.
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < ' ') return 0;
  }
  if (text.empty() || text.front() == ' ' || text.back() == ' ') return 0;
  if (data[0] % 3 == 0) try_row(drover::drover_directives(), data[1], text);
  if (data[0] % 3 == 1) try_row(drover::server_directives(), data[1], text);
  if (data[0] % 3 == 2) try_row(drover::zone_directives(), data[1], text);
  return 0;
}
