"""Hold every part of MBPO for one environment."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import torch
from torch import Tensor, nn

from mbpo.data.played import Played
from mbpo.data.real_buffer import RealBuffer
from mbpo.data.replay_buffer import ReplayBuffer
from mbpo.dynamics.fake_env import FakeEnv
from mbpo.dynamics.rollout import RolloutReport
from mbpo.envs.box_env import BoxEnv
from mbpo.envs.collector import Collector, Step
from mbpo.envs.evaluation import EvalReport, Evaluator
from mbpo.envs.rule_watch import RuleWatch
from mbpo.envs.spaces import Array
from mbpo.envs.termination import check_rule, find_rule, judged, rule_text
from mbpo.errors import DivergedError
from mbpo.learner.build import build_agent, build_noise, build_planner, build_termination, build_trainer, resolve_device
from mbpo.learner.explore import Explorer
from mbpo.learner.imagine import Branches, Imagination
from mbpo.learner.streams import Streams, restore_streams, saved_streams
from mbpo.learner.update import PolicyUpdates
from mbpo.ops import native
from mbpo.ops.adam import AdamState
from mbpo.ops.graphs import Recorder, record_cuda
from mbpo.ops.native import BuildInfo
from mbpo.seeding import torch_generator
from mbpo.settings.config import Config
from mbpo.trust.critics import Promise, promise
from mbpo.trust.estimates import Estimates
from mbpo.trust.policies import Evidence
from mbpo.trust.scores import Measured, score, window_for

EVALUATION_SEED = 0  # the same start states in every run, so that curves differ by policy only


class Learner:
    """Hold every part of MBPO for one environment: built, at work together, saved and restored whole."""

    def __init__(self, config: Config, record: Recorder | None = None) -> None:
        self.device = resolve_device(config.device)
        if self.device.type == "cuda":
            torch.set_float32_matmul_precision("high" if config.tf32 else "highest")
            record = record_cuda if config.cuda_graphs else None
        env = BoxEnv(config)
        self.rule, learned = find_rule(env), build_termination(config, env, self.device)
        self.termination = learned if self.rule is None else None
        self.agent = build_agent(config, env, self.device)
        self.trainer = build_trainer(config, env, self.device, record)
        self.ensemble = self.trainer.ensemble
        terminates = learned.head if self.rule is None else partial(judged, self.rule)
        precision = self.trainer.step.precision
        self.fake_env = FakeEnv(self.ensemble, terminates, precision)
        kept = config.precision in (precision, "auto")
        self.precision_lost = "" if kept else f"products stay float32: {native.why_no_bfloat16(self.device)}"
        capacity = min(config.real_buffer_capacity, config.total_steps)
        self.real_buffer = RealBuffer(capacity, env.obs_dim, env.action_dim, self.device)
        self.model_buffer = ReplayBuffer(0, env.obs_dim, env.action_dim, self.device)
        self.collector = Collector(env, config.seed)
        if self.rule is not None:
            check_rule(self.rule, self.collector.obs, env.action_dim, self.device)
        self.rule_watch = RuleWatch(self.rule)
        self.one_instance = config.one_instance
        self._gamma, self._reward_scale = config.gamma, config.reward_scale
        self._played: list[Played] = []  # in the newest evaluation, until the critics are held to it
        only = env if self.one_instance else None
        self.evaluator = Evaluator(config, config.eval_episodes, EVALUATION_SEED, only)
        self.streams = streams = Streams.of(config.seed, self.device)
        actor, buffers = self.agent.actor, (self.real_buffer, self.model_buffer)
        planner = build_planner(config, self.fake_env, actor) if config.algo == "pets" else None
        hold, pink = config.warmup_hold, build_noise(config, env)
        self.explorer = Explorer(self.collector, actor, planner, self.real_buffer, streams, hold, pink, self.device)
        draws = streams.rollout, streams.judge
        self.imagination = Imagination(self.fake_env, actor, *buffers, *draws, record)
        self.window = window_for(env.obs_dim, self.device)
        self._updates = PolicyUpdates(self.agent, *buffers, config.sac_batch, config.reward_scale, streams.mix, record)

    def explore(self, uniform: bool) -> Step:
        """Take one env step, uniformly at random or by the policy, and store it if it is valid."""
        return self.explorer.step(uniform)

    def best_action(self, obs: Array) -> Array:  # [N, O] -> [N, A]
        """Return tanh(mean) actions, or plans, for evaluation."""
        return self.explorer.best_action(obs)

    def evaluate(self) -> EvalReport:
        """Measure tanh(mean) actions, or plans; on one instance the episode under way then begins again."""
        self._played = []
        keep = self._played.append if self.explorer.planner is None else None
        report = self.evaluator.run(self.best_action, keep)
        if self.one_instance:
            self.collector.begin_again()
        return report

    def promise(self) -> Promise | None:
        """Hold the critics to the newest evaluation, and let its episodes go; None without a policy."""
        played, self._played = self._played, []
        if self.explorer.planner is not None or not played:
            return None
        agent, draws = self.agent, torch_generator(EVALUATION_SEED, "entropy", self.device)
        alpha = float(agent.log_alpha.detach().exp())
        return promise(played, agent.actor, agent.critic, alpha, self._gamma, self._reward_scale, draws)

    def fit(self) -> dict[str, float | None]:
        """Refit the model, and what learns when episodes end, to all real rows; return what they report."""
        rows = self.real_buffer.training_rows(), self.real_buffer.holdout_rows()
        metrics: dict[str, float | None] = dict(self.trainer.fit(*rows).metrics())
        return metrics | (dict(self.termination.fit(*rows).metrics()) if self.termination else {})

    def score_new_data(self, resolution: float) -> dict[str, float | None]:
        """Score the model on the real rows since the last refit, before one trains on them; return what is measured.

        What is measured goes over the newest whole episodes, but for the error on those rows alone.
        """
        buffer, model = self.real_buffer, self.ensemble
        unseen, rows = buffer.unseen(), buffer.unseen(before=1)
        if not len(unseen):
            return {}
        skip = len(rows) - len(unseen)
        scored = score(model, self.fake_env, rows, skip, buffer.transitions, resolution)
        self.window.add(*scored, ended=self.collector.at_start)
        mse, _ = self.trainer.errors(unseen)
        return {"model/new_data_mse": float(mse[model.elites].mean()), **self.measured().metrics()}

    def measured(self) -> Measured:
        """Return what the newest whole episodes say of the model."""
        return Measured(self.window.episodes(), self.real_buffer.obs_dim)

    def evidence(self, estimates: Estimates | None) -> Evidence:
        """Return what a rule for k may look at."""
        return Evidence(estimates, self.imagination.predict_real, self.imagination.predict_imagined)

    def imagine(self, branches: Branches) -> RolloutReport:
        """Branch rollouts from real states into the model buffer."""
        return self.imagination.run(branches)

    def update_policy(self, real_ratio: float, updates: int) -> tuple[Tensor, int]:
        """Take SAC updates, each on its own mix of real and imagined rows.

        Returns the sum [5] of their reports' values, good until the next call, and the real rows
        in each batch.
        """
        return self._updates.run(real_ratio, updates)

    def backends(self) -> dict[str, BuildInfo]:
        """Return what runs each op for the networks of this learner, and why."""
        net = self.ensemble.net
        forward = native.choose("ensemble_mlp", net.flat.device, net.flat.dtype, net.sizes)
        return {info.op: info for info in (forward, self.trainer.step.backend, self.agent.backend)}

    def networks(self) -> dict[str, dict[str, Tensor]]:
        """Return the parameters of every network by part, for a checkpoint."""
        networks = {name: dict(part.state_dict()) for name, part in self._modules().items()}
        return {**networks, "temperature": {"log_alpha": self.agent.log_alpha}}

    def check_finite(self) -> None:
        """Check every weight.

        Raises:
            DivergedError: one is not finite.
        """
        for name, part in self.networks().items():
            if not all(bool(tensor.isfinite().all()) for tensor in part.values()):
                raise DivergedError(f"a weight of the {name} is not finite")

    def state_dict(self) -> dict[str, dict[str, Tensor]]:
        """Return all that the learner's future depends on, in named parts, to be saved.

        Of the real buffer only the marks: :meth:`RealBuffer.recorded` has the rows.
        """
        episode = {name: torch.from_numpy(value) for name, value in self.collector.state_dict().items()}
        return {
            **self.networks(),
            **{f"adam_{name}": state.state_dict() for name, state in self._adam_states().items()},
            "streams": saved_streams(self.streams.warmup, self._generators()),
            "episode": {**episode, "held_action": torch.from_numpy(self.explorer.held_action)},
            "real": self.real_buffer.state_dict(),
            "imagined": self.model_buffer.state_dict(),
            "trust": self.window.state_dict(),
        }

    def whole_state(self) -> dict[str, dict[str, Tensor]]:
        """Return :meth:`state_dict` with the real buffer's rows, all in memory."""
        state, real = self.state_dict(), self.real_buffer
        return {**state, "real": {**state["real"], **real.recorded(real.added - len(real), real.added)}}

    def load_state_dict(self, saved: Mapping[str, Mapping[str, Tensor]]) -> str:
        """Become the learner that :meth:`state_dict` described, its episode played again.

        ``saved["real"]`` has the real buffer's rows besides its marks. Parts that are absent stay
        as they are: without "streams" the luck is new, without "imagined" nothing is imagined yet.
        Returns why a new episode begins where the saved one does not repeat; else nothing.

        Raises:
            EnvironmentFault: the environment cannot begin an episode.
            RuntimeError, ShapeError: tensors are of other shapes.
        """
        for name, part in self._modules().items():
            part.load_state_dict(saved[name])
        with torch.no_grad():
            self.agent.log_alpha.copy_(saved["temperature"]["log_alpha"])
        for name, state in self._adam_states().items():
            state.load_state_dict(saved[f"adam_{name}"])
        if "streams" in saved:
            restore_streams(self.streams.warmup, self._generators(), saved["streams"])
        self.real_buffer.load_state_dict(saved["real"])
        if "trust" in saved:
            self.window.load_state_dict(saved["trust"])
        if "imagined" in saved:
            self.model_buffer.load_state_dict(saved["imagined"])
        episode = {name: tensor.numpy() for name, tensor in saved["episode"].items()}
        self.explorer.held_action = episode.pop("held_action")
        return self.collector.load_state_dict(episode, play=not self.one_instance)

    @property
    def rule_name(self) -> str:
        """Return the name of the termination rule in use, ``learned`` where none is known."""
        return rule_text(self.rule)

    def close(self) -> None:
        """Free the environments."""
        self.collector.env.close()
        self.evaluator.close()

    def _modules(self) -> dict[str, nn.Module]:
        agent, learned = self.agent, self.termination
        return {
            "actor": agent.actor,
            "critic": agent.critic,
            "critic_target": agent.critic_target,
            "ensemble": self.ensemble,
            **({"termination": learned.head} if learned else {}),
        }

    def _adam_states(self) -> dict[str, AdamState]:
        learned = self.termination
        return {
            **self.agent.adam_states(),
            "ensemble": self.trainer.step.adam_state,
            **({"termination": learned.adam_state} if learned else {}),
        }

    def _generators(self) -> dict[str, torch.Generator]:
        learned = self.termination
        return {
            **self.streams.generators,
            "sac": self.agent.generator,
            "trainer": self.trainer.generator,
            **({"termination": learned.generator} if learned else {}),
        }
