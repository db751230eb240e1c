"""Checks of a sweep before its first run."""

from collections.abc import Mapping

from tfvae._errors import quoted
from tfvae.parts import FAMILIES
from tfvae.sweeps.plan import Plan
from tfvae.training.config import RunConfig
from tfvae.training.own_code import require_allowed


def check_plan(plan: Plan, allow_code: bool) -> None:
    """Checks the settings of all runs, as far as that needs no data.

    Raises:
        ValueError: If an argument of a part is wrong, or a network is the user's own without `allow_code`. The message
            names the row.
    """
    for run in plan.runs:
        if run.seed != plan.runs[0].seed:
            return
        try:
            require_allowed(run.config.model, allow_code)
            if _has_arguments(run.config):
                from tfvae.training.check_parts import check_parts  # imports Keras, which names alone do not need

                check_parts(run.config)
        except ValueError as error:
            raise ValueError(f"Row {quoted(run.variant)} of the sweep: {error}") from error


def _has_arguments(config: RunConfig) -> bool:
    """Whether a part of a run has arguments, which are checked against its constructor."""
    tables = config.to_dict()
    values = (tables.get(setting.split(".")[0], {}).get(setting.split(".")[1]) for setting in FAMILIES)
    return bool(config.training.callbacks) or any(isinstance(value, Mapping) for value in values)
