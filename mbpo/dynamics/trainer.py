"""Fit the ensemble to the real transitions, and know when to stop."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from mbpo.data.transitions import Transitions
from mbpo.dynamics.ensemble import DynamicsEnsemble
from mbpo.dynamics.train_step import TrainStep, gaussian_nll
from mbpo.errors import DivergedError
from mbpo.ops.graphs import GraphedCall, Recorder

LEAST_IMPROVEMENT = 0.01  # of the best holdout error


@dataclass(frozen=True)
class FitReport:
    """Sum up one refit. Errors are the elites' mean, in the units of the model's outputs."""

    holdout_mse: float
    holdout_rmse: float  # in standard deviations of the targets
    holdout_nll: float  # nats per target dimension
    train_nll: float  # of the last epoch
    epochs: int
    train_rows: int
    holdout_rows: int

    def metrics(self) -> dict[str, float]:
        """Return the report under its metric keys."""
        return {
            "model/holdout_mse": self.holdout_mse,
            "model/holdout_rmse": self.holdout_rmse,
            "model/holdout_nll": self.holdout_nll,
            "model/train_nll": self.train_nll,
            "model/epochs": self.epochs,
            "model/train_rows": self.train_rows,
            "model/holdout_rows": self.holdout_rows,
        }


class _BestWeights:
    """Remember each member's weights at its best holdout error, and tell whether to go on.

    ``elites`` is how many members' mean best error has to fall for that; 0 is the paper's rule, by
    which one member's suffices, and by which only a fall by more than 1 % is remembered.
    """

    def __init__(self, ensemble: DynamicsEnsemble, elites: int = 0) -> None:
        self._parameters = ensemble.per_member()
        self._best = [p.detach().clone() for p in self._parameters]
        self._elites = elites
        self.errors = torch.full((ensemble.members,), math.inf, device=self._parameters[0].device)
        self._mean = self.errors[0].clone()

    @torch.no_grad()
    def offer(self, errors: Tensor) -> Tensor:  # [E] -> [] bool
        """Keep the members whose error fell; return whether to go on."""
        better = errors < self.errors if self._elites else _fell(self.errors, errors)
        for kept, parameter in zip(self._best, self._parameters, strict=True):
            torch.where(better.view(-1, *[1] * (kept.dim() - 1)), parameter, kept, out=kept)
        torch.where(better, errors, self.errors, out=self.errors)
        if not self._elites:
            return better.any()
        mean = self.errors.topk(self._elites, largest=False).values.mean()
        fell = _fell(self._mean, mean)
        torch.where(fell, mean, self._mean, out=self._mean)
        return fell

    def restore(self) -> None:
        """Put the remembered weights back."""
        for kept, parameter in zip(self._best, self._parameters, strict=True):
            parameter.copy_(kept)


def _fell(before: Tensor, after: Tensor) -> Tensor:
    """Return where an error fell by more than 1 %, or is finite for the first time."""
    return ((before - after) > LEAST_IMPROVEMENT * before) | (before.isinf() & after.isfinite())


class EnsembleTrainer:
    """Refit a :class:`DynamicsEnsemble`; Adam's moments stay from one refit to the next."""

    def __init__(
        self,
        ensemble: DynamicsEnsemble,
        *,
        lr: float,
        batch_size: int,
        max_epochs: int,
        patience: int,
        elites: int,
        stop: str = "any",  # while whose error falls a refit goes on: any member's, or the "elites"' mean
        normalize_targets: bool,
        generator: torch.Generator,
        record: Recorder | None = None,
        precision: str = "float32",
    ) -> None:
        self.ensemble = ensemble
        ensemble.elites = ensemble.elites[:elites].clone()
        self._batch_size = batch_size
        self._max_epochs = max_epochs
        self._patience = patience
        self._stop = stop
        self._normalize_targets = normalize_targets
        self.generator = generator
        self._record = record
        self.step = TrainStep(ensemble, lr, precision=precision)

    def fit(self, training: Transitions, holdout: Transitions) -> FitReport:
        """Train to the early stop, restore each member's best weights, choose the elites.

        Each member trains on its own bootstrap of the rows, drawn once and reshuffled every epoch.
        It stops after more than ``patience`` epochs in which no member's holdout error, or not the
        elites' mean, fell by more than 1 %. Without holdout rows the training rows stand in.

        Source: MBPO, arXiv:1906.08253, Algorithm 2, line 5 and its released code's BNN.train.
        Departs: stop="elites"; the released code goes on while any of the members improves.

        Raises:
            DivergedError: the loss is not finite.
        """
        model = self.ensemble
        inputs, labels = self._prepare(training)
        held = holdout if len(holdout) else training
        best = _BestWeights(model, len(model.elites) if self._stop == "elites" else 0)
        bootstrap = self._bootstrap(len(training))
        epoch, stale, train_nll = 0, 0, math.nan

        def train_and_offer() -> Tensor:  # [2]
            loss = self._epoch(inputs, labels, bootstrap)
            return torch.stack((loss, best.offer(self.errors(held)[0]).to(loss.dtype)))

        one_epoch = GraphedCall(train_and_offer, [self.generator], self._record)
        while epoch < self._max_epochs and stale <= self._patience:
            epoch += 1
            train_nll, improved = one_epoch().tolist()  # to know when to stop
            if not math.isfinite(train_nll):
                raise DivergedError(f"the model's loss is {train_nll}; lower --model-lr")
            stale = 0 if improved else stale + 1
        best.restore()
        mse, nll = self.errors(held)
        model.elites.copy_(mse.argsort()[: len(model.elites)].sort().values)
        mean, _, truth = model.standardized(held)
        return FitReport(
            holdout_mse=float(mse[model.elites].mean()),
            holdout_rmse=float((mean - truth).square().mean().sqrt()),
            holdout_nll=float(nll[model.elites].mean()),
            train_nll=train_nll,
            epochs=epoch,
            train_rows=len(training),
            holdout_rows=len(holdout),
        )

    def _prepare(self, training: Transitions) -> tuple[Tensor, Tensor]:
        """Fit the normalisers and return normalised inputs [N, O+A] and targets [N, 1+O]."""
        labels = self.ensemble.fit_normalizers(training, self._normalize_targets)
        return self.ensemble.inputs.normalize(training.obs_action), labels

    def _bootstrap(self, rows: int) -> Tensor:  # [E, N] int64
        shape = (self.ensemble.members, rows)
        return torch.randint(rows, shape, generator=self.generator, device=self.ensemble.elites.device)

    def _shuffled(self, bootstrap: Tensor) -> Tensor:  # [E, N]
        noise = torch.rand(bootstrap.shape, generator=self.generator, device=bootstrap.device)
        return bootstrap.gather(1, noise.argsort(dim=1))

    def _epoch(self, inputs: Tensor, labels: Tensor, bootstrap: Tensor) -> Tensor:  # []
        """Take one pass of gradient steps and return its mean loss per member."""
        losses = self.step.each(inputs, labels, self._shuffled(bootstrap), self._batch_size)
        return torch.stack([loss.mean() for loss in losses]).mean()

    @torch.no_grad()
    def errors(self, rows: Transitions) -> tuple[Tensor, Tensor]:  # [E], [E]
        """Return each member's mean squared error and NLL, in normalised target units."""
        model = self.ensemble
        inputs = model.inputs.normalize(rows.obs_action)
        truth = model.outputs.normalize(model.targets(rows)).expand(model.members, -1, -1)
        mean, logvar = model(inputs.expand(model.members, -1, -1))
        return (mean - truth).square().mean(dim=(1, 2)), gaussian_nll(mean, logvar, truth)
