"""Hold what goes in and out of environments to their spaces, whatever these are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, Space, Text, Tuple
from hypothesis import given
from hypothesis import strategies as st

from mbpo.envs.spaces import Actions, Observations
from mbpo.errors import EnvironmentFault

NESTED = Dict({"a": Tuple([Box(-1, 1, (1,)), Dict({"c": Box(-1, 1, ())})]), "b": Discrete(2)})
TOUCHED = Dict({"touch": MultiBinary(2), "turn": MultiDiscrete([2, 2])})
INFINITE, LARGEST = np.inf, float(np.finfo(np.float32).max)
FLOATS = st.sampled_from([np.float16, np.float32, np.float64])
WHOLE = st.sampled_from([np.int8, np.uint8, np.int16, np.int32, np.int64])


def floats(*shape: int, low: float = -INFINITE, high: float = INFINITE, dtype: Any = np.float32) -> Box:
    return Box(low, high, shape, dtype)


# Observations


class Unreadable:
    """Be no array, and say so."""

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise RuntimeError("no array")


@pytest.mark.parametrize(
    ("space", "obs", "flat"),
    [
        (floats(), 1.5, [1.5]),
        (floats(dtype=np.float64), np.float64(1.5), [1.5]),
        (floats(2), [1, 2], [1, 2]),
        (floats(2, 2), np.array([[1, 2], [3, 4]], order="F"), [1, 2, 3, 4]),
        (floats(2), np.array([[1.0], [2.0]]), [1, 2]),
        (floats(2), torch.tensor([1, 2]), [1, 2]),
        (floats(2, dtype=np.float16), np.float16([0.5, 60000]), [0.5, 60000]),
        (Box(0, 255, (2,), np.uint8), np.uint8([0, 255]), [0, 255]),
        (Box(0, 1, (2,), np.bool_), [True, False], [1, 0]),
        (Dict({"b": floats(), "a": floats(2)}), {"b": 3.0, "a": [1, 2]}, [1, 2, 3]),
        (Tuple([floats(1), floats(0), floats(1)]), ([1], [], [2]), [1, 2]),
        (NESTED, {"a": ([7], {"c": 8}), "b": 1}, [7, 8, 0, 1]),
        (TOUCHED, {"touch": [0, 1], "turn": [1, 0]}, [0, 1, 0, 1, 1, 0]),
    ],
)  # fmt: skip
def test_an_observation_is_flat_float32_in_the_order_of_its_space(space: Any, obs: Any, flat: list[float]) -> None:
    observations = Observations(space, "Own-v0")
    found = observations.flat(obs)
    assert found.tolist() == flat
    assert (found.dtype, found.shape, observations.size) == (np.float32, (len(flat),), len(flat))
    assert observations.low.shape == observations.high.shape == (len(flat),)


def test_an_observation_is_a_copy_also_of_views_and_of_the_leaves_of_a_dict() -> None:
    whole = np.zeros((3, 2), np.float32)
    places = Dict({"one": floats(2), "other": Tuple([floats(2)])})
    tries: list[tuple[Space[Any], Any]] = [
        (floats(2), whole[1]),
        (floats(6), whole.ravel()),
        (floats(2), whole.T[:, 2]),
        (places, {"one": whole[0], "other": (whole[2],)}),
    ]
    for space, obs in tries:
        whole[:] = 1
        before = Observations(space, "Own-v0").flat(obs)
        whole[:] = 2
        assert set(before.tolist()) == {1.0}


@pytest.mark.parametrize(
    ("space", "obs", "said"),
    [
        (floats(3), np.zeros(5), "3 numbers, shape [3], and it returned 5 of dtype float64, shape [5]"),
        (floats(2, 2), np.zeros((2, 3), np.int8), "shape [2, 2], and it returned 6 of dtype int8, shape [2, 3]"),
        (floats(1), np.zeros(1, complex), "1 numbers, shape [1], and it returned 1 of dtype complex128"),
        (floats(1), np.array(["1.5"]), "it returned 1 of dtype <U3"),
        (floats(1), None, "it returned a NoneType"),
        (floats(3), torch.zeros(3, requires_grad=True), "it returned a Tensor"),
        (floats(3), np.array([object()] * 3), "it returned 3 of dtype object"),
        (floats(3), Unreadable(), "it returned a Unreadable"),
        (floats(2), [1.0, [2.0]], "it returned a list of 2"),
        (floats(2), {"a": 1}, "it returned a dict of 1"),
        (Dict({"a": floats(2)}), np.zeros(2), "2 numbers, shape [2], and it returned 2 of dtype float64"),
        (Dict({"a": floats(2)}), {"b": np.zeros(2)}, "it returned a dict of 1 without 'a'"),
        (Dict({"a": floats(2)}), {"a": np.zeros(3)}, "2 numbers, shape [2], and it returned a dict of 1"),
        (Tuple([floats(1), floats(1)]), ([1],), "2 numbers, shape [2], and it returned a tuple of 1"),
        (Tuple([Discrete(2)]), (7,), "2 numbers, shape [2], and it returned a tuple of 1"),
    ],
)  # fmt: skip
def test_what_is_not_as_declared_is_refused_and_both_sides_are_named(space: Any, obs: Any, said: str) -> None:
    with pytest.raises(EnvironmentFault) as raised:
        Observations(space, "Own-v0").flat(obs)
    assert str(raised.value).startswith("Own-v0: its observation space has")
    assert said in str(raised.value)
    assert "mend" in str(raised.value)


@pytest.mark.parametrize("space", [Discrete(3), MultiBinary(3), Text(3), None, Dict({}), floats(3, 0)])
def test_an_observation_space_without_numbers_to_learn_from_is_refused(space: Any) -> None:
    with pytest.raises(EnvironmentFault, match=r"^Own-v0: expected an? (Box )?observation"):
        Observations(space, "Own-v0")


# Actions


@st.composite
def boxes(draw: Any) -> Box:
    """Draw a Box of 1 to 4 actions with bounds of all sizes, each in its dtype."""
    whole, shape = draw(st.booleans()), draw(st.sampled_from([(), (1,), (3,), (2, 2)]))
    dtype: Any = np.dtype(draw(WHOLE if whole else FLOATS))
    count = int(np.prod(shape))
    if whole:
        info = np.iinfo(dtype)
        ends = st.integers(max(info.min, -(10**17)), min(info.max, 10**17))
    else:
        ends = st.floats(-6e4, 6e4) | st.floats(-1, 1) | st.sampled_from([0.0, 1e-7, -1e-7, 1e6, -1e17, 0.1, 1 / 3])
    pairs = [sorted((draw(ends), draw(ends))) for _ in range(count)]
    with np.errstate(over="ignore"):
        low, high = (np.array(bound).astype(dtype).reshape(shape) for bound in zip(*pairs, strict=True))
    return Box(low, high, shape, dtype)


@given(boxes(), st.lists(st.floats(-2, 2), min_size=4, max_size=4))
def test_an_action_lies_in_the_environments_bounds_in_its_own_dtype(box: Box, said: list[float]) -> None:
    if not (np.isfinite(box.low).all() and np.isfinite(box.high).all() and (box.high > box.low).any()):
        return
    actions = Actions(box, "Own-v0")
    center, scale = (actions.high + actions.low) / 2, (actions.high - actions.low) / 2
    for part in (np.array(said[: actions.size], np.float32), np.float32(-1), np.float32(1)):
        own = actions.of((center + scale * part).astype(np.float32))
        assert type(own) is np.ndarray
        assert (own.dtype, own.shape) == (box.dtype, box.shape)
        assert box.contains(own)
    fixed = box.high == box.low
    assert (own[fixed] == box.low[fixed]).all()


@given(boxes())
def test_the_policys_bounds_are_finite_float32_that_a_network_can_reach(box: Box) -> None:
    if not (np.isfinite(box.low).all() and np.isfinite(box.high).all() and (box.high > box.low).any()):
        return
    actions = Actions(box, "Own-v0")
    assert actions.low.dtype == actions.high.dtype == np.float32
    assert actions.size == int((box.high > box.low).sum())
    assert (np.isfinite(actions.low) & np.isfinite(actions.high)).all()
    assert (actions.high - actions.low >= 9e-4).all()
    assert (np.abs(actions.low) <= 1e3).all() and (np.abs(actions.high) <= 1e3).all()
    span = np.maximum(box.high.astype(float) - box.low.astype(float), 1.0)
    for end, bound in ((actions.low, box.low), (actions.high, box.high)):
        assert (np.abs(actions.of(end).astype(float) - bound.astype(float)) <= 1e-6 * span).all()


@pytest.mark.parametrize(
    ("space", "action", "own"),
    [
        (floats(2, low=-1, high=1), [0.25, -3.0], [0.25, -1.0]),
        (Box(np.float32([-2, 5]), np.float32([2, 5])), [1.5], [1.5, 5.0]),
        (floats(1, low=-1e6, high=1e6), [0.5], [5e5]),
        (floats(1, low=0, high=1e-6, dtype=np.float64), [0.0], [5e-7]),
        (Box(-2, 3, (2,), np.int32), [0.4, 2.6], [0, 3]),
        (Box(0, 10**9, (1,), np.int64), [0.0], [5 * 10**8]),
        (Box(0, 1, (2,), np.bool_), [0.2, 0.8], [False, True]),
    ],
)
def test_what_a_policy_says_becomes_the_environments_own_action(space: Box, action: Any, own: list[Any]) -> None:
    found = Actions(space, "Own-v0").of(np.array(action, np.float32))
    assert found.tolist() == pytest.approx(own)


def test_actions_of_a_dict_and_a_tuple_have_their_own_shapes_and_dtypes() -> None:
    space = Dict(
        {"arm": Box(-2, 2, (2, 1), np.float64), "hand": Tuple([Box(0, 1, (), np.float32), Box(-3, 3, (1,), np.int8)])}
    )
    actions = Actions(space, "Own-v0")
    own = actions.of(np.array([1.5, -9.0, 0.25, 2.4], np.float32))
    assert space.contains(own)
    assert own["arm"].tolist() == [[1.5], [-2.0]]
    assert (float(own["hand"][0]), own["hand"][1].tolist()) == (0.25, [2])


def test_whole_numbers_within_a_dict_are_rounded_to_like_those_of_a_box() -> None:
    space = Dict({"hand": Tuple([Box(-3, 3, (2,), np.int8)]), "speed": Box(0, 9, (1,), np.float32)})
    actions = Actions(space, "Own-v0")
    own = actions.of(np.array([2.6, -2.6, 2.6], np.float32))
    assert own["hand"][0].tolist() == [3, -3] and own["speed"].tolist() == [np.float32(2.6)]
    assert actions.said() == "2 action dims are whole numbers and rounded to"


def test_an_observation_comes_back_in_its_own_form() -> None:
    observations = Observations(NESTED, "Own-v0")
    obs = {"a": (np.array([0.5], np.float32), {"c": np.array(-0.25, np.float32)}), "b": np.int64(1)}
    own = observations.own(observations.flat(obs))
    assert NESTED.contains(own) and own["a"][1]["c"].shape == () and own["b"] == 1
    assert np.array_equal(observations.flat(own), observations.flat(obs))
    pixels = Observations(Box(0, 255, (2, 3), np.uint8), "Own-v0")
    assert pixels.own(np.arange(6, dtype=np.float32)).dtype == np.uint8


def test_an_action_is_the_environments_to_write_into() -> None:
    said = np.array([0.5, 0.5], np.float32)
    Actions(floats(2, low=-1, high=1), "Own-v0").of(said).fill(9.0)
    assert said.tolist() == [0.5, 0.5]


@pytest.mark.parametrize(
    ("space", "said"),
    [
        (floats(1, low=-INFINITE), "finite action bounds, got [-inf] to [inf]; give --wrapper"),
        (Box(np.float32([-1, -1]), np.float32([1, INFINITE])), "got [-1 -1] to [1 inf]"),
        (floats(1, low=-LARGEST, high=LARGEST), "finite action bounds"),
        (Box(-(2**62), 2**62, (1,), np.int64), "finite action bounds"),
        (floats(2, low=0.5, high=0.5), "nothing to choose, its action bounds are [0.5 0.5] to [0.5 0.5]"),
        (floats(0, low=-1, high=1), "nothing to choose"),
        (Discrete(3), "a Box action space, got Discrete; MBPO's policy is continuous"),
        (MultiDiscrete([2, 2]), "got MultiDiscrete"),
        (Dict({"a": floats(1, low=0, high=1), "b": Discrete(2)}), "got Dict"),
        (Tuple([]), "nothing to choose"),
        (Dict({"a": Tuple([]), "b": floats(1, low=0, high=1)}), "cannot be flattened"),
        (None, "got NoneType"),
    ],
)
def test_an_action_space_without_a_bounded_choice_is_refused(space: Any, said: str) -> None:
    with pytest.raises(EnvironmentFault) as raised:
        Actions(space, "Own-v0")
    assert said in str(raised.value)


def test_an_action_space_may_be_made_anew_but_not_changed() -> None:
    actions = Actions(floats(2, low=-1, high=1), "Own-v0")
    actions.check_unchanged(floats(2, low=-1, high=1))
    for other in (
        floats(3, low=-1, high=1),
        floats(2, low=-1, high=2),
        Discrete(3),
        floats(2, low=-1, high=1, dtype=np.float64),
    ):
        with pytest.raises(EnvironmentFault, match="a reset changed its action space from Box"):
            actions.check_unchanged(other)
