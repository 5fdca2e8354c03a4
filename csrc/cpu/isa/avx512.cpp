// AVX-512 (F, DQ, BW, VL): server and desktop processors from 2017 (Intel) and 2022 (AMD) on.
#include "headers.h"

#if defined(__x86_64__)
#if defined(__clang__)
#pragma clang attribute push( \
    __attribute__((target("avx512f,avx512dq,avx512bw,avx512vl,avx2,fma"))), apply_to = function)
#else
#pragma GCC target("avx512f,avx512dq,avx512bw,avx512vl,avx2,fma")
#endif
#define MBPO_ISA avx512
#define MBPO_BYTES 64
#define MBPO_ROWS 12
#include "table.h"
#if defined(__clang__)
#pragma clang attribute pop
#endif
#endif
