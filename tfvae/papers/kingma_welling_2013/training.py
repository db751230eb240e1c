"""Curves of the paper: training and measuring one model with one algorithm on one data set."""

import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from tfvae import evaluation
from tfvae.data import Split
from tfvae.evaluation import NotFiniteError
from tfvae.models import VAE
from tfvae.papers.curves import Curve, Learner, Pilots, decades, trained_curve
from tfvae.papers.job import Job
from tfvae.papers.kingma_welling_2013.algorithm_1 import (
    BATCH_SIZE,
    ESTIMATORS,
    INITIAL_VARIANCE,
    LEARNING_RATES,
    AlgorithmOne,
    build_vae,
)
from tfvae.papers.kingma_welling_2013.budgets import Budget
from tfvae.papers.kingma_welling_2013.data_sets import BINARIZATION_SEED, DataSet
from tfvae.papers.kingma_welling_2013.monte_carlo_em import MonteCarloEM
from tfvae.papers.result import Setting

Algorithm = Literal["aevb", "wake_sleep", "mcem"]

NAMES = {"aevb": "AEVB", "wake_sleep": "wake-sleep", "mcem": "Monte Carlo EM"}
COLORS = {"aevb": "C3", "wake_sleep": "C2", "mcem": "C0"}
_FIRST_POINT = 10_000
_NUM_SCORED, _NUM_SCORED_BY_CHAINS = 1_000, 100
_CHAINS_AT_A_TIME = 500


def curve_of(
    job: Job,
    budget: Budget,
    data_set: DataSet,
    algorithm: Algorithm,
    *,
    latent_size: int,
    hidden: int,
    num_train: int | None = None,
    measure: Callable[[VAE, DataSet], Mapping[str, Any]],
    measured: str,
    setup: Mapping[str, Any],
    points_per_decade: int | None = None,
    initial_variance: float = INITIAL_VARIANCE,
) -> Curve:
    """Trains a model of the paper and measures it along the way.

    Args:
        job: Job that provides folder, seed and progress messages.
        budget: Budget that sets the training length.
        data_set: Data set to train on.
        algorithm: Training algorithm.
        latent_size: N_z.
        hidden: Units of each hidden layer.
        num_train: Number of training images to use, from the first. None uses all.
        measure: Function from model and data to measured values by name.
        measured: Name of the measured quantity, used in the name of the folder.
        setup: Settings that the measurements depend on.
        points_per_decade: Measurements per power of ten of samples. None uses the value of the budget.
        initial_variance: Variance of the initial weights.
    """
    if num_train is not None:
        data_set = first(data_set, num_train)
    at = decades(_FIRST_POINT, budget.num_samples, points_per_decade or budget.points_per_decade, 5 * BATCH_SIZE)
    name = f"{data_set.name}-{measured}-{algorithm}-z{latent_size}-h{hidden}-n{len(data_set.train)}"
    if initial_variance != INITIAL_VARIANCE:
        name += f"-v{initial_variance:g}"

    def make_learner() -> Learner:
        vae = build_vae(
            data_set.train.event_shape,
            likelihood=data_set.likelihood,
            latent_size=latent_size,
            hidden=hidden,
            num_train=len(data_set.train),
            estimator=ESTIMATORS["aevb" if algorithm == "mcem" else algorithm],
            seed=job.seed,
            initial_variance=initial_variance,
        )
        if algorithm == "mcem":
            return MonteCarloEM(vae, data_set.train, seed=job.seed)
        return AlgorithmOne(vae, data_set.train, seed=job.seed, jit_compile=budget.jit_compile)

    def score(vae: VAE) -> float:
        if algorithm == "mcem":
            record = log_marginal(vae, data_set.train, _NUM_SCORED_BY_CHAINS, budget.chains, job.seed)
        else:
            record = bound(vae, data_set.train.take(_NUM_SCORED), batch_size=_NUM_SCORED, seed=job.seed)
        return mean_and_error("score", record)["score"]

    return trained_curve(
        job,
        name,
        make_learner,
        lambda vae: measure(vae, data_set),
        at=at,
        setup={"initial_variance": initial_variance, "binarization_seed": BINARIZATION_SEED, **setup},
        pilots=Pilots(LEARNING_RATES, budget.pilot_samples, score),
    )


def first(data_set: DataSet, num_train: int) -> DataSet:
    """Returns the data set with its first `num_train` training examples only."""
    return DataSet(data_set.name, data_set.train.take(num_train), data_set.test, data_set.likelihood, data_set.hidden)


