"""Importance Weighted Autoencoders, Burda, Grosse & Salakhutdinov 2016, arXiv 1509.00519: table 1, MNIST, one layer."""

import dataclasses
import functools
import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras

from tfvae import data, evaluation, layers, networks
from tfvae.data import Split
from tfvae.estimators import SGVB, Estimator, ImportanceWeighted
from tfvae.models import VAE
from tfvae.papers.curves import Curve, trained_curve
from tfvae.papers.in_memory import in_memory
from tfvae.papers.job import Job
from tfvae.papers.result import Claim, Result, Setting
from tfvae.papers.scheduled_learner import PassesLearner
from tfvae.training.initial_weights import start_at_marginals

__all__ = ["BUDGETS", "DATA", "EXPERIMENTS", "INTRODUCTION", "TITLE", "Budget", "Row", "build_vae", "table_1"]

TITLE = "Importance Weighted Autoencoders, reproduced"
INTRODUCTION = (
    "The rows of table 1 of Burda, Grosse & Salakhutdinov 2016 ([arXiv 1509.00519](https://arxiv.org/abs/1509.00519)) "
    "for MNIST and one stochastic layer: the VAE and the importance-weighted autoencoder with k samples. The test "
    "images are binarised once with a fixed seed, the training images again in every pass."
)

LATENT_SIZE, HIDDEN, BATCH_SIZE = 50, (200, 200), 20
NUM_PASSES = tuple(3**i for i in range(8))  # 3,280 in all
RATES = tuple(1e-3 * 10 ** (-i / 7) for i in range(8))
EPSILON = 1e-4  # epsilon of Adam
_PASSES_PER_STRETCH = 4  # each stretch has its own order and binarisation of the examples
_TOLERANCE = 0.5  # nats from the published number, at full length


@dataclasses.dataclass(frozen=True)
class Row:
    """Row of table 1.

    Attributes:
        model: "VAE" or "IWAE".
        k: Samples of z per data point.
        negative_log_likelihood: Published value in nats.
        active_units: Published number of active units.
    """

    model: str
    k: int
    negative_log_likelihood: float
    active_units: int

    @property
    def estimator(self) -> Estimator:
        """Estimator A for the VAE, as in the paper. With one sample, both models have the same estimator."""
        return SGVB(self.k, kl="monte_carlo") if self.model == "VAE" else ImportanceWeighted(self.k)


PUBLISHED = (
    Row("VAE", 1, 86.76, 19),
    Row("VAE", 5, 86.47, 20),
    Row("VAE", 50, 86.35, 20),
    Row("IWAE", 5, 85.54, 22),
    Row("IWAE", 50, 84.78, 25),
)


@dataclasses.dataclass(frozen=True)
class Budget:
    """Fraction of the paper's training schedule for each row.

    Attributes:
        shares: Model, k and fraction of the schedule.
        num_importance_samples: Importance samples per image for log p(x). The paper uses 5,000.
        num_train: Number of training images.
        num_test: Number of test images.
    """

    shares: tuple[tuple[str, int, float], ...]
    num_importance_samples: int = 5_000
    num_train: int = 60_000
    num_test: int = 10_000


_KINDS = tuple((row.model, row.k) for row in PUBLISHED)
BUDGETS = {
    "quick": Budget((("VAE", 1, 0.001), ("IWAE", 5, 0.001)), num_importance_samples=100, num_train=2_000, num_test=200),
    "standard": Budget((("VAE", 1, 1.0), *((*kind, 0.01) for kind in _KINDS))),
    "full": Budget(tuple((*kind, 1.0) for kind in _KINDS)),
}


