"""Draw observation and action spaces: those that MBPO takes, and those that it refuses with a word."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, Sequence, Space, Text, Tuple

Rng = np.random.Generator
FLOATS = (np.float16, np.float32, np.float64)
INTEGERS = (np.int8, np.int32, np.int64)
SHAPES = ((), (1,), (3,), (5,), (2, 2), (1, 2, 1), (4, 1))


@dataclass(frozen=True)
class Kind:
    """Name a kind of space; ``refused``: what the error then says, nothing where it is taken."""

    name: str
    make: Callable[[Rng], Space[Any] | None]
    refused: str = ""


def _pick(rng: Rng, choices: Any) -> Any:
    return choices[int(rng.integers(len(choices)))]


def _floats(rng: Rng, low: float = -np.inf, high: float = np.inf, kinds: Any = FLOATS) -> Box:
    return Box(low, high, _pick(rng, SHAPES), _pick(rng, kinds))


def _nested(rng: Rng) -> Dict:
    goal = Box(0.0, 0.0, (2,), np.float64)  # declares nothing that comes
    parts = Tuple([_floats(rng), Dict({"joint": Box(-1, 1, (), np.float32), "none": Box(-1, 1, (0,), np.float32)})])
    return Dict({"parts": parts, "goal": goal, "cell": Discrete(3), "touch": MultiBinary(2)})


OBSERVATIONS = (
    Kind("floats without bounds", _floats),
    Kind("floats in bounds", lambda rng: _floats(rng, -2.0, 3.0)),
    Kind("floats half bounded", lambda rng: _floats(rng, 0.0)),
    Kind("floats declared as 0", lambda rng: _floats(rng, 0.0, 0.0)),
    Kind("integers", lambda rng: Box(-100, 100, _pick(rng, SHAPES), _pick(rng, INTEGERS))),
    Kind("bytes", lambda rng: Box(0, 255, _pick(rng, SHAPES), np.uint8)),
    Kind("truths", lambda rng: Box(0, 1, (3,), np.bool_)),
    Kind("Dict", lambda rng: Dict({"b": _floats(rng), "a": _floats(rng, -1.0, 1.0)})),
    Kind("Tuple", lambda rng: Tuple([_floats(rng), Box(0, 9, (2,), np.int32), MultiDiscrete([2, 3])])),
    Kind("nested", _nested),
    Kind("Dict with Text", lambda rng: Dict({"a": _floats(rng), "b": Text(4)})),
    Kind("Discrete", lambda rng: Discrete(4), "Box observation space"),
    Kind("MultiBinary", lambda rng: MultiBinary(4), "Box observation space"),
    Kind("Text", lambda rng: Text(4), "Box observation space"),
    Kind("Tuple with Sequence", lambda rng: Tuple([Sequence(_floats(rng))]), "Box observation space"),
    Kind("no numbers", lambda rng: Box(-1, 1, (3, 0), np.float32), "at least 1 number"),
    Kind("empty Dict", lambda rng: Dict({}), "at least 1 number"),
    Kind("none at all", lambda rng: None, "Box observation space"),
)


def _between(low: Any, high: Any, dtype: Any = np.float32) -> Callable[[Rng], Box]:
    """Draw a Box of 1 to 3 numbers, or of these bounds where they are lists."""

    def make(rng: Rng) -> Box:
        if isinstance(low, list):
            return Box(np.array(low, dtype), np.array(high, dtype), dtype=dtype)
        return Box(low, high, _pick(rng, ((), (1,), (3,), (2, 2))), dtype)

    return make


LARGEST = float(np.finfo(np.float32).max)
ACTIONS = (
    *(Kind(f"within 1, {kind.__name__}", _between(-1, 1, kind)) for kind in FLOATS),
    Kind("asymmetric", _between([-0.3, 2.0], [0.1, 7.0], np.float64)),
    Kind("of one sign, float16", _between(0.1, 0.7, np.float16)),
    Kind("one fixed", _between([-1.0, 0.5, -2.0], [1.0, 0.5, 2.0])),
    Kind("scales apart", _between([-1e-6, -1.0, -1e6], [1e-6, 1.0, 1e6])),
    Kind("huge", _between(-1e6, 1e6, np.float64)),
    Kind("tiny", _between(0.0, 1e-6)),
    Kind("all of float16", _between(-65504.0, 65504.0, np.float16)),
    Kind("integers", _between(-2, 3, np.int32)),
    Kind("wide integers", _between(-(10**9), 10**9, np.int64)),
    Kind("bytes", _between(0, 255, np.uint8)),
    Kind("truths", _between(0, 1, np.bool_)),
    Kind("Dict", lambda rng: Dict({"grip": Box(0, 1, (), np.float32), "arm": Box(-2, 2, (2, 1), np.float64)})),
    Kind("Tuple", lambda rng: Tuple([Box(-1, 1, (1,), np.float16), Dict({"gear": Box(-1, 1, (1,), np.int8)})])),
    Kind("without bounds", _between(-np.inf, np.inf), "BoundAction"),
    Kind("half without bounds", _between([-1.0, -1.0], [1.0, np.inf]), "BoundAction"),
    Kind("all of float32", _between(-LARGEST, LARGEST), "BoundAction"),
    Kind("all of int64", _between(-(2**62), 2**62, np.int64), "BoundAction"),
    Kind("all fixed", _between(0.5, 0.5), "nothing to choose"),
    Kind("Discrete", lambda rng: Discrete(3), "Box action space"),
    Kind("MultiDiscrete", lambda rng: MultiDiscrete([2, 3]), "Box action space"),
    Kind("MultiBinary", lambda rng: MultiBinary(2), "Box action space"),
    Kind("Dict with Discrete", lambda rng: Dict({"a": Box(-1, 1, (1,)), "b": Discrete(2)}), "Box action space"),
    Kind("no numbers", lambda rng: Box(-1, 1, (0,), np.float32), "nothing to choose"),
    Kind("none at all", lambda rng: None, "Box action space"),
)


@np.errstate(all="ignore")
def filled(space: Any, numbers: Iterator[float]) -> Any:
    """Return an element of ``space`` made from ``numbers`` around 0, in it but where it declares 0 to 0."""
    if isinstance(space, Dict):
        return {key: filled(part, numbers) for key, part in space.spaces.items()}
    if isinstance(space, Tuple):
        return tuple(filled(part, numbers) for part in space.spaces)
    if isinstance(space, Discrete):
        return int(next(numbers) > 0)
    if isinstance(space, MultiDiscrete):
        return np.array([int(next(numbers) > 0) for _ in space.nvec])
    if isinstance(space, MultiBinary):
        return np.array([next(numbers) > 0 for _ in range(space.n)], np.int8)
    if isinstance(space, Text):
        return "ab"
    if not isinstance(space, Box):
        return None
    values = np.array([next(numbers) for _ in range(int(np.prod(space.shape)))]).reshape(space.shape)
    low, high = space.low.astype(float), space.high.astype(float)
    if np.isfinite(high - low).all() and (high > low).all():
        values = low + (high - low) / (1 + np.exp(-values))
    elif np.isfinite(low).all() and not np.isfinite(high).any():
        values = low + np.abs(values)
    return np.asarray(np.rint(values) if space.dtype.kind in "iub" else values).astype(space.dtype)


@np.errstate(all="ignore")
def strength(space: Any, action: Any) -> float:
    """Return the mean of ``action``, each number in [-1, 1] by its bounds; check that it is what ``space`` declares."""
    if isinstance(space, Dict):
        assert action.keys() == space.spaces.keys()
        return float(np.mean([strength(part, action[key]) for key, part in space.spaces.items()]))
    if isinstance(space, Tuple):
        return float(np.mean([strength(part, each) for part, each in zip(space.spaces, action, strict=True)]))
    assert type(action) is np.ndarray
    assert (action.shape, action.dtype) == (space.shape, space.dtype)
    assert ((action >= space.low) & (action <= space.high)).all()
    low, high = space.low.astype(float), space.high.astype(float)
    width = np.where(high > low, high - low, 1.0)
    found = float(np.mean(2 * (action.astype(float) - low) / width - 1))
    action.fill(0)  # it belongs to the environment, which may do with it what it likes
    return found
