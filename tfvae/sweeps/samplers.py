"""Samplers of Optuna, which choose the settings of the next trial."""

import warnings
from typing import Any


def random(trial_seed: int | None = None) -> Any:
    """Draws of settings that do not depend on the results of earlier trials.

    Args:
        trial_seed: Seed of the trial.
    """
    from optuna.samplers import RandomSampler

    return RandomSampler(seed=trial_seed)


def tpe(
    n_startup_trials: int = 10,
    n_ei_candidates: int = 24,
    trial_seed: int | None = None,
) -> Any:
    """Tree-structured Parzen estimator: settings that are more frequent among the best trials than among the others.

    Trials that still run count as bad ones, so that trials at the same time differ.

    Args:
        n_startup_trials: Number of trials with random settings at the start.
        n_ei_candidates: Number of candidates of which the most promising one is taken.
        trial_seed: Seed of the trial.

    References:
        James Bergstra et al., "Algorithms for Hyper-Parameter Optimization", 2011.
    """
    from optuna.samplers import TPESampler

    return TPESampler(
        n_startup_trials=n_startup_trials, n_ei_candidates=n_ei_candidates, seed=trial_seed, constant_liar=True
    )


def qmc(qmc_type: str = "sobol", scramble: bool = False, seed: int | None = None, trial_seed: int | None = None) -> Any:
    """Quasi-random settings, which cover the space more evenly than random ones.

    Args:
        qmc_type: Sequence, "sobol" or "halton".
        scramble: Whether the sequence is randomised.
        seed: Seed of the sequence.
        trial_seed: Seed of the first trial, which is random.
    """
    from optuna.exceptions import ExperimentalWarning
    from optuna.samplers import QMCSampler, RandomSampler

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        return QMCSampler(
            qmc_type=qmc_type, scramble=scramble, seed=seed, independent_sampler=RandomSampler(seed=trial_seed)
        )
