"""Sweeps by Optuna: what the file says, and the runs of a trial."""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from tfvae._errors import quoted
from tfvae.parts.building import resolved
from tfvae.parts.part import nearest
from tfvae.sweeps.planned_run import PlannedRun
from tfvae.sweeps.rows import nested, row_name
from tfvae.sweeps.space import Space, read_space
from tfvae.training.config import RunConfig

_OWN = ("num_trials", "seed", "sampler", "pruner")


class Outcome(NamedTuple):
    """What a search says about a trial.

    Attributes:
        settings: The settings that were chosen.
        validation_elbo: Validation ELBO of the final model, by seed. Empty unless the trial is complete.
        note: Why it is not complete, such as "pruned after 3 epochs", or "".
        failure: Why it failed, or "".
    """

    settings: Mapping[str, Any]
    validation_elbo: Mapping[int, float] = MappingProxyType({})
    note: str = ""
    failure: str = ""


@dataclasses.dataclass(frozen=True)
class SearchPlan:
    """What the file of a sweep by Optuna says.

    Attributes:
        base: Settings that all runs share.
        space: What varies.
        seeds: Seeds of each trial.
        num_trials: Number of trials.
        seed: Seed of the choices.
        sampler: The part that chooses the settings of a trial.
        pruner: The part that stops bad trials.
    """

    base: Mapping[str, Any]
    space: Space
    seeds: tuple[int, ...]
    num_trials: int
    seed: int
    sampler: Any
    pruner: Any

    @property
    def identity(self) -> str:
        """What must be the same when a sweep goes on, as text."""
        space = {setting: dataclasses.asdict(each) for setting, each in self.space.items()}
        return json.dumps([self.base, space, self.seeds], sort_keys=True, default=str)

    def settings(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the settings of a trial from its parameters in Optuna."""
        return {setting: each.value(parameters[setting]) for setting, each in self.space.items()}

    def runs(self, number: int, settings: Mapping[str, Any]) -> tuple[PlannedRun, ...]:
        """Returns the runs of a trial, one for each seed.

        Raises:
            ValueError: If the settings do not fit together.
        """
        name, change = variant(number, settings), nested(settings.items())
        return tuple(
            PlannedRun(
                name,
                seed,
                RunConfig.from_dict(self.base, change, {"training": {"seed": seed}}),
                Path("runs") / f"trial-{number:03d}" / f"seed-{seed}",
            )
            for seed in self.seeds
        )


def variant(number: int, settings: Mapping[str, Any]) -> str:
    """Returns the name of a trial in the table."""
    return f"trial {number}: {row_name(nested(settings.items()))}"


def read_search(file: str, table: Any, base: Mapping[str, Any], seeds: tuple[int, ...]) -> SearchPlan:
    """Reads the table `[optuna]` of a sweep.

    Args:
        file: Name of the file, for messages.
        table: The table.
        base: Settings that all runs share.
        seeds: Seeds of each trial.

    Raises:
        ValueError: If a value is not valid.
    """
    if not isinstance(table, Mapping):
        raise ValueError(f"[optuna] must be a table. Received: optuna={quoted(table)}")
    given = {"num_trials": 20, "seed": 0, "sampler": "tpe", "pruner": "median", **table}
    num_trials, seed, sampler, pruner = (given.pop(name) for name in _OWN)
    if type(num_trials) is not int or num_trials < 1 or type(seed) is not int or seed < 0:
        raise ValueError(
            "[optuna] needs num_trials, an integer of at least 1, and seed, of at least 0. "
            f"Received: num_trials={quoted(num_trials)}, seed={quoted(seed)}"
        )
    for name, value in given.items():
        if not isinstance(value, Mapping) and "." not in name:
            raise ValueError(
                f"[optuna] has no setting {name}.{nearest(name, _OWN)} Expected {', '.join(_OWN)}, and settings of "
                f"runs with their table, such as training.learning_rate. Received: {name}={quoted(value)}"
            )
    space = read_space(given, "optuna")
    if not space:
        raise ValueError(
            "[optuna] needs at least one setting to search, as in training.learning_rate = {low = 1e-4, high = 1e-2, "
            "log = true}."
        )
    _check_space(file, base, space)
    return SearchPlan(
        base, space, seeds, num_trials, seed, resolved(sampler, "optuna.sampler"), resolved(pruner, "optuna.pruner")
    )


def _check_space(file: str, base: Mapping[str, Any], space: Space) -> None:
    """Raises ValueError if a setting, a value or a bound is not valid."""
    first = {setting: each.examples[0] for setting, each in space.items()}
    for setting, each in space.items():
        for value in each.examples:
            try:
                RunConfig.from_dict(base, nested({**first, setting: value}.items()))
            except ValueError as error:
                raise ValueError(f"{file}, [optuna] {setting}: {error}") from error
        labels = getattr(each, "labels", ())
        if len(set(labels)) < len(labels):
            raise ValueError(
                f"{file}, [optuna] {setting} has a value twice. Each must be different as text. "
                f"Received: {', '.join(labels)}"
            )
