"""Update actor, critics and temperature from batches of transitions."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
from torch import Tensor

from mbpo.data.transitions import Transitions
from mbpo.ops import native
from mbpo.ops.adam import Adam, AdamState, StepIfFinite, numbers, unless_left_out
from mbpo.ops.contract import check_row_weights
from mbpo.ops.native import BuildInfo
from mbpo.sac.losses import actor_loss, alpha_loss, critic_loss, td_target
from mbpo.sac.networks import LOG_STD_MAX, LOG_STD_MIN, Actor, Critic

if native.AVAILABLE:
    from mbpo.ops import compiled


@dataclass(frozen=True)
class SACReport:
    """Hold means over one update, detached and still on their device.

    Critics, actor, α and targets move in this order. One whose loss, gradient, new moment or new
    weight is not finite does not, nor does any after it: critic_loss, actor_loss, alpha and q_mean
    are NaN for those that did not move.
    """

    values: Tensor  # [5], in the order of KEYS

    KEYS = ("sac/critic_loss", "sac/actor_loss", "sac/alpha", "sac/entropy", "sac/q_mean")


class SACAgent:
    """Own the actor, the critics, their targets, the temperature and the optimisers.

    On the CPU an update is one call of the compiled op; elsewhere autograd does it by
    the equations of :mod:`mbpo.sac.losses`. Both keep Adam's state in the same tensors.

    Source: SAC, arXiv:1812.05905, Algorithm 1.
    """

    def __init__(
        self,
        actor: Actor,
        critic: Critic,
        *,
        gamma: float,
        tau: float,
        actor_lr: float,
        critic_lr: float,
        alpha_lr: float,
        init_alpha: float,
        target_entropy: float,
        generator: torch.Generator,
        backend: str = "auto",  # "torch" keeps to autograd
        precision: str = "float32",  # of products' factors; "bfloat16" where the op and the processor have it
    ) -> None:
        self.actor = actor
        self.critic = critic
        self.critic_target = copy.deepcopy(critic).requires_grad_(False)
        self.target_entropy = target_entropy
        self._gamma = gamma
        self._tau = tau
        self.generator = generator
        device, dtype = actor.scale.device, actor.scale.dtype
        self.log_alpha = torch.tensor(init_alpha, device=device, dtype=dtype).log()
        self.log_alpha.requires_grad_()
        in_graph = device.type == "cuda"  # torch's own Adam has to be told
        self._critic_adam = Adam(critic.parameters(), lr=critic_lr, fused=True, capturable=in_graph)
        self._actor_adam = Adam(
            [{"params": list(actor.parameters()), "lr": actor_lr}, {"params": [self.log_alpha], "lr": alpha_lr}],
            fused=True,
            capturable=in_graph,
        )
        self._critic_step, self._actor_step = StepIfFinite(self._critic_adam), StepIfFinite(self._actor_adam)
        self.precision, self.backend = native.multiplies(precision, self._choose(backend), actor.scale)
        self._fused = self.backend.backend == "cpp"

    def _choose(self, backend: str) -> BuildInfo:
        """Return what runs an update: the op where it knows both networks, autograd for any others."""
        op, actor, critic = "sac_update", self.actor.plain, self.critic.plain
        if actor is None or critic is None:
            stranger = self.critic if critic is None else self.actor
            return BuildInfo(op, "torch", f"the op knows plain networks, got a {type(stranger).__name__}")
        if backend == "torch":
            return BuildInfo(op, "torch", "backend='torch' is asked for")
        return native.choose(op, actor.flat.device, actor.flat.dtype, actor.sizes, critic.sizes)

    def update(self, batch: Transitions) -> SACReport:
        """Take one gradient step on the critics, then the actor and α; move the targets by τ."""
        batches = Transitions(batch.rows[None], batch.obs_dim, batch.action_dim)
        return SACReport(self._each(batches)[0])

    def update_each(self, batches: Transitions) -> Tensor:  # [5]
        """Update on each of the batches [K, B, W]; return the sum of the reports' values.

        Their ``weight`` [K, B] says how much each row counts in the critics' loss, and nowhere else.

        Raises:
            ShapeError: the weights are not [K, B], or not of the batches' dtype on their device.
        """
        if batches.weight is not None:
            check_row_weights(batches.weight, batches.rows)
        total = torch.zeros(len(SACReport.KEYS), device=self.actor.scale.device)
        for values in self._each(batches):
            total += values
        return total

    def _each(self, batches: Transitions) -> Tensor:  # [K, 5]
        scale = self.actor.scale
        updates, rows, _ = batches.rows.shape
        shape = (updates, 2, rows, len(scale))  # for next_obs and for obs
        noise = torch.empty(shape, device=scale.device, dtype=scale.dtype)
        for of_one in noise:  # drawn as if updates came one by one
            of_one.normal_(generator=self.generator)
        if self._fused:
            return self._compiled(batches, noise)
        each = zip(batches.unbind(), noise, strict=True)
        return torch.stack([self._autograd(*of_one) for of_one in each])

    def adam_states(self) -> dict[str, AdamState]:
        """Return what Adam knows of the actor with log α, and of the critics."""
        return {
            "actor": AdamState.of(self._actor_adam, [*self.actor.parameters(), self.log_alpha]),
            "critic": AdamState.of(self._critic_adam, list(self.critic.parameters())),
        }

    def _compiled(self, batches: Transitions, noise: Tensor) -> Tensor:
        states, actor_net, critic_net = self.adam_states(), self.actor.plain, self.critic.plain
        assert actor_net is not None and critic_net is not None
        actor, critic = states["actor"], states["critic"]
        (target,) = self.critic_target.parameters()
        of_actor, of_alpha = (numbers(group) for group in self._actor_adam.param_groups)
        values: Tensor = compiled.sac_updates(
            batches.rows,
            noise,
            batches.weight,
            self.actor.center,
            self.actor.scale,
            actor.with_second(critic),
            target,
            actor_net.sizes,
            critic_net.sizes,
            compiled.CODES[actor_net.activation],
            critic_net.norm == "layer",
            [self._gamma, self._tau, self.target_entropy, LOG_STD_MIN, LOG_STD_MAX],
            [*of_actor, *numbers(self._critic_adam.param_groups[0]), *of_alpha],
            bfloat16=self.precision == "bfloat16",
        )
        return values

    def _autograd(self, batch: Transitions, noise: Tensor) -> Tensor:
        alpha = self.log_alpha.detach().exp()
        critics, loss_q, q_mean = self._update_critic(batch, alpha, noise[0])
        (actor, temperature), loss_pi, log_prob = self._update_actor(batch, alpha, noise[1], critics)
        targets = self._move_targets(temperature)
        moved = ((critics, loss_q), (actor, loss_pi), (temperature, alpha), (targets, q_mean))
        values = [unless_left_out(*part) for part in moved]
        return torch.stack([*values[:3], -log_prob.detach().mean(), values[3]])

    def _update_critic(self, batch: Transitions, alpha: Tensor, noise: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        with torch.no_grad():
            chosen = self.actor.sample_at(batch.next_obs, noise)
            next_values = self.critic_target(torch.cat((batch.next_obs, chosen.action), dim=1))
            target = td_target(batch.reward, batch.terminated, next_values, chosen.log_prob, alpha, self._gamma)
        values = self.critic(batch.obs_action)
        loss = critic_loss(values, target, batch.weight)
        self._critic_adam.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        (moved,) = self._critic_step([(self.adam_states()["critic"], loss)])
        return moved, loss, values.mean()

    def _update_actor(
        self, batch: Transitions, alpha: Tensor, noise: Tensor, allowed: Tensor
    ) -> tuple[list[Tensor], Tensor, Tensor]:
        chosen = self.actor.sample_at(batch.obs, noise)
        values = self.critic(torch.cat((batch.obs, chosen.action), dim=1), frozen=True)
        loss = actor_loss(chosen.log_prob, values, alpha)
        temperature = alpha_loss(self.log_alpha, chosen.log_prob.detach(), self.target_entropy)
        self._actor_adam.zero_grad()
        (loss + temperature).backward()  # type: ignore[no-untyped-call]
        groups = zip(self._actor_adam.param_groups, (loss, temperature), strict=True)
        parts = [(AdamState.of(self._actor_adam, group["params"]), part) for group, part in groups]
        return self._actor_step(parts, allowed), loss, chosen.log_prob

    @torch.no_grad()
    def _move_targets(self, allowed: Tensor) -> Tensor:  # [] bool
        """Move every weight of the target critics by τ; what is counted, not learned, is copied.

        Return whether they moved: they do where it is ``allowed`` and all is finite.
        """
        target, critic = self.critic_target, self.critic
        pairs = zip(target.parameters(), critic.parameters(), strict=True)
        moved = [*(held.lerp(parameter, self._tau) for held, parameter in pairs), *critic.buffers()]
        allowed = torch.stack([allowed, *(tensor.isfinite().all() for tensor in moved)]).all()
        for held, tensor in zip((*target.parameters(), *target.buffers()), moved, strict=True):
            torch.where(allowed, tensor, held, out=held)
        return allowed
