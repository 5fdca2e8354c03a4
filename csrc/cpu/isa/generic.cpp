// Vectors of 16 bytes, which every processor has or the compiler imitates: SSE2, NEON, the rest.
#include "headers.h"

#define MBPO_ISA generic
#define MBPO_BYTES 16
#define MBPO_ROWS 4
#include "table.h"
