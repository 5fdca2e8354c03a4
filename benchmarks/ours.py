"""Call this project's own code; the one file to change when one of its interfaces does."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from benchmarks.alternatives.imagined import Imagine, Step
from benchmarks.cases import ImaginedCase, Layers, SACCase, TrainingCase
from benchmarks.contest import Unavailable
from mbpo.data.transitions import Transitions
from mbpo.dynamics.ensemble import DynamicsEnsemble
from mbpo.dynamics.fake_env import FakeEnv
from mbpo.dynamics.trainer import EnsembleTrainer
from mbpo.envs.rules import never
from mbpo.ops import EnsembleMLP, ensemble_mlp, native
from mbpo.sac.agent import SACAgent
from mbpo.sac.networks import Actor, TwinCritic


def _need_extension() -> None:
    if not native.AVAILABLE:
        raise Unavailable(f"skipped: {native.REASON}")


def _load(net: EnsembleMLP, layers: Layers) -> None:
    with torch.no_grad():
        for mine, given in zip([*net.weights, *net.biases], layers.tensors, strict=True):
            mine.copy_(given)


def forward(weights: Sequence[Tensor], biases: Sequence[Tensor]) -> Callable[[Tensor], Tensor]:
    """Return the op's forward in fp32, x [E, B, I] to [E, B, O]."""
    _need_extension()

    def run(x: Tensor) -> Tensor:
        y = ensemble_mlp(x, weights, biases, "silu", backend="cpp")
        assert isinstance(y, Tensor)
        return y

    return run


def forward_bf16(weights: Sequence[Tensor], biases: Sequence[Tensor]) -> Callable[[Tensor], Tensor]:
    """Return the op's forward in bf16; weights, biases and x come in bf16.

    The op takes float32, as the learner holds its weights, and rounds them anew at each call.
    """
    _need_extension()
    full_weights, full_biases = [w.float() for w in weights], [b.float() for b in biases]

    def run(x: Tensor) -> Tensor:
        y = ensemble_mlp(x.float(), full_weights, full_biases, "silu", precision="bfloat16")
        assert isinstance(y, Tensor)
        return y

    return run


def _ensemble(case: TrainingCase | ImaginedCase, layers: Layers) -> DynamicsEnsemble:
    task = case.task
    ensemble = DynamicsEnsemble(
        task.obs_dim,
        task.action_dim,
        members=task.members,
        hidden=task.model_hidden,
        layers=task.model_layers,
        generator=torch.Generator().manual_seed(0),
    )
    _load(ensemble.net, layers)
    with torch.no_grad():
        ensemble.min_logvar.copy_(case.min_logvar)
        ensemble.max_logvar.copy_(case.max_logvar)
    return ensemble


class TrainingStep:
    """Take the trainer's gradient step on minibatches of the case."""

    def __init__(self, case: TrainingCase, **asked: str) -> None:
        _need_extension()
        self._inputs, self._labels = case.inputs, case.labels
        self._ensemble = _ensemble(case, case.layers)
        self._trainer = EnsembleTrainer(
            self._ensemble,
            lr=case.lr,
            batch_size=case.batches[0].shape[1],
            max_epochs=1,
            patience=1,
            elites=case.task.elites,
            normalize_targets=False,
            generator=torch.Generator().manual_seed(0),
            **asked,
        )

    def step(self, index: Tensor) -> None:
        """Take one step on rows ``index`` [E, B]."""
        self._trainer.step(self._inputs, self._labels, index)

    def epoch(self, index: Tensor) -> None:
        """Take a step on each minibatch of rows ``index`` [E, N], shuffled."""
        self._trainer._epoch(self._inputs, self._labels, index)

    def parameters(self) -> list[Tensor]:
        """Return weights, biases and the two bounds."""
        net = self._ensemble.net
        return [*net.weights, *net.biases, self._ensemble.min_logvar, self._ensemble.max_logvar]


def _actor(case: ImaginedCase | SACCase) -> Actor:
    task = case.task
    bound = torch.ones(task.action_dim)
    actor = Actor(
        task.obs_dim,
        -bound,
        bound,
        hidden=task.sac_hidden,
        layers=task.sac_layers,
        generator=torch.Generator().manual_seed(0),
    )
    _load(actor.net, case.actor)
    return actor


def imagine(case: ImaginedCase, **asked: str) -> Imagine:
    """Return the policy's sample and FakeEnv's step."""
    _need_extension()
    actor, ensemble = _actor(case), _ensemble(case, case.model)
    ensemble.elites = case.elites
    fake_env = FakeEnv(ensemble, never, **asked)
    generator = torch.Generator().manual_seed(0)

    def draw(obs: Tensor) -> Tensor:
        if hasattr(actor, "draw"):
            return actor.draw(obs, generator, **asked)
        return actor.sample(obs, generator, **asked).action  # of a commit before

    def run(obs: Tensor) -> Step:
        action = draw(obs)
        return (action, *fake_env.step(obs, action, generator))

    return run


class SACUpdate:
    """Update the agent as the training loop does; with ``norm`` "layer" its critics' hidden layers are normalised."""

    def __init__(self, case: SACCase, norm: str = "none", **asked: str) -> None:
        _need_extension()
        task = self._task = case.task
        critic = TwinCritic(
            task.obs_dim,
            task.action_dim,
            hidden=task.sac_hidden,
            layers=task.sac_layers,
            generator=torch.Generator().manual_seed(0),
            **({} if norm == "none" else {"norm": norm}),
        )
        _load(critic.net, case.critic)
        self.agent = SACAgent(
            _actor(case).to(case.obs.device),
            critic.to(case.obs.device),
            gamma=case.gamma,
            tau=case.tau,
            actor_lr=case.lr,
            critic_lr=case.lr,
            alpha_lr=case.lr,
            init_alpha=1.0,
            target_entropy=-float(task.action_dim),
            generator=case.generator(),
            **asked,
        )

    def update(self, batches: Tensor) -> None:
        """Take one update on each of K batches of transitions [K, B, W], all in one call."""
        self.agent.update_each(Transitions(batches, self._task.obs_dim, self._task.action_dim))

    def parameters(self) -> list[Tensor]:
        """Return the actor's, critics' and targets' layers, then log α."""
        agent = self.agent
        nets = (agent.actor.net, agent.critic.net, agent.critic_target.net)
        return [*(t for net in nets for t in _layers(net)), agent.log_alpha]


def _layers(net: EnsembleMLP) -> list[Tensor]:
    """Return all that the network learns, by kind and layer."""
    if hasattr(net, "named_layers"):
        return list(net.named_layers().values())
    return [*net.weights, *net.biases]  # of a commit before