def bound(vae: VAE, split: Split, *, batch_size: int, seed: int) -> evaluation.Record | None:
    """Computes the ELBO with one draw per example. Returns None if it is not finite because training diverged."""
    try:
        return evaluation.elbo(vae, split, num_samples=1, batch_size=batch_size, seed=seed)
    except NotFiniteError:
        return None


def mean_and_error(name: str, record: evaluation.Record | None) -> dict[str, float]:
    """Returns mean and standard error of a bound or of log p(x) for a curve, NaN if it was not finite."""
    mean, error = (math.nan, math.nan) if record is None else (record.mean, record.standard_error)
    return {name: mean, f"{name}_standard_error": error}


def lead(ours: float, theirs: float) -> float:
    """Returns the difference of two values, or minus infinity if one of them is not finite."""
    return -math.inf if math.isnan(ours - theirs) else ours - theirs


def log_marginal(
    vae: VAE, split: Split, num_examples: int, chains: Mapping[str, int], seed: int
) -> evaluation.Record | None:
    """Estimates log p(x) of the first examples as in appendix D. Returns None if it is not finite.

    The chains start from the prior, so that the estimate depends on the decoder only.
    """
    with warnings.catch_warnings():
        # Chains with low acceptance warn. Their acceptance is among the recorded numbers.
        warnings.filterwarnings("ignore", "For .* examples fewer than", UserWarning)
        try:
            return evaluation.log_marginal_hmc(
                vae,
                split.take(num_examples),
                start="prior",
                batch_size=min(num_examples, _CHAINS_AT_A_TIME),
                seed=seed,
                **chains,
            )
        except NotFiniteError:
            return None


def settings(
    data_sets: Sequence[DataSet],
    latent_sizes: Sequence[int],
    hidden: str,
    budget: Budget,
    num_samples: int,
    initial_variance: float = INITIAL_VARIANCE,
) -> list[Setting]:
    """Returns the rows of the setup table that all figures share."""
    likelihoods = {
        "bernoulli": "Bernoulli; pixels binarised once by their gray values",
        "normal": "normal with means in (0, 1) by a sigmoid; gray values in [0, 1]",
    }
    return [
        Setting("", "data", "data_sets", ", ".join(data_set.name for data_set in data_sets)),
        *(Setting("p(x|z)", data_set.name, "build_vae", likelihoods[data_set.likelihood]) for data_set in data_sets),
        Setting("N_z", "latent dimensions", "latent_size", ", ".join(map(str, latent_sizes))),
        Setting("", "hidden units, one tanh layer in encoder and decoder", "hidden", hidden),
        Setting("M", "minibatch", "BATCH_SIZE", str(BATCH_SIZE)),
        Setting("L", "samples of z per data point", "SGVB(num_samples)", "1"),
        Setting("", "estimator of AEVB", "SGVB(kl='analytic')", "B, equation 10"),
        Setting(
            "",
            "standard deviation of the initial weights",
            "initial_variance",
            f"{initial_variance**0.5:g}, from N(0, 0.01) in the paper",
        ),
        Setting("p(theta)", "prior on all weights, including the encoder's: MAP", "L2(1 / (2 N))", "N(0, I)"),
        Setting("", "optimizer", "adagrad", "Adagrad, sums of squares from zero"),
        Setting(
            "",
            "global step",
            "LEARNING_RATES, Budget.pilot_samples",
            f"the best of 0.01, 0.02, 0.1 on the first {budget.pilot_samples:,} samples",
        ),
        Setting("", "training samples per curve", "Budget.num_samples", f"{num_samples:,}"),
    ]


def chain_settings(budget: Budget) -> list[Setting]:
    """Returns the rows of the setup table for `log_marginal`."""
    return [
        Setting("", "images that log p(x) is averaged over", "Budget.num_marginal", f"{budget.num_marginal:,}"),
        Setting(
            "L",
            "posterior samples per image for fitting q(z), and as many for the estimate (appendix D)",
            "num_samples",
            str(budget.chains["num_samples"]),
        ),
        Setting("", "burn-in steps of a chain", "num_burnin", str(budget.chains["num_burnin"])),
        Setting(
            "",
            "maximum leapfrog steps per sample (no-U-turn)",
            "max_tree_depth",
            str(2 ** budget.chains["max_tree_depth"] - 1),
        ),
    ]
