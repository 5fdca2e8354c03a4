"""The learner's own loops at Hopper's size, each as the graph it is on a GPU and as plain calls."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch

from benchmarks.cases import SACCase, TrainingCase
from benchmarks.ours import SACUpdate, _ensemble
from benchmarks.shapes import TASKS, forward_flops, sac_flops, training_flops
from mbpo.data.replay_buffer import ReplayBuffer, sample_mixed
from mbpo.data.transitions import Transitions
from mbpo.dynamics.fake_env import FakeEnv
from mbpo.dynamics.rollout import imagine
from mbpo.dynamics.trainer import EnsembleTrainer
from mbpo.envs.rules import never
from mbpo.ops.graphs import GraphedCall, Recorder, record_cuda

TASK = TASKS["Hopper"]
UPDATES, BATCH, REAL_ROWS = 20, 256, 12

Call = Callable[[], object]
Loop = Callable[[Recorder | None], Call]


class Loops:
    """Hold an agent, an ensemble and buffers at Hopper's size."""

    def __init__(self, device: str, rows: int, moved: Callable[[SACCase, str], SACCase]) -> None:
        self.rows = rows
        case = moved(SACCase.draw(TASK), device)
        self.agent = SACUpdate(case).agent
        self.agent.generator = torch.Generator(device).manual_seed(1)
        self.draws = torch.Generator(device).manual_seed(2)
        training = TrainingCase.draw(TASK)
        self.trainer = EnsembleTrainer(
            _ensemble(training, training.layers).to(device),
            lr=1e-3,
            batch_size=256,
            max_epochs=1,
            patience=5,
            elites=5,
            normalize_targets=False,
            generator=self.draws,
        )
        self.real, self.model = (ReplayBuffer(rows, TASK.obs_dim, TASK.action_dim, device) for _ in range(2))
        packed = case.rows[torch.arange(rows, device=device) % len(case.rows)]
        for buffer in (self.real, self.model):
            buffer.add(Transitions(packed, TASK.obs_dim, TASK.action_dim))
        self.env = FakeEnv(self.trainer.ensemble, never)

    def updates(self, record: Recorder | None) -> Call:
        """An env step's SAC updates with their sampling."""

        def body() -> object:
            batches = sample_mixed(self.real, self.model, BATCH, REAL_ROWS, self.draws, UPDATES)
            return self.agent.update_each(batches)

        return GraphedCall(body, [self.draws, self.agent.generator], record)

    def rollout(self, record: Recorder | None) -> Call:
        """A rollout of one step from every row."""

        def body() -> object:
            obs = Transitions(self.real.sample(self.rows, self.draws), TASK.obs_dim, TASK.action_dim).obs
            return imagine(self.env, lambda o: self.agent.actor.sample(o, self.draws).action, obs, 1, self.draws)

        return GraphedCall(torch.no_grad()(body), [self.draws], record)

    def epoch(self, record: Recorder | None) -> Call:
        """A pass of the model over every row."""
        trainer, rows = self.trainer, self.real.transitions
        inputs, labels = trainer._prepare(rows)
        bootstrap = trainer._bootstrap(len(rows))
        return GraphedCall(lambda: trainer._epoch(inputs, labels, bootstrap), [self.draws], record)


def learner_groups(
    device: str, moved: Callable[[SACCase, str], SACCase]
) -> dict[str, tuple[int, Iterator[tuple[str, Call]]]]:
    """Return, for each loop, its floating-point operations and the ways to run it."""
    rows = 600 if device == "cpu" else 100_000
    loops = Loops(device, rows, moved)
    sizes = TASK.model_sizes

    def ways(loop: Loop) -> Iterator[tuple[str, Call]]:
        if device != "cpu":
            call = loop(record_cuda)
            call(), call()
            yield "ours, in a graph", call
        yield "ours", loop(None)

    return {
        f"env step: {UPDATES} SAC updates": (UPDATES * sac_flops(TASK, BATCH), ways(loops.updates)),
        f"rollout of 1 step: N={rows}": (forward_flops(sizes, rows), ways(loops.rollout)),
        f"model epoch: N={rows}": (training_flops(sizes, 256, TASK.members) * -(-rows // 256), ways(loops.epoch)),
    }