def build_vae(train: Split, row: Row, share: float, seed: int) -> VAE:
    """Builds the model of the paper and compiles it with its learning-rate schedule.

    Encoder and decoder have two hidden layers of 200 tanh units. There are 50 latent dimensions.

    Args:
        train: Training images. The last bias of the decoder starts at the logits of the mean pixel values.
        row: Row of the table.
        share: Fraction of the schedule.
        seed: Random seed of the initial weights and of all draws in training.
    """
    keras.utils.set_random_seed(seed)
    likelihood, posterior = layers.IndependentBernoulli, layers.MultivariateNormalDiag
    encoder = networks.mlp(posterior.params_size(LATENT_SIZE), HIDDEN, "tanh")
    decoder = networks.mlp(likelihood.params_size(train.event_shape), HIDDEN, "tanh")
    vae = VAE(
        keras.Sequential([encoder, posterior(LATENT_SIZE)]),
        keras.Sequential([decoder, likelihood(train.event_shape)]),
        estimator=row.estimator,
        seed=seed,
    )
    start_at_marginals(vae, train, "bernoulli")
    steps_a_pass = len(train) // BATCH_SIZE
    ends = [round(sum(NUM_PASSES[: i + 1]) * share * steps_a_pass) for i in range(len(NUM_PASSES))]
    rate = keras.optimizers.schedules.PiecewiseConstantDecay(ends[:-1], list(RATES))
    vae.compile(keras.optimizers.Adam(rate, epsilon=EPSILON), jit_compile=True, steps_per_execution=100)
    return vae


def _learner(vae: VAE, train: Split, seed: int) -> PassesLearner:
    return PassesLearner(vae, train, batch_size=BATCH_SIZE, seed=seed, binarize="dynamic")


def table_1(job: Job, budget: Budget) -> Result:
    """Reproduces table 1: -log p(x) of the test images and active units."""
    published = {(row.model, row.k): row for row in PUBLISHED}
    rows = [(published[model, k], share) for model, k, share in budget.shares]
    found = [(row, share, _curve(job, budget, row, share)) for row, share in rows]
    return Result(
        title="Table 1: MNIST, one stochastic layer",
        settings=_settings(budget),
        numbers={_name(row, share): curve.to_dict() for row, share, curve in found},
        claims=_claims(found),
        tables={"-log p(x) of the test images, nats; active units": _table(found)},
        remarks=[
            "Shorter schedules keep all stages of the paper's schedule in proportion. The published numbers are for "
            "the full schedule.",
            *_reliability_remarks(budget, found),
        ],
    )


def _name(row: Row, share: float) -> str:
    return f"{row.model.lower()}-k{row.k}-share{share:g}"


@functools.cache
def _mnist() -> tuple[Split, Split]:
    return in_memory(data.load("mnist"))


def _curve(job: Job, budget: Budget, row: Row, share: float) -> Curve:
    train, test = _mnist()
    train, binary = train.take(budget.num_train), test.binarized(seed=0).take(budget.num_test)
    num_passes = max(1, round(sum(NUM_PASSES) * share))

    def measure(vae: VAE) -> dict[str, Any]:
        record = evaluation.log_marginal(
            vae, binary, num_importance_samples=budget.num_importance_samples, seed=job.seed
        )
        bound = evaluation.elbo(vae, binary, num_samples=10, batch_size=500, seed=job.seed)
        active = evaluation.diagnostics(vae, binary, num_mixture_examples=100, seed=job.seed).active_units
        return {
            "negative_log_likelihood": -record.mean,
            "standard_error": record.standard_error,
            "details": record.to_dict(),
            "elbo": bound.mean,
            "active_units": None if active is None else active.num_active,
            "passes": num_passes,
        }

    return trained_curve(
        job,
        f"mnist-{_name(row, share)}",
        lambda: _learner(build_vae(train, row, share, job.seed), train, job.seed),
        measure,
        at=[num_passes * len(train)],
        setup={
            "num_importance_samples": budget.num_importance_samples,
            "num_train": budget.num_train,
            "num_test": budget.num_test,
        },
        most_unsaved=_PASSES_PER_STRETCH * len(train),
    )


