"""Record calls on the CPU as a CUDA graph would: fixed launches, fixed places, baked-in numbers.

Each operator that torch dispatches is written down with the very tensors it was given and the very
tensors it returned. A replay runs the list again and puts what each operator returns where the
recorded one put it. So a number that the host read, or an old tensor that has since been replaced,
shows in what the replay computes; and what would make the host wait is refused while recording.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

T = TypeVar("T")
aten = torch.ops.aten
WAITING = {
    aten._local_scalar_dense,
    aten.nonzero,
    aten.masked_select,
    aten.equal,
    aten.is_nonzero,
    aten._unique2,
    aten.lift_fresh,
}


class WaitingError(RuntimeError):
    """The host would wait for the device, or copy from its own memory, inside a graph."""


class _Tape(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.launches: list[tuple[Any, tuple[Any, ...], dict[str, Any], Any]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        indices = args[1] if func.overloadpacket in (aten.index, aten.index_put_) else []
        if func.overloadpacket in WAITING or any(i.dtype == torch.bool for i in indices):
            raise WaitingError(f"{func} makes the host wait")
        result = func(*args, **kwargs)
        self.launches.append((func, args, kwargs, result))
        return result

    def replay(self) -> None:
        for func, args, kwargs, result in self.launches:
            given = {t.untyped_storage().data_ptr() for t in _tensors((args, kwargs))}
            again = func(*args, **kwargs)
            for place, value in zip(_tensors(result), _tensors(again), strict=True):
                if place.untyped_storage().data_ptr() not in given:  # no view, nothing in place
                    place.detach().copy_(value)


def _tensors(tree: Any) -> Iterator[Tensor]:
    return (leaf for leaf in tree_leaves(tree) if isinstance(leaf, Tensor))


class Recordings:
    """Be a :class:`mbpo.ops.graphs.Recorder`, and count."""

    def __init__(self) -> None:
        self.recorded = 0
        self.replayed = 0

    def __call__(self, call: Callable[[], T], generators: Sequence[torch.Generator]) -> tuple[Callable[[], object], T]:
        """Record; the call runs meanwhile, and so stands for its first replay."""
        with _Tape() as tape:
            result = call()
        self.recorded += 1
        ran = True

        def replay() -> None:
            nonlocal ran
            if not ran:
                with torch.no_grad():
                    tape.replay()
            ran = False
            self.replayed += 1

        return replay, result
