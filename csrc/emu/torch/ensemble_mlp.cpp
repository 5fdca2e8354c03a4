#include "../../cuda/ensemble_mlp.cu"
