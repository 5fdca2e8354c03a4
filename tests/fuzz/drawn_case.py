"""Draw what an environment is like, and say how a run on it must end."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, TypeVar

import numpy as np
import torch
from drawn_habits import HABITS, RAISED, RESETS_OF_OTHERS, STEPS_OF_OTHERS, UNLIKE, Habit
from drawn_spaces import ACTIONS, OBSERVATIONS, Kind

T = TypeVar("T")
TRAINED_SHARE = 0.6
WARMUP_STEPS, TOTAL_STEPS = 40, 120
EPISODE_STEPS = 23  # after which those environments end an episode that say so themselves

Numbers = Mapping[str, Callable[[float], Any]]
REWARDS: Numbers = {
    "float": float,
    "int": round,
    "bool": lambda r: r > -1,
    "float64": np.float64,
    "float16": np.float16,
    "bool_": lambda r: np.bool_(r > -1),
    "array of one": lambda r: np.array([r], np.float32),
    "array of no dimensions": np.array,
    "array of three dimensions": lambda r: np.full((1, 1, 1), r),
    "list of one": lambda r: [r],
    "tensor": lambda r: torch.tensor(r, device="cpu"),
    "always 0": lambda r: 0,
    "thousands": lambda r: 1e3 * r,
    "millionths": lambda r: 1e-6 * r,
}
NO_REWARDS: Numbers = {
    "array of 3": lambda r: np.array([r, 0, 0]),
    "nothing": lambda r: None,
    "text": lambda r: "good",
    "text of a number": lambda r: "1.5",
    "complex": lambda r: complex(r, 1),
    "Decimal": Decimal,
    "table": lambda r: {"distance": r},
    "array of none": lambda r: np.zeros(0),
    "ragged list": lambda r: [r, [r, r]],
}
ENDS = (
    "never", "by registration", "by itself", "in a state", "time as terminated", "both flags", "terminated at once",
    "truncated at once", "flags of numpy", "flags of int", "flags in arrays", "by registration and in a state",
)  # fmt: skip
GIVEN = (
    "as declared", "as a list", "in float64", "in one buffer", "as a view", "read-only", "in Fortran's order", "flat",
    "as a tensor",
)  # fmt: skip
FAULTS = (
    "raises", "raises", "raises", "raises in evaluation", "no environment", "step of others", "reset of others",
    "unlike observation", "never finite", "often not finite", "takes no seed", "takes no action", "changes its spaces",
    "declares nothing", "far too large", "import",
)  # fmt: skip
IMPORTS: Mapping[str, tuple[str | None, int]] = {  # modules, and the code that each ends with
    "raises": ('raise ValueError("no display\\nsecond line")', 3),
    "exits": ('import sys\n\nsys.exit("usage: simulator --licence FILE")', 3),
    "interrupts": ("raise KeyboardInterrupt", 3),
    "lacks": ("import physics_that_nobody_has", 3),
    "garbled": ("def step(self:\n", 3),
    "of_another_coding": ("# coding: nothing\n", 3),
    "circular": ("from drawn_import_circular import Drawn", 3),
    "empty": ("", 2),
    "of_others": ("import drawn_env\nimport gymnasium\n\ngymnasium.register('Other-v3', drawn_env.DrawnEnv)", 2),
    "nowhere": (None, 2),
}
NO_ENVIRONMENTS: Mapping[str, Any] = {"a table": {}, "nothing": None, "a class": object, "a text": "environment"}


@dataclass(frozen=True)
class Case:
    """Describe an environment, by names from the tables; a ``fault`` is the reason why it cannot be trained on."""

    seed: int
    number: int
    observation: Kind
    given: str
    action: Kind
    reward: str
    not_finite: tuple[int, ...]  # env steps of one environment whose reward is not
    ends: str
    habits: tuple[Habit, ...]
    closes: str  # what close raises, if anything
    flags: tuple[str, ...] = ()  # of the learner
    fault: str = ""
    of_kind: str = ""
    place: str = "step"
    at: int = 0  # the count of calls there, from 1
    codes: tuple[int, ...] = (0,)
    says: str = ""  # in its error

    @property
    def env_id(self) -> str:
        """Return what a learner is given."""
        if self.fault == "import":
            return f"drawn_import_{self.of_kind}:DrawnElsewhere-v0"
        return f"drawn_env:Drawn{'Limited' if 'registration' in self.ends else ''}-v0"

    @property
    def trains(self) -> bool:
        """Return whether a run on it finishes, and has learned."""
        return self.codes == (0,)

    @property
    def repeats(self) -> bool:
        """Return whether its episodes repeat in environments made anew."""
        return all(habit.repeats for habit in self.habits)

    @property
    def words(self) -> str:
        """Describe it in a line."""
        habits = ", ".join(habit.name for habit in self.habits)
        parts = (
            f"obs {self.observation.name} {self.given}; action {self.action.name}; reward {self.reward}, not finite at "
            f"{self.not_finite}; ends {self.ends}",
            f"; {habits}" if habits else "",
            f"; {' '.join(self.flags)}" if self.flags else "",
            f"; close raises {self.closes}" if self.closes else "",
            f"; FAULT {self.fault} {self.of_kind} at {self.place} {self.at}" if self.fault else "",
        )
        return f"{self.env_id} seed={self.seed} number={self.number}: {''.join(parts)}; must end with {self.codes}"


def draw(seed: int, number: int) -> Case:
    """Return environment ``number`` of those that ``seed`` draws: the same in every process."""
    rng = np.random.default_rng([seed, number])
    pick = _picker(rng)
    good = Case(
        seed=seed,
        number=number,
        observation=pick([kind for kind in OBSERVATIONS if not kind.refused]),
        given=pick(GIVEN),
        action=pick([kind for kind in ACTIONS if not kind.refused]),
        reward=pick(list(REWARDS)),
        not_finite=pick([(), (), (), (50,), (9, 50, 110)]),
        ends=pick(ENDS),
        habits=_together(pick(HABITS) for _ in range(pick([0, 0, 1, 1, 2]))),
        closes=pick(["", "", "", *RAISED]),
        flags=pick([(), (), (), ("--fresh-env",), ("--one-instance",)]),
    )
    if "--fresh-env" in good.flags:
        good = replace(good, not_finite=())  # which counts the steps of one environment
    return good if rng.random() < TRAINED_SHARE else _with_fault(replace(good, flags=()), rng)


def _with_fault(good: Case, rng: np.random.Generator) -> Case:
    """Return ``good`` with one thing that nobody could train on."""
    pick = _picker(rng)
    what = pick(["observation", "action", "reward", *FAULTS])
    if what == "observation":
        kind = pick([kind for kind in OBSERVATIONS if kind.refused])
        return _case(good, observation=kind, given="as declared", fault="its observation space", says=kind.refused)
    if what == "action":
        kind = pick([kind for kind in ACTIONS if kind.refused])
        return _case(good, action=kind, fault="its action space", says=kind.refused)
    if what == "reward":
        return _case(good, reward=pick(list(NO_REWARDS)), fault="its reward", says="reward must be one number")
    if what == "import":
        kind = pick(list(IMPORTS))
        return _case(good, fault=what, of_kind=kind, place="import", codes=(IMPORTS[kind][1],))
    if what == "no environment":
        return _case(good, fault=what, of_kind=pick(list(NO_ENVIRONMENTS)), place="make")
    at = pick([1, 1, 2, 30, 60, 90])
    if what in ("raises", "raises in evaluation"):
        place = pick(["make", "reset", "step"]) if what == "raises" else "step"
        at = 1 if place == "make" or what != "raises" else min(at, 3) if place == "reset" else at
        ends = "by itself" if place == "reset" else good.ends
        kind = pick([*RAISED, "MemoryError"]) if place == "step" and what == "raises" else pick(list(RAISED))
        codes = (8,) if kind == "MemoryError" else (3,)
        return _case(good, ends=ends, fault=what, of_kind=kind, place=place, at=at, codes=codes)
    if what == "step of others":
        return _case(
            good,
            fault=what,
            of_kind=pick(STEPS_OF_OTHERS),
            at=at,
            says="step must return|must be one number|its interface is an older one|space has",
        )
    if what == "reset of others":
        return _case(good, fault=what, of_kind=pick(RESETS_OF_OTHERS), place="reset", at=1, says="reset must return")
    if what == "unlike observation":
        return _case(good, fault=what, of_kind=pick(UNLIKE), place="reset", at=pick([1, 2]), says="space has")
    if what == "declares nothing":
        return _case(good, fault=what, of_kind=pick(["observation", "action"]), place="make", says="declares no spaces")
    floats = next(kind for kind in OBSERVATIONS if kind.name == "floats without bounds")
    if what == "far too large":
        return _case(good, observation=floats, fault=what, of_kind=pick(["reward", "observation"]), codes=(0, 3, 4))
    if what == "never finite":
        return _case(good, observation=floats, fault=what, place="reset", at=1, says="not finite")
    if what == "often not finite":
        steps = tuple(range(3, 1000, pick([2, 3, 5])))
        return _case(good, not_finite=steps, ends="never", fault=what, says="more than 1 %")
    if what == "changes its spaces":
        return _case(good, fault=what, of_kind=pick(["observation", "action"]), place="reset", at=1, says="space")
    return _case(good, fault=what, place="reset", at=1)


def _together(habits: Iterable[Habit]) -> tuple[Habit, ...]:
    """Return those that an environment may have at once: one that turns warnings into errors has no other."""
    found = tuple(habits)
    strict = tuple(habit for habit in found if "warnings into errors" in habit.name)
    return strict[:1] or found


def _case(good: Case, **changes: Any) -> Case:
    return replace(good, **{"codes": (3,), "says": "", **changes})


def _picker(rng: np.random.Generator) -> Callable[[Sequence[T]], T]:
    return lambda choices: choices[int(rng.integers(len(choices)))]
