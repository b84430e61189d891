// What the parts of the cmocka layer share. Private to it.
//
// A C test is left by longjmp, so nothing of C++ may be alive between it and leave(): a complaint
// is made, told and gone before.
#pragma once

#include <cstddef>
#include <string>

#include "cmocka.h"

namespace drover::cmocka {

struct Place {
  const char* file;
  int line;
};

[[nodiscard]] std::string at(Place place);  // "test.c:12"

// Tells GoogleTest of a failure, if there is a complaint: then the answer is true.
bool told(Place place, const std::string& complaint);
// Leaves the C function that runs, as in: if (told(place, complaint())) leave();
[[noreturn]] void leave();

// What a value is compared with, for assertions and for what mocks are called with. Each gives a
// complaint, empty when it holds; `wanted` says whether it has to be so, or must not be.
std::string complain_integers(bool wanted, LargestIntegralType a, LargestIntegralType b);
std::string complain_strings(bool wanted, const char* a, const char* b);
std::string complain_memory(bool wanted, const void* a, const void* b, std::size_t size);
std::string complain_range(bool wanted, LargestIntegralType value, LargestIntegralType minimum,
                           LargestIntegralType maximum);
std::string complain_set(bool wanted, LargestIntegralType value, const LargestIntegralType* values,
                         std::size_t count);

// What mocks were told is forgotten. True: nothing was left of it; else that is recorded.
bool is_nothing_left();
void forget_mocks();

// Memory that was allocated after the mark and not given back is recorded, or only freed.
std::size_t memory_mark();
bool is_no_memory_left(std::size_t mark);
void free_memory(std::size_t mark);

}  // namespace drover::cmocka
