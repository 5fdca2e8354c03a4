"""Run E small networks at once: the op, its definition and the module that holds the weights."""

from mbpo.ops.ensemble_mlp import ensemble_mlp
from mbpo.ops.mlp import EnsembleMLP
from mbpo.ops.native import BuildInfo, build_info

__all__ = ["BuildInfo", "EnsembleMLP", "build_info", "ensemble_mlp"]
