// The command line of the bench programs: positional numbers, so that the script stays a page.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

namespace drover::bench {

// argv[1..] as text; ends the program with the usage line when there are fewer than `least`.
inline std::vector<std::string> arguments(int argc, char** argv, int least, const char* usage) {
  if (argc - 1 < least) {
    std::fprintf(stderr, "usage: %s %s\n", argv[0], usage);
    std::exit(2);
  }
  return {argv + 1, argv + argc};
}

// Sources 127.0.0.2 .. 127.0.0.9 in turn: more than 14,000 connections from one address make
// connect() slow.
inline std::string source(long index) { return "127.0.0." + std::to_string(2 + index % 8); }

}  // namespace drover::bench