def _settings(budget: Budget) -> list[Setting]:
    rates = "0.001 * 10^(-i/7) for 3^i passes, i = 0..7"
    return [
        Setting("", "data", "tfvae.data.load", "mnist, binarised again in every pass; test images once"),
        Setting("", "latent dimensions", "LATENT_SIZE", str(LATENT_SIZE)),
        Setting("", "hidden units, tanh", "HIDDEN", " and ".join(map(str, HIDDEN))),
        Setting("k", "samples of z per data point", "SGVB(k), ImportanceWeighted(k)", "1, 5, 50"),
        Setting("", "minibatch", "BATCH_SIZE", str(BATCH_SIZE)),
        Setting("", "Adam, epsilon", "EPSILON", f"{EPSILON:g}"),
        Setting("", "learning rate", "RATES, NUM_PASSES", rates),
        Setting("", "share of the schedule", "Budget.shares", "in the table"),
        Setting("", "importance samples of log p(x)", "num_importance_samples", f"{budget.num_importance_samples:,}"),
        Setting("", "training images", "Budget.num_train", f"{budget.num_train:,}"),
        Setting("", "test images", "Budget.num_test", f"{budget.num_test:,}"),
    ]


def _table(found: Sequence[tuple[Row, float, Curve]]) -> str:
    lines = [
        "| model | k | passes | -log p(x) | published, 3,280 passes | active units | published | training time |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for row, _, curve in found:
        last = curve.points[-1]
        lines.append(
            f"| {row.model} | {row.k} | {last['passes']:,} | {last['negative_log_likelihood']:.2f} ± "
            f"{last['standard_error']:.2f} | {row.negative_log_likelihood:.2f} | {last['active_units']} "
            f"| {row.active_units} | {curve.seconds / 60:,.0f} min |"
        )
    return "\n".join(lines)


def _reliability_remarks(budget: Budget, found: Sequence[tuple[Row, float, Curve]]) -> list[str]:
    """Describes the reliability of the estimates, judged by their importance weights, if these were examined."""
    known = [(row, share, curve.points[-1]["details"]) for row, share, curve in found if "details" in curve.points[-1]]
    if not known:
        return []
    threshold = known[0][2]["pareto_k_threshold"]  # depends on the number of samples
    counts = "; ".join(
        f"{row.model}, k = {row.k}, {share:g} of the schedule: {d['num_above_threshold']:,}" for row, share, d in known
    )
    return [
        f"The estimate by {budget.num_importance_samples:,} importance samples is the paper's and can be compared with "
        "its numbers. It somewhat overestimates -log p(x), by more than its standard error, because a few samples "
        f"dominate (Pareto k above {threshold:g}) for the following numbers of the {budget.num_test:,} test images: "
        f"{counts}."
    ]


def _claims(found: Sequence[tuple[Row, float, Curve]]) -> list[Claim]:
    claims = []
    for row, share, curve in found:
        value = curve.points[-1]["negative_log_likelihood"]
        if share == 1.0:
            text = f"{row.model}, k = {row.k}, full schedule: -log p(x) is within {_TOLERANCE} nats of the published "
            is_near = abs(value - row.negative_log_likelihood) <= _TOLERANCE
            seen = f"{value:.2f} ± {curve.points[-1]['standard_error']:.2f} nats."
            claims.append(Claim(f"{text}{row.negative_log_likelihood:.2f}.", is_near, seen))
    for share in sorted({share for _, share, _ in found}):
        by_k: Mapping[int, float] = {
            row.k: curve.points[-1]["negative_log_likelihood"]
            for row, its_share, curve in found
            if its_share == share and (row.model == "IWAE" or row.k == 1)
        }
        if len(by_k) > 1:
            values = [by_k[k] for k in sorted(by_k)]
            claims.append(
                Claim(
                    f"More importance samples give a better model: -log p(x) falls with k ({share:g} of the schedule).",
                    all(a > b for a, b in itertools.pairwise(values)),
                    ", ".join(f"k = {k}: {by_k[k]:.2f}" for k in sorted(by_k)) + " nats.",
                )
            )
    return claims


EXPERIMENTS = {"table-1": table_1}
# Data that each experiment needs.
DATA: dict[str, tuple[Callable[[Job], object], ...]] = {"table-1": (lambda job: _mnist(),)}
