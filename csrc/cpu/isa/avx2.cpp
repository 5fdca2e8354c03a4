// AVX2 and FMA: x86-64 processors from 2013 (Intel) and 2015 (AMD) on.
#include "headers.h"

#if defined(__x86_64__)
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC target("avx2,fma")
#endif
#define MBPO_ISA avx2
#define MBPO_BYTES 32
#define MBPO_ROWS 6
#include "table.h"
#if defined(__clang__)
#pragma clang attribute pop
#endif
#endif
