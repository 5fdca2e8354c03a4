"""Hold the ring to a deque, the mix to its proportions and the holdout to its promise."""

from __future__ import annotations

from collections import deque

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mbpo.data.real_buffer import Behaviour, RealBuffer
from mbpo.data.replay_buffer import ReplayBuffer, real_rows_in, sample_mixed
from mbpo.data.transitions import Transitions
from mbpo.errors import ShapeError

OBS, ACTION = 2, 1


def numbered(first: int, count: int) -> Transitions:
    """Return ``count`` rows whose every column holds the row's number."""
    number = torch.arange(first, first + count, dtype=torch.float32)
    return Transitions(number[:, None].repeat(1, 2 * OBS + ACTION + 2), OBS, ACTION)


def numbers(transitions: Transitions) -> list[int]:
    """Return the numbers of the rows, after a check that no row is torn."""
    rows = transitions.rows
    assert (rows == rows[:, :1]).all()
    return [int(v) for v in rows[:, 0]]


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


OPERATIONS = st.lists(st.tuples(st.sampled_from(["add", "resize"]), st.integers(0, 40)), min_size=1, max_size=25)


@given(capacity=st.integers(0, 20), operations=OPERATIONS)
@settings(max_examples=200)
def test_the_ring_holds_what_a_deque_holds(capacity: int, operations: list[tuple[str, int]]) -> None:
    buffer, model, added = ReplayBuffer(capacity, OBS, ACTION), deque[int](maxlen=capacity), 0
    for name, size in operations:
        if name == "add":
            buffer.add(numbered(added, size))
            model.extend(range(added, added + size))
            added += size
        else:
            buffer.resize(size)
            model = deque(model, maxlen=size)
        assert len(buffer) == len(model)
        assert buffer.capacity == model.maxlen
        assert buffer.added == added
        assert sorted(numbers(buffer.transitions)) == list(model)
        for count in (1, len(model), len(model) + 5) if model else ():
            newest = Transitions(buffer.transitions.rows[buffer.newest(count)], OBS, ACTION)
            assert numbers(newest) == list(model)[-count:]


def test_the_ring_agrees_with_a_deque_past_its_first_allocation() -> None:
    buffer, model = ReplayBuffer(3000, OBS, ACTION), deque[int](maxlen=3000)
    for first in range(0, 9000, 700):
        buffer.add(numbered(first, 700))
        model.extend(range(first, first + 700))
        newest = Transitions(buffer.transitions.rows[buffer.newest(3000)], OBS, ACTION)
        assert numbers(newest) == list(model)


def test_memory_grows_with_use_and_not_with_the_capacity() -> None:
    buffer = ReplayBuffer(10**9, OBS, ACTION)
    buffer.add(numbered(0, 5))
    assert buffer.transitions.rows.untyped_storage().nbytes() < 1 << 20


def test_sampling_reaches_every_row_and_repeats_with_its_generator() -> None:
    buffer = ReplayBuffer(10, OBS, ACTION)
    buffer.add(numbered(0, 14))
    drawn = buffer.sample(500, generator(1))
    assert set(drawn[:, 0].int().tolist()) == set(range(4, 14))
    assert torch.equal(drawn, buffer.sample(500, generator(1)))
    assert not torch.equal(drawn, buffer.sample(500, generator(2)))


def test_sampling_from_nothing_is_refused() -> None:
    with pytest.raises(RuntimeError):
        ReplayBuffer(10, OBS, ACTION).sample(1, generator())


@given(batch_size=st.integers(1, 300), real_ratio=st.floats(0.0, 1.0), batches=st.integers(1, 4))
def test_each_batch_holds_int_of_batch_times_ratio_real_rows(batch_size: int, real_ratio: float, batches: int) -> None:
    real, imagined = ReplayBuffer(50, OBS, ACTION), ReplayBuffer(50, OBS, ACTION)
    real.add(numbered(0, 50))
    imagined.add(numbered(1000, 50))
    counted = real_rows_in(batch_size, real_ratio, imagined)
    mixed = sample_mixed(real, imagined, batch_size, counted, generator(), batches)
    assert counted == int(batch_size * real_ratio)
    drawn = list(mixed.unbind())
    assert len(drawn) == batches
    for batch in drawn:
        assert len(batch) == batch_size
        assert sum(n < 1000 for n in numbers(batch)) == counted


