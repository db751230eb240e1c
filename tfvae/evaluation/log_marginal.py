"""The marginal log-likelihood log p(x), by importance sampling."""

import dataclasses
import math
import warnings
from typing import Any

import numpy as np

from tfvae._checks import whole_number
from tfvae._seeds import stateless_seed
from tfvae.estimators import Estimator, ImportanceEstimate, importance_estimate
from tfvae.estimators.monte_carlo import CHUNK_SIZE
from tfvae.evaluation._batches import batches_of_examples, details_of, num_observed
from tfvae.evaluation._chains import can_run_chains
from tfvae.evaluation._compiled import compiled
from tfvae.evaluation._finite import require_finite
from tfvae.evaluation._latents import example_prior
from tfvae.evaluation._levels import about_levels
from tfvae.evaluation._pareto import pareto_k, pareto_k_threshold, tail_size
from tfvae.evaluation._proposal import about_proposal, require_proposal, with_proposal
from tfvae.evaluation._reliability import unreliable_message
from tfvae.evaluation.record import Record
from tfvae.models import VAE
from tfvae.models.batch import Batch
from tfvae.priors import Conditional
from tfvae.typing import Seed, Tensor


def log_marginal(
    vae: VAE,
    data: Any,
    *,
    num_importance_samples: int = 5000,
    batch_size: int = 100,
    chunk_size: int = CHUNK_SIZE,
    estimator: Estimator | None = None,
    seed: Seed = 0,
) -> Record:
    """Estimates log p(x) as log (1/K) sum_k p(x, z_k) / q(z_k|x), z_k ~ q(z|x), of each example, in nats.

    The estimate is a lower bound on log p(x) in expectation, with a bias that falls like 1/K. It works with any latents
    and is the cheapest estimator of log p(x). Use `log_marginal_ais` if q(z|x) is a poor approximation of the
    posterior, and `log_marginal_hmc` for models with few latent dimensions.

    Args:
        vae: The model.
        data: An array `[N, *event]`, a `tfvae.data.Split`, or a data set whose batches contain x.
        num_importance_samples: K, number of draws per example.
        batch_size: Number of examples per batch, for arrays and splits. Does not affect the results.
        chunk_size: Number of draws of one example that are decoded at a time, at most 5,000. Affects the results only
            by rounding. A smaller number takes less memory, a larger one is faster on a large machine.
        estimator: An estimator with draws of its own, an `EstimatorWithProposal` such as `HamiltonianELBO`, whose
            density then takes the place of q(z|x): `estimator=vae.estimator`. None is q(z|x), for any model.
        seed: An int or an int32 tensor `[2]`. The draws of an example depend on the seed and on its index in the data.

    Returns:
        A `Record`. Its diagnostics are K; the median and the smallest effective sample size (sum w)^2 / sum w^2 of the
        examples; the median and the largest Pareto shape k of the weights' tail (None for K below 25, which is too few
        to tell); the threshold of k above which K draws are too few; and the number of examples above it. Its details,
        `[N]` each, are `effective_sample_size` and `pareto_k`.

    Raises:
        TypeError: If `estimator` is not an estimator.
        ValueError: If a count is below 1, the draws of `estimator` are those of q(z|x), there are no examples, the data
            do not fit the model, or log p(x) is not finite.

    Warns:
        UserWarning: Once, if k is above the threshold for any example.

    Numerics:
        Weights are averaged in float64, as logarithms. `monte_carlo_variance` is from the delta method; it is too small
        for examples whose k is above the threshold.

    References:
        Burda, Grosse & Salakhutdinov, Importance Weighted Autoencoders, 2015, arXiv 1509.00519, equation 8 and
        theorem 1.
        Vehtari et al., Pareto Smoothed Importance Sampling, 2015, arXiv 1507.02646.
    """
    k = whole_number(num_importance_samples, "num_importance_samples")
    chunk_size, num_tail = whole_number(chunk_size, "chunk_size"), tail_size(k)
    num_largest = num_tail + 1 if num_tail else 0
    require_proposal(estimator)
    terms, seed = compiled(vae, _Terms(estimator)), stateless_seed(seed)
    parts: list[tuple[np.ndarray, ...]] = []
    first = 0
    about: dict[str, int] = {}
    counts: list[np.ndarray] = []
    for x in batches_of_examples(vae, data, batch_size):
        about = about_levels(vae, x) if first == 0 else about
        part = [field.numpy() for field in terms(x, (k, first, chunk_size, num_largest), seed)]
        require_finite(vae, part[0], first, x=x)
        parts.append((part[0], part[1], pareto_k(part[2])))
        first += len(part[0])
        counts += num_observed(x)
    estimate, effective, shapes = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    threshold = pareto_k_threshold(k)
    num_above = int(np.sum(shapes > threshold))
    if num_above:
        _warn(num_above, shapes, threshold, k, can_run_chains(example_prior(vae)))
    # Delta method: Var[log mean w] = Var[w] / (K E[w]^2) = 1/ESS - 1/K.
    variance = np.maximum(1.0 / effective - 1.0 / k, 0.0)
    return Record(
        name="log_marginal",
        unit="nats",
        per_example=estimate,
        monte_carlo_variance=np.full_like(variance, np.nan) if k == 1 else variance,
        diagnostics={
            "num_importance_samples": k,
            "effective_sample_size_median": float(np.median(effective)),
            "effective_sample_size_min": float(np.min(effective)),
            "pareto_k_median": _finite_or_none(np.median(shapes)),
            "pareto_k_max": _finite_or_none(np.max(shapes)),
            "pareto_k_threshold": threshold,
            "num_above_threshold": num_above,
            **about_proposal(estimator),
            **about,
        },
        details={"effective_sample_size": effective, "pareto_k": shapes} | details_of(counts),
    )


@dataclasses.dataclass(frozen=True)
class _Terms:
    """The function to compile, which is equal for the same estimator."""

    estimator: Estimator | None

    def __call__(self, vae: VAE, x: Tensor | Batch, numbers: tuple[Tensor, ...], seed: Tensor) -> ImportanceEstimate:
        k, first_index, chunk_size, num_largest = numbers
        prior = None if isinstance(vae.prior, Conditional) else vae.prior_of()  # once, not for each example
        return importance_estimate(
            x,
            lambda example: with_proposal(vae.problem(example, prior=prior), self.estimator, chunk_size=chunk_size),
            num_importance_samples=k,
            seed=seed,
            first_index=first_index,
            chunk_size=chunk_size,
            num_largest=num_largest,
        )


def _finite_or_none(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _warn(num_above: int, shapes: np.ndarray, threshold: float, k: int, has_chains: bool) -> None:
    also = ", or use log_marginal_ais" if has_chains else ""
    message = unreliable_message(
        "log_marginal",
        num_above,
        len(shapes),
        num_draws=k,
        threshold=threshold,
        largest=_finite_or_none(np.max(shapes)),
    )
    warnings.warn(
        f"{message} Use more draws (num_importance_samples), train the encoder longer or give it a richer "
        f"posterior{also}.",
        UserWarning,
        stacklevel=3,
    )
