"""Record what a loop repeats as a CUDA graph, and launch it at once from then on."""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable, Sequence
from typing import Generic, ParamSpec, Protocol, TypeVar

import torch
from torch import Tensor

logger = logging.getLogger("mbpo.ops.graphs")

P = ParamSpec("P")
T = TypeVar("T")
LaunchAgain = Callable[[], object]


class Recorder(Protocol):
    """Record what a call launches; return what launches it again, and the call's result."""

    def __call__(self, call: Callable[[], T], generators: Sequence[torch.Generator]) -> tuple[LaunchAgain, T]:
        """Leave everything as it was: only the launch runs what is recorded."""


def record_cuda(call: Callable[[], T], generators: Sequence[torch.Generator]) -> tuple[LaunchAgain, T]:
    """Capture a call as a CUDA graph. Each launch draws anew from ``generators``."""
    graph = torch.cuda.CUDAGraph()
    for generator in generators:
        graph.register_generator_state(generator)
    with torch.cuda.graph(graph):
        result = call()
    return graph.replay, result


class GraphedCall(Generic[P, T]):
    """Call ``body``, again and again; with a recorder as one launch.

    The first call with new arguments runs the body, the second records it, later ones launch it. What
    the body does may depend on its arguments, on the tensors that ``reads`` returns, which may
    move from one call to the next, and on tensors that never move. It must not look at a tensor's
    values, nor draw from other generators than these. The next launch overwrites its result.
    """

    def __init__(
        self,
        body: Callable[P, T],
        generators: Sequence[torch.Generator],
        record: Recorder | None,  # None: every call runs the body
        reads: Callable[[], Sequence[Tensor]] = tuple,
    ) -> None:
        self._body = body
        self._generators = generators
        self._record = record
        self._reads = reads
        self._held: Sequence[Tensor] = ()  # so that no other tensor takes their place
        self._key: Hashable = None
        self._launch: LaunchAgain | None = None
        self._result: T

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run the body, or launch it as recorded."""
        if self._record is None:
            return self._body(*args, **kwargs)
        self._held = self._reads()
        places = tuple((t.data_ptr(), *t.shape) for t in self._held)
        key = (args, tuple(kwargs.items()), places)
        if key != self._key:
            self._key, self._launch = key, None
            return _warm_up(lambda: self._body(*args, **kwargs))
        if self._launch is None:
            try:
                self._launch, self._result = self._record(lambda: self._body(*args, **kwargs), self._generators)
            except RuntimeError as error:
                logger.warning("not recorded, so slower: %s", str(error).splitlines()[0])
                self._record = None
                return self._body(*args, **kwargs)
        self._launch()
        return self._result


def _warm_up(call: Callable[[], T]) -> T:
    """Run the call on a stream of its own, as recording will; torch asks for it."""
    if not torch.cuda.is_available():
        return call()
    here, beside = torch.cuda.current_stream(), torch.cuda.Stream()  # type: ignore[no-untyped-call]
    beside.wait_stream(here)
    with torch.cuda.stream(beside):
        result = call()
    here.wait_stream(beside)
    return result
