// How test modules die when they are asked to.
#pragma once

// Of SIGSEGV at 0x10, an address no process has; behind a volatile so that the compiler keeps the
// store.
inline void crash() {
  volatile int* volatile nowhere = reinterpret_cast<volatile int*>(16);
  *nowhere = 1;
}
