"""Be torch's Adam, without the second that its guards against tracing take at every start."""

from __future__ import annotations

import subprocess
import sys

import torch
from learners import environment

from mbpo.ops.adam import Adam

LEARN = """
import sys
from mbpo.train import main
flags = "--preset debug --threads 1 --total-steps 130 --eval-episodes 1 --env-id toy_envs:Toy-v0 --runs-root".split()
assert main([*flags, sys.argv[1]]) == 0
print("torch._dynamo" in sys.modules)
"""


def steps(kind: type[torch.optim.Adam], fused: bool) -> list[torch.Tensor]:
    """Return a parameter after each of five steps."""
    generator = torch.Generator().manual_seed(0)
    parameter = torch.nn.Parameter(torch.randn(3, 5, generator=generator))
    adam, found = kind([parameter], lr=0.1, fused=fused), []
    for _ in range(5):
        adam.zero_grad()
        (parameter - torch.randn(3, 5, generator=generator)).square().sum().backward()
        adam.step()
        found.append(parameter.detach().clone())
    return found


def test_it_steps_as_torch_does_bit_for_bit() -> None:
    for fused in (True, False):
        for ours, torchs in zip(steps(Adam, fused), steps(torch.optim.Adam, fused), strict=True):
            assert ours.equal(torchs)


def test_a_learner_never_imports_the_tracer(tmp_path: object) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LEARN, str(tmp_path)],
        env={**environment(), "MBPO_NO_EXT": "1"},
        capture_output=True,
        text=True,
    )
    assert done.stdout.splitlines()[-1] == "False", done.stderr
