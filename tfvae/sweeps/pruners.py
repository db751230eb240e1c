"""Pruners of Optuna, which stop trials that are worse than others. A step is an epoch, and the first one is 0."""

from typing import Any


def none() -> Any:
    """No trial is stopped before its last epoch."""
    from optuna.pruners import NopPruner

    return NopPruner()


def median(n_startup_trials: int = 5, n_warmup_steps: int = 0, interval_steps: int = 1, n_min_trials: int = 1) -> Any:
    """Stops a trial whose best validation ELBO so far is below the median of earlier trials at the same epoch.

    Args:
        n_startup_trials: Number of trials that must finish before one is stopped.
        n_warmup_steps: Number of epochs in which no trial is stopped.
        interval_steps: Number of epochs between two checks.
        n_min_trials: Number of earlier trials that must have reached the epoch.
    """
    from optuna.pruners import MedianPruner

    return MedianPruner(n_startup_trials, n_warmup_steps, interval_steps, n_min_trials=n_min_trials)


def percentile(
    percentile: float,
    n_startup_trials: int = 5,
    n_warmup_steps: int = 0,
    interval_steps: int = 1,
    n_min_trials: int = 1,
) -> Any:
    """Stops a trial that is not among the best earlier trials at the same epoch.

    Args:
        percentile: Percentage of trials that go on, between 0 and 100.
        n_startup_trials: Number of trials that must finish before one is stopped.
        n_warmup_steps: Number of epochs in which no trial is stopped.
        interval_steps: Number of epochs between two checks.
        n_min_trials: Number of earlier trials that must have reached the epoch.
    """
    from optuna.pruners import PercentilePruner

    return PercentilePruner(percentile, n_startup_trials, n_warmup_steps, interval_steps, n_min_trials=n_min_trials)


def successive_halving(
    min_resource: int = 1, reduction_factor: int = 4, min_early_stopping_rate: int = 0, bootstrap_count: int = 0
) -> Any:
    """Asynchronous successive halving: only the best of the trials that reach an epoch go on to a later one.

    Args:
        min_resource: Number of epochs that each trial has.
        reduction_factor: Of this many trials, one goes on to this many times the epochs.
        min_early_stopping_rate: Multiplies `min_resource` by this power of `reduction_factor`.
        bootstrap_count: Number of trials that must reach an epoch before one goes on.

    References:
        Liam Li et al., "A System for Massively Parallel Hyperparameter Tuning", 2018, arXiv:1810.05934.
    """
    from optuna.pruners import SuccessiveHalvingPruner

    return SuccessiveHalvingPruner(min_resource, reduction_factor, min_early_stopping_rate, bootstrap_count)


def hyperband(max_resource: int, min_resource: int = 1, reduction_factor: int = 3, bootstrap_count: int = 0) -> Any:
    """Several successive halvings, which differ in how early they stop trials.

    Args:
        max_resource: Number of epochs of a trial that is not stopped.
        min_resource: Number of epochs that each trial has.
        reduction_factor: Of this many trials, one goes on to this many times the epochs.
        bootstrap_count: Number of trials that must reach an epoch before one goes on.

    References:
        Lisha Li et al., "Hyperband", 2016, arXiv:1603.06560.
    """
    from optuna.pruners import HyperbandPruner

    return HyperbandPruner(min_resource, max_resource, reduction_factor, bootstrap_count)


def threshold(lower: float, n_warmup_steps: int = 0, interval_steps: int = 1) -> Any:
    """Stops a trial whose validation ELBO is below a number.

    Args:
        lower: Lowest validation ELBO.
        n_warmup_steps: Number of epochs in which no trial is stopped.
        interval_steps: Number of epochs between two checks.
    """
    from optuna.pruners import ThresholdPruner

    return ThresholdPruner(lower=lower, n_warmup_steps=n_warmup_steps, interval_steps=interval_steps)
