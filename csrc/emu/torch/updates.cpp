#include "../../cuda/updates.cu"
