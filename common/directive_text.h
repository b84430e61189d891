// Small things that configuration messages and value parsers need: quoting, words, "did you mean".
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace drover {

// In double quotes, everything but printable ASCII as \xNN, cut after 80 bytes: safe on any
// terminal and in any log.
[[nodiscard]] std::string quote(std::string_view text);

// The words between runs of spaces and tabs.
[[nodiscard]] std::vector<std::string> split_words(std::string_view text);

// "a, b or c"
[[nodiscard]] std::string join_choices(const std::vector<std::string>& words);

// Letters, digits, - and _, at least one.
[[nodiscard]] bool is_plain_name(std::string_view name);

// The candidate that `word` is most likely a misspelling of, or empty when none is near enough.
[[nodiscard]] std::string closest(std::string_view word,
                                  const std::vector<std::string>& candidates);

// What is said of a directive that is none of the `known` ones, "did you mean" included; `prefix`
// stands before each of them, and not before `name`.
[[nodiscard]] std::string unknown_directive(std::string_view name,
                                            const std::vector<std::string>& known,
                                            const std::string& prefix = "");

}  // namespace drover
