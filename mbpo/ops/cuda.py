"""The compiled operators on a GPU: loaded when first wanted, believed only after a check.

Products round their factors to tf32 where torch may too (``torch.set_float32_matmul_precision``
"high" or "medium"), and are float32's to rounding under torch's default, "highest".
"""

from __future__ import annotations

import importlib
import logging
import os
from collections.abc import Sequence
from functools import cache
from importlib import util
from itertools import pairwise

import torch
from torch import Tensor

from mbpo.ops import fakes, reference

logger = logging.getLogger("mbpo.ops")

WIDEST, MOST_LAYERS = 256, 8  # csrc/cuda/product.cuh, csrc/cuda/network.cuh
TAKES = f"float32 on a GPU with up to {MOST_LAYERS} layers of at most {WIDEST}"
# Of ‖got - want‖ / ‖want‖, outputs and gradients alike, by whether factors are tf32.
TOLERANCE = {False: 5e-5, True: 1e-2}


@cache
def status() -> tuple[bool, str]:
    """Return whether the GPU's operators can be used, and why; the first call loads and checks."""
    reason = _why_not()
    if reason is None:
        fakes.register_cuda("mbpo")
        reason = _why_wrong()
        if reason:
            logger.warning("the op runs in plain torch on the GPU, slower than compiled: %s", reason)
    return (False, reason) if reason else (True, "mbpo/_cuda built, equal to torch on this GPU")


def takes(x: Tensor, weights: Sequence[Tensor]) -> bool:
    """Return whether the compiled operators serve such a call."""
    return (
        x.is_cuda
        and x.dtype == torch.float32
        and len(weights) <= MOST_LAYERS
        and all(max(weight.shape[1:]) <= WIDEST for weight in weights)
        and status()[0]
    )


def fits(dtype: torch.dtype, *networks: Sequence[int]) -> bool:
    """Return whether whole updates of networks of these widths fit what the operators were made for."""
    return dtype == torch.float32 and all(len(sizes) <= MOST_LAYERS + 1 and max(sizes) <= WIDEST for sizes in networks)


def tf32() -> bool:
    """Return whether torch lets float32 products round their factors to tf32."""
    return torch.get_float32_matmul_precision() != "highest"


def _why_not() -> str | None:
    if os.environ.get("MBPO_NO_EXT", "0") not in ("", "0"):
        return "MBPO_NO_EXT=1 is set"
    if util.find_spec("mbpo._cuda") is None:
        return "mbpo._cuda is not built (no nvcc, or FORCE_CUDA=0, at install time)"
    if torch.version.cuda is None:
        return f"torch {torch.__version__} has no CUDA"
    if not torch.cuda.is_available():
        return "no GPU is there"
    try:
        importlib.import_module("mbpo._cuda")
    except (ImportError, OSError) as error:
        return f"mbpo._cuda is built but not importable: {error}"
    return None


def _why_wrong() -> str | None:
    """Compare outputs and gradients of small calls with torch's; return what differs, or None."""
    for routed in (False, True):
        for rounded, most in TOLERANCE.items():
            try:
                error = _error(routed, rounded)
            except RuntimeError as problem:
                return f"its check failed: {str(problem).splitlines()[0]}"
            if not error < most:
                return f"its check failed: off by {error:.1e}, {most:.0e} is allowed"
    return None


def _error(routed: bool, rounded: bool) -> float:
    """Return ‖got - want‖ / ‖want‖ of one call's outputs and gradients, the worst of them."""
    generator = torch.Generator().manual_seed(0)

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    widths = (5, 40, 40, 6)
    x = draw(70, 5) if routed else draw(2, 70, 5)
    member = torch.randint(2, (70,), generator=generator).cuda() if routed else None
    weights = [draw(2, i, j) / i**0.5 for i, j in pairwise(widths)]
    biases = [0.3 * draw(2, j) for j in widths[1:]]
    bounds = [draw(3) - 3, draw(3) + 3]
    exact = [t.cuda().requires_grad_() for t in (x, *weights, *biases, *bounds)]
    wanted = reference.ensemble_mlp(exact[0], exact[1:4], exact[4:7], "silu", (exact[7], exact[8]), member)
    slopes = torch.autograd.grad([y.sum() for y in wanted], exact)
    x, *rest = [t.detach().float() for t in exact]
    weights, biases, bounds = rest[:3], rest[3:6], rest[6:]
    ops = torch.ops.mbpo
    outputs, saved = ops.cuda_mlp_forward(x, weights, biases, bounds, member, 3, True, int(rounded))
    ones = [torch.ones_like(y) for y in outputs]
    gradients = ops.cuda_mlp_backward(ones, x, weights, bounds, member, saved, 3, True, True, rounded)
    pairs = zip([*outputs, *gradients], [*wanted, *slopes], strict=True)
    return max(float((got - want).norm() / want.norm()) for got, want in pairs)
