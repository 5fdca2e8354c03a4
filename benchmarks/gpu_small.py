"""Call every GPU operator once on small shapes, for compute-sanitizer."""

from __future__ import annotations

import torch

from benchmarks import ours
from benchmarks.cases import SACCase, TrainingCase
from benchmarks.gpu import TASK, moved
from mbpo.data.transitions import Transitions
from mbpo.dynamics.fake_env import FakeEnv
from mbpo.dynamics.train_step import TrainStep
from mbpo.envs.rules import never
from mbpo.ops import cuda, ensemble_mlp


def main() -> None:
    """Run the network, a training, an imagined and a SAC step, rows ragged on purpose."""
    assert cuda.status()[0], cuda.status()[1]  # its own check runs forward and backward, routed too
    case = moved(TrainingCase.draw(TASK), "cuda")
    layers = case.layers.trainable()
    for rows, precision in ((33, "high"), (40_001, "highest")):
        torch.set_float32_matmul_precision(precision)
        x = torch.randn(TASK.members, rows, TASK.model_sizes[0], device="cuda")
        ensemble_mlp(x, layers.weights, layers.biases, "silu", backend="cpp")
    index = case.batches[0][:, :33].contiguous()
    model = ours._ensemble(case, case.layers).cuda()
    TrainStep(model, 1e-3)(case.inputs, case.labels, index)
    obs, action = case.inputs[:33].split((TASK.obs_dim, TASK.action_dim), dim=1)
    FakeEnv(model, never).step(obs, action, torch.Generator("cuda"))
    replay = moved(SACCase.draw(TASK), "cuda")
    batch = Transitions(replay.rows[:33], TASK.obs_dim, TASK.action_dim)
    noise = torch.randn(2, 33, TASK.action_dim, device="cuda")
    ours.SACUpdate(replay).agent._compiled(batch, noise)
    torch.cuda.synchronize()


if __name__ == "__main__":
    main()
