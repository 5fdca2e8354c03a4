"""Translate between flat float32 numbers and the spaces that environments declare."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from gymnasium.spaces import Box, Dict, Space, Tuple
from gymnasium.spaces.utils import flatten, flatten_space, unflatten
from numpy.typing import NDArray

from mbpo.errors import EnvironmentFault

Array = NDArray[np.float32]
NARROWEST, WIDEST = 1e-3, 1e3  # spans of an action beyond which a network's inputs are rescaled
UNBOUNDED = 1e18  # a bound as large as that means none: float32's largest, say
BOUND_ACTION = "--wrapper 'mbpo.envs.wrappers:BoundAction(low=-1.0, high=1.0)'"


class Observations:
    """Flatten what an observation space declares, a Box or a Dict or Tuple of such, to float32 [O]."""

    def __init__(self, space: Space[Any], env_id: str) -> None:
        """Take the space.

        Raises:
            EnvironmentFault: it cannot be flattened, or has no numbers.
        """
        self._env_id = env_id
        self._space = None if isinstance(space, Box) else space  # to be flattened
        if not isinstance(space, (Box, Dict, Tuple)) or not space.is_np_flattenable:
            raise EnvironmentFault(
                f"{env_id}: expected a Box observation space, or a Dict or Tuple of such, got {_kind(space)}; "
                "choose an environment with continuous observations"
            )
        self._box = box = _as_box(space, env_id)
        self.shape = box.shape
        self.low, self.high = box.low.astype(np.float64).ravel(), box.high.astype(np.float64).ravel()
        self.size = math.prod(self.shape or ())
        self.parts = f"a {_kind(space)} of {len(space.spaces)}" if isinstance(space, (Dict, Tuple)) else ""
        if not self.size:
            raise EnvironmentFault(f"{env_id}: expected an observation of at least 1 number, its space is {space}")

    def flat(self, obs: Any) -> Array:
        """Return ``obs`` as a new array [O], whatever the environment does to its own afterwards.

        Raises:
            EnvironmentFault: it is not what the space declares.
        """
        try:
            found = np.asarray(flatten(self._space, obs) if self._space else obs)
        except KeyError as error:
            raise self._unlike(f"{_told(obs)} without {str(error)[:20]}") from None
        except Exception:  # of a flatten that meets something else, or of an __array__ of its own
            raise self._unlike(_told(obs)) from None
        if found.size != self.size or found.dtype.kind not in "fiub":
            raise self._unlike(_told(obs))
        with np.errstate(over="ignore"):
            return np.array(found, dtype=np.float32).ravel()

    def own(self, flat: Array) -> Any:
        """Return the observation that :meth:`flat` made [O] of, in the space's form and dtypes, to float32's digits."""
        with np.errstate(invalid="ignore"):
            given = flat.astype(self._box.dtype).reshape(self._box.shape)
        return given if self._space is None else unflatten(self._space, given)

    def _unlike(self, found: str) -> EnvironmentFault:
        return EnvironmentFault(
            f"{self._env_id}: its observation space has {self.size} numbers, shape {list(self.shape or ())}, "
            f"and it returned {found}; mend the space or the observation"
        )


class Actions:
    """Turn what a policy says, float32 [A] between ``low`` and ``high``, into an environment's own actions.

    Left out of A are dims whose bounds are equal. Spans below 1e-3 or above 1e3 are mapped to [−1, 1], as networks
    see actions as they are; integers are rounded to. What the environment gets lies in its bounds in its own dtype.
    """

    def __init__(self, space: Space[Any], env_id: str) -> None:
        """Take the space.

        Raises:
            EnvironmentFault: it is discrete, unbounded, empty or has nothing to choose.
        """
        self._env_id = env_id
        self._space = space
        box = _as_box(space, env_id) if isinstance(space, (Dict, Tuple)) and _all_boxes(space) else space
        if not isinstance(box, Box):
            raise EnvironmentFault(
                f"{env_id}: expected a Box action space, got {_kind(space)}; MBPO's policy is continuous: choose an "
                "environment with continuous actions"
            )
        self._box = box
        low, high = box.low.astype(np.float64).ravel(), box.high.astype(np.float64).ravel()
        if not ((np.abs(low) < UNBOUNDED) & (np.abs(high) < UNBOUNDED)).all():
            raise EnvironmentFault(f"{env_id}: expected finite action bounds, got {_bounds(box)}; give {BOUND_ACTION}")
        if (low > high).any():
            raise EnvironmentFault(f"{env_id}: expected action bounds with low ≤ high, got {_bounds(box)}")
        self.free = high > low  # [A of the environment]
        self.whole = np.array(_whole_dims(space))  # [A of the environment]
        self._rounds = bool(self.whole.any())
        if not self.free.any():
            raise EnvironmentFault(f"{env_id}: there is nothing to choose, its action bounds are {_bounds(box)}")
        self._low, self._high = low[self.free], high[self.free]
        span = self._high - self._low
        self.rescaled = (span < NARROWEST) | (np.maximum(np.abs(self._low), np.abs(self._high)) > WIDEST)
        self.low: Array = np.where(self.rescaled, -1.0, self._low).astype(np.float32)
        self.high: Array = np.where(self.rescaled, 1.0, self._high).astype(np.float32)
        self.size = len(self.low)

    def of(self, action: Array) -> Any:
        """Return the environment's own action for ``action`` [A], which must be finite."""
        own = action.astype(np.float64)
        if self.rescaled.any():
            mapped = self._low + (own + 1.0) * 0.5 * (self._high - self._low)
            own = np.where(self.rescaled, mapped, own)
        whole = self._box.low.ravel().astype(np.float64)
        whole[self.free] = own
        if self._rounds:
            whole = np.where(self.whole, np.rint(whole), whole)
        values = whole.reshape(self._box.shape)
        with np.errstate(over="ignore"):
            cast = np.clip(values, self._box.low, self._box.high).astype(self._box.dtype)
        bounded = np.asarray(np.clip(cast, self._box.low, self._box.high))  # clip makes a number of shape ()
        return bounded if self._box is self._space else unflatten(self._space, bounded)

    @property
    def own_bounds(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the bounds of the environment's own actions, flat, with those dims that are fixed."""
        return self._box.low.astype(np.float64).ravel(), self._box.high.astype(np.float64).ravel()

    def check_unchanged(self, space: Space[Any]) -> None:
        """Check that ``space``, which some environments make anew at each reset, still is the same.

        Raises:
            EnvironmentFault: it is not.
        """
        if space is not self._space and space != self._space:
            raise EnvironmentFault(
                f"{self._env_id}: a reset changed its action space from {self._space!s:.40} to {space!s:.40}; "
                "declare it for good where the environment is made"
            )

    def said(self) -> str:
        """Return in words what is done to actions besides clipping; nothing where nothing is."""
        said = []
        if not self.free.all():
            said.append(f"{int((~self.free).sum())} action dims are fixed and left out")
        if self.whole.all():
            said.append(f"actions are whole numbers ({self._box.dtype}) and rounded to")
        elif self.whole.any():
            said.append(f"{int(self.whole.sum())} action dims are whole numbers and rounded to")
        if self.rescaled.any():
            said.append(f"{int(self.rescaled.sum())} action dims are mapped to [-1, 1]")
        return "; ".join(said)


def _as_box(space: Box | Dict | Tuple, env_id: str) -> Box:
    """Return ``space`` flattened, as Gymnasium does it; of nothing, which it cannot, an empty Box."""
    if isinstance(space, Box):
        return space
    try:
        box: Box = flatten_space(space) if space.spaces else Box(0.0, 0.0, (0,), np.float32)
    except (ValueError, TypeError, NotImplementedError) as error:
        raise EnvironmentFault(f"{env_id}: its space {space!s:.60} cannot be flattened: {str(error)[:60]}") from error
    return box


def _all_boxes(space: Space[Any]) -> bool:
    if isinstance(space, (Dict, Tuple)):
        parts = space.spaces.values() if isinstance(space, Dict) else space.spaces
        return all(map(_all_boxes, parts))
    return isinstance(space, Box)


def _whole_dims(space: Space[Any]) -> list[bool]:
    """Return of each number that a space of Boxes is flattened to whether it is a whole one."""
    if isinstance(space, (Dict, Tuple)):
        parts = space.spaces.values() if isinstance(space, Dict) else space.spaces
        return [whole for part in parts for whole in _whole_dims(part)]
    assert isinstance(space, Box) and space.dtype is not None
    return [space.dtype.kind in "iub"] * int(space.low.size)


def _kind(space: object) -> str:
    return type(space).__name__


def _bounds(box: Box) -> str:
    low, high = (" ".join(f"{number:.3g}" for number in bound.ravel()[:3]) for bound in (box.low, box.high))
    return f"[{low}] to [{high}]"


def _told(value: Any) -> str:
    """Say what came: its type, and its size where it is an array."""
    if isinstance(value, np.ndarray):
        return f"{value.size} of dtype {value.dtype}, shape {list(value.shape)}"
    return f"a {type(value).__name__}" + (f" of {len(value)}" if isinstance(value, (list, tuple, dict)) else "")