def test_while_nothing_is_imagined_every_row_is_real() -> None:
    real, imagined = ReplayBuffer(50, OBS, ACTION), ReplayBuffer(0, OBS, ACTION)
    real.add(numbered(0, 50))
    assert real_rows_in(40, 0.05, imagined) == 40
    mixed = sample_mixed(real, imagined, 40, 40, generator())
    assert all(n < 50 for batch in mixed.unbind() for n in numbers(batch))


def test_the_columns_of_a_row_are_its_parts() -> None:
    parts = Transitions.pack(
        torch.tensor([[1.0, 2.0]]),
        torch.tensor([[3.0]]),
        torch.tensor([4.0]),
        torch.tensor([[5.0, 6.0]]),
        torch.tensor([True]),
    )
    assert parts.obs.tolist() == [[1.0, 2.0]]
    assert parts.action.tolist() == [[3.0]]
    assert parts.obs_action.tolist() == [[1.0, 2.0, 3.0]]
    assert parts.reward.tolist() == [4.0]
    assert parts.next_obs.tolist() == [[5.0, 6.0]]
    assert parts.terminated.tolist() == [1.0]


def test_rows_of_another_width_are_refused() -> None:
    with pytest.raises(ShapeError, match=r"rows must be \[..., 7\], got \[3, 6\]"):
        Transitions(torch.zeros(3, 6), OBS, ACTION)


def behaviour(first: int, count: int) -> Behaviour:
    number = torch.arange(first, first + count, dtype=torch.float32)
    return Behaviour(number[:, None], number[:, None], number)


@given(
    capacity=st.integers(1, 60),
    ratio=st.floats(0.01, 0.5),
    most=st.integers(1, 20),
    sizes=st.lists(st.integers(1, 30), min_size=1, max_size=12),
    seed=st.integers(0, 5),
)
@settings(max_examples=200)
def test_a_row_once_held_out_never_trains_and_one_once_trained_on_is_never_held_out(
    capacity: int, ratio: float, most: int, sizes: list[int], seed: int
) -> None:
    buffer, draw = RealBuffer(capacity, OBS, ACTION), generator(seed)
    ever_held, ever_trained, added = set[int](), set[int](), 0
    for size in sizes:
        buffer.add_real(numbered(added, size), behaviour(added, size))
        added += size
        present = set(range(max(0, added - capacity), added))
        fresh = present - ever_held - ever_trained
        assert set(numbers(buffer.unseen())) == set(range(added - min(size, capacity), added))
        held_before = present & ever_held
        buffer.mark_holdout(ratio, most, draw)
        held, trained = numbers(buffer.holdout_rows()), numbers(buffer.training_rows())
        assert sorted(held + trained) == sorted(present)
        ever_held |= set(held)
        ever_trained |= set(trained)
        assert not ever_held & ever_trained
        wanted = max(0, min(int(len(present) * ratio), most) - len(held_before))
        assert len(held) == len(held_before) + min(wanted, len(fresh))
        assert len(buffer.unseen()) == 0


def test_the_holdout_is_drawn_at_random() -> None:
    held = []
    for seed in range(5):
        buffer = RealBuffer(100, OBS, ACTION)
        buffer.add_real(numbered(0, 100), behaviour(0, 100))
        buffer.mark_holdout(0.2, 5000, generator(seed))
        held.append(tuple(sorted(numbers(buffer.holdout_rows()))))
    assert len(set(held)) == 5
    assert all(len(h) == 20 for h in held)


def test_how_an_action_was_chosen_stays_with_its_row() -> None:
    buffer = RealBuffer(50, OBS, ACTION)
    for first in range(0, 130, 13):
        buffer.add_real(numbered(first, 13), behaviour(first, 13))
    drawn, chosen = buffer.sample_behaviour(300, generator())
    assert torch.equal(drawn.reward, chosen.log_prob)
    assert torch.equal(drawn.reward, chosen.mean[:, 0])
    assert torch.equal(drawn.reward, chosen.log_std[:, 0])
    assert set(numbers(drawn)) == set(range(80, 130))
