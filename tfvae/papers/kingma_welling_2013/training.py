"""The paper's curves: one model, one algorithm, one data set."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from tfvae import evaluation
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
from tfvae.papers.kingma_welling_2013.data_sets import DataSet
from tfvae.papers.kingma_welling_2013.monte_carlo_em import MonteCarloEM
from tfvae.papers.result import Setting

Algorithm = Literal["aevb", "wake_sleep", "mcem"]

NAMES = {"aevb": "AEVB", "wake_sleep": "wake-sleep", "mcem": "Monte Carlo EM"}
COLORS = {"aevb": "C3", "wake_sleep": "C2", "mcem": "C0"}
_FIRST_POINT = 10_000
_NUM_SCORED = 1_000


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
    points_per_decade: int | None = None,
) -> Curve:
    """Trains a model of the paper and measures it along the way.

    Args:
        job: where to work.
        budget: how long to train.
        data_set: what on.
        algorithm: how.
        latent_size: N_z.
        hidden: units of each hidden layer.
        num_train: the first so many training images only; None is all.
        measure: from the model and data to numbers by name.
        measured: what they are, for the folder's name.
        points_per_decade: measurements between powers of ten of samples; None is the budget's.
    """
    if num_train is not None:
        data_set = first(data_set, num_train)
    at = decades(_FIRST_POINT, budget.num_samples, points_per_decade or budget.points_per_decade, 5 * BATCH_SIZE)
    name = f"{data_set.name}-{measured}-{algorithm}-z{latent_size}-h{hidden}-n{len(data_set.train)}"

    def make_learner() -> Learner:
        vae = build_vae(
            data_set.train.event_shape,
            likelihood=data_set.likelihood,
            latent_size=latent_size,
            hidden=hidden,
            num_train=len(data_set.train),
            estimator=ESTIMATORS["aevb" if algorithm == "mcem" else algorithm],
            seed=job.seed,
        )
        if algorithm == "mcem":
            return MonteCarloEM(vae, data_set.train, seed=job.seed)
        return AlgorithmOne(vae, data_set.train, seed=job.seed, jit_compile=budget.jit_compile)

    def score(vae: VAE) -> float:
        if algorithm == "mcem":
            return log_marginal(vae, data_set.train, 100, job.seed).mean
        return evaluation.elbo(vae, data_set.train.take(_NUM_SCORED), batch_size=_NUM_SCORED, seed=job.seed).mean

    return trained_curve(
        job,
        name,
        make_learner,
        lambda vae: measure(vae, data_set),
        at=at,
        setup={"measured": [budget.num_bound, budget.num_marginal]},
        pilots=Pilots(LEARNING_RATES, budget.pilot_samples, score),
    )


def first(data_set: DataSet, num_train: int) -> DataSet:
    """The data set with its first training examples only."""
    return DataSet(data_set.name, data_set.train.take(num_train), data_set.test, data_set.likelihood, data_set.hidden)


def log_marginal(vae: VAE, split: Any, num_examples: int, seed: int) -> evaluation.Record:
    """Log p(x) of the first examples, by the estimator of appendix D.

    As in the paper 50 samples of each posterior, of which half the density is fitted to, and up to 4 leapfrog steps
    between them. The chains start from the prior, so that the estimate depends on the decoder alone.
    """
    return evaluation.log_marginal_hmc(
        vae,
        split.take(num_examples),
        num_samples=50,
        num_burnin=60,
        num_chains=1,
        max_tree_depth=2,
        start="prior",
        batch_size=min(num_examples, 500),
        seed=seed,
    )


def settings(data_set_names: str, latent_sizes: Sequence[int], hidden: str, num_samples: int) -> list[Setting]:
    """The rows of a set-up that all figures share."""
    return [
        Setting("", "data", "tfvae.data.load", data_set_names),
        Setting("N_z", "latent dimensions", "latent_size", ", ".join(map(str, latent_sizes))),
        Setting("", "hidden units, one tanh layer in encoder and decoder", "hidden", hidden),
        Setting("M", "minibatch", "BATCH_SIZE", str(BATCH_SIZE)),
        Setting("L", "samples of z a data point", "SGVB(num_samples)", "1"),
        Setting("", "estimator of AEVB", "SGVB(kl='analytic')", "B, equation 10"),
        Setting("", "first weights", "INITIAL_VARIANCE", f"N(0, {INITIAL_VARIANCE}), its variance"),
        Setting("p(theta)", "prior on all weights, MAP", "L2(1 / (2 N))", "N(0, I)"),
        Setting("", "optimizer", "adagrad", "Adagrad, sums of squares from zero"),
        Setting("", "global step", "LEARNING_RATES", "the best of 0.01, 0.02, 0.1 on the first samples"),
        Setting("", "training samples a curve", "Budget.num_samples", f"{num_samples:,}"),
    ]
