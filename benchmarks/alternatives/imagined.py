"""Take imagined steps in plain torch: policy, ensemble with one elite per row, sample.

Each way maps obs [N, O] to (action, reward, next_obs, terminated).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.cases import ImaginedCase, Layers
from mbpo.envs.rules import never
from mbpo.ops.reference import soft_clamp

Step = tuple[Tensor, Tensor, Tensor, Tensor]
Imagine = Callable[[Tensor], Step]


def act(actor: Layers, obs: Tensor) -> Tensor:  # [N, O] -> [N, A]
    """Return tanh(μ + σ·ε), σ clamped as usual."""
    h, last = obs, len(actor.weights) - 1
    for layer, (weight, bias) in enumerate(zip(actor.weights, actor.biases, strict=True)):
        h = torch.addmm(bias[0], h, weight[0])
        h = F.relu(h) if layer < last else h
    mean, log_std = h.chunk(2, dim=-1)
    std = log_std.clamp(-20.0, 2.0).exp()
    return torch.tanh(mean + std * torch.randn_like(mean))


def sample(case: ImaginedCase, y: Tensor) -> Tensor:  # [N, 2·D] -> [N, D]
    """Return μ + σ·ε with the log-variance inside its bounds."""
    mean, raw = y.chunk(2, dim=-1)
    logvar = soft_clamp(raw, case.min_logvar, case.max_logvar)
    return mean + torch.randn_like(mean) * (0.5 * logvar).exp()


def finish(case: ImaginedCase, obs: Tensor, action: Tensor, y: Tensor) -> Step:
    """Return the step that the chosen outputs y [N, 2·D] give."""
    change = sample(case, y)
    next_obs = obs + change[:, 1:]
    return action, change[:, 0], next_obs, never(obs, action, next_obs)


def member_net(weights: tuple[Tensor, ...], biases: tuple[Tensor, ...], h: Tensor) -> Tensor:
    """Run one member [I, J] on its rows."""
    for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
        h = F.silu(torch.addmm(bias, h, weight), inplace=True)
    return torch.addmm(biases[-1], h, weights[-1])


def routed(case: ImaginedCase, net: Callable[..., Tensor] = member_net) -> Imagine:
    """Sort rows by member, run each member on its own, put the answers back."""
    elites = [int(e) for e in case.elites]
    weights = [tuple(w[e] for w in case.model.weights) for e in elites]
    biases = [tuple(b[e] for b in case.model.biases) for e in elites]

    def imagine(obs: Tensor) -> Step:
        action = act(case.actor, obs)
        pick = torch.randint(len(elites), (len(obs),))
        order = pick.argsort()
        counts = torch.bincount(pick, minlength=len(elites)).tolist()
        parts = torch.cat((obs, action), dim=1).index_select(0, order).split(counts)
        ys = [net(w, b, part) for w, b, part in zip(weights, biases, parts, strict=True)]
        y = torch.cat(ys)
        return finish(case, obs, action, torch.empty_like(y).index_copy_(0, order, y))

    return imagine


def folded(case: ImaginedCase) -> Imagine:
    """Run every elite on every row, then keep one answer per row."""
    weights = [w[case.elites] for w in case.model.weights]
    shifts = [b[case.elites].unsqueeze(1) for b in case.model.biases]
    elites = len(case.elites)

    def imagine(obs: Tensor) -> Step:
        action = act(case.actor, obs)
        h = torch.cat((obs, action), dim=1).expand(elites, -1, -1)
        for weight, shift in zip(weights[:-1], shifts[:-1], strict=True):
            h = F.silu(torch.baddbmm(shift, h, weight))
        h = torch.baddbmm(shifts[-1], h, weights[-1])
        pick = torch.randint(elites, (len(obs),))
        y = h[pick, torch.arange(len(obs))]
        return finish(case, obs, action, y)

    return imagine


def dealt(case: ImaginedCase, *, compiled: bool = False) -> Imagine:
    """Deal the rows in equal shares to the elites, so that shapes are fixed.

    Not quite the same draw: every elite gets exactly N/K rows, as in mbrl-lib.
    """
    weights = [w[case.elites] for w in case.model.weights]
    shifts = [b[case.elites].unsqueeze(1) for b in case.model.biases]
    elites = len(case.elites)

    def imagine(obs: Tensor, order: Tensor) -> Step:
        action = act(case.actor, obs)
        h = torch.cat((obs, action), dim=1)[order].view(elites, len(obs) // elites, -1)
        for weight, shift in zip(weights[:-1], shifts[:-1], strict=True):
            h = F.silu(torch.baddbmm(shift, h, weight))
        y = torch.baddbmm(shifts[-1], h, weights[-1]).flatten(0, 1)
        return finish(case, obs, action, torch.empty_like(y).index_copy_(0, order, y))

    # randperm stays outside: inductor 2.13 fails on an index by it.
    run = torch.compile(imagine, fullgraph=True, dynamic=False) if compiled else imagine
    return lambda obs: run(obs, torch.randperm(len(obs)))


def _folded_compiled(case: ImaginedCase) -> Imagine:
    return torch.compile(folded(case), fullgraph=True, dynamic=False)


def _dealt_compiled(case: ImaginedCase) -> Imagine:
    return dealt(case, compiled=True)


def _routed_compiled(case: ImaginedCase) -> Imagine:
    return routed(case, torch.compile(member_net, fullgraph=True, dynamic=True))


WAYS: dict[str, Callable[[ImaginedCase], Imagine]] = {
    "torch routed, loop": routed,
    "torch all elites, then gather": folded,
    "torch dealt in equal shares": dealt,
    "torch routed, compile(member)": _routed_compiled,
    "compile(all elites, then gather)": _folded_compiled,
    "compile(dealt in equal shares)": _dealt_compiled,
}
