"""Diagnostics of the latents of a trained model: rate and distortion, information, active units, collapse."""

import dataclasses
import math
from typing import Any

import numpy as np
import tensorflow as tf

from tfvae._activity import collapse
from tfvae._checks import whole_number
from tfvae._dimensions import is_vector, kl_per_dimension
from tfvae._kl import exact_kl_or_none
from tfvae._seeds import fold_in, split_seed
from tfvae.estimators.moments import moments_over_draws
from tfvae.evaluation._aggregated_posterior import aggregated
from tfvae.evaluation._batches import batches_of_examples, details_of, num_observed
from tfvae.evaluation._compiled import compiled
from tfvae.evaluation._finite import require_finite
from tfvae.evaluation._latents import exact_mean, numpy_generator, random_examples
from tfvae.evaluation._levels import about_levels
from tfvae.evaluation.dimensions import ActiveUnits, DimensionKLs
from tfvae.evaluation.record import Record, bits_per_dim
from tfvae.models import VAE
from tfvae.models.batch import Batch, rows_of, size_of, x_of
from tfvae.priors import Conditional
from tfvae.typing import Seed, Tensor


@dataclasses.dataclass(frozen=True)
class Diagnostics:
    """Result of `diagnostics`; every number is a `Record` or has standard errors.

    Attributes:
        rate: E_x KL(q(z|x) || p(z)) in nats, an upper bound on the information of z about x.
        distortion: -E_x E_q log p(x|z) in nats. The ELBO is -(rate + distortion).
        bits_per_dim: Bits per dimension of the ELBO, a bound.
        mutual_information: I(x; z) under q in nats, of `mutual_information.diagnostics["num_examples_in_mixture"]` = M
            examples; it cannot exceed log M, the diagnostic "upper_bound".
        aggregated_kl: KL(q(z) || p(z)) of the same examples, nats. Unknown for a prior p(z|c) that depends on a
            condition.
        kl_per_dimension: KL(q(z_d|x) || p(z_d)) for each d; `note` says what they add up to.
        active_units: The dimensions that respond to x; None if z is not a vector of floats, if q(z|x) has no finite
            mean, or if the mean is not known and there is only one draw.
        collapsed: Whether the posterior has collapsed, so that z no longer depends on x.
        message: A sentence about the collapse.
    """

    rate: Record
    distortion: Record
    bits_per_dim: Record
    mutual_information: Record
    aggregated_kl: Record
    kl_per_dimension: DimensionKLs
    active_units: ActiveUnits | None
    collapsed: bool
    message: str

    def to_dict(self) -> dict[str, Any]:
        """Returns the values for `report.json`."""
        records = (self.rate, self.distortion, self.bits_per_dim, self.mutual_information, self.aggregated_kl)
        return {
            **{record.name: record.to_dict() for record in records},
            "kl_per_dimension": self.kl_per_dimension.to_dict(),
            "active_units": None if self.active_units is None else self.active_units.to_dict(),
            "collapsed": self.collapsed,
            "message": self.message,
        }


def diagnostics(
    vae: VAE,
    data: Any,
    *,
    num_samples: int = 10,
    num_mixture_examples: int = 1000,
    num_levels: int | None = None,
    batch_size: int = 100,
    seed: Seed = 0,
) -> Diagnostics:
    """Decomposes the ELBO: how much z costs, how much it says about x, and which dimensions are used.

    E_x KL(q(z|x) || p(z)) = I(x; z) + KL(q(z) || p(z)), with the aggregated posterior q(z) = E_x q(z|x). Works with any
    latents; the KL of single dimensions and the active units need z to be one vector of floats, and are None, with a
    note, if it is not.

    Args:
        vae: The model. In a conditional model, all terms are given the condition, and I(x; z) is that of x and the
            condition together.
        data: An array `[N, *event]`, a `tfvae.data.Split`, or a data set whose batches contain x, with at least two
            examples.
        num_samples: S, number of draws of z per example; Monte Carlo errors need at least 2.
        num_mixture_examples: M, maximum number of examples, chosen at random, that make up q(z). The cost grows like
            M^2 S, and all M examples are encoded at once.
        num_levels: Number of levels of dequantised data, for the bits per dimension; see `bits_per_dim`.
        batch_size: Number of examples per batch, for arrays and splits.
        seed: An int or an int32 tensor `[2]`.

    Returns:
        `Diagnostics`.

    Raises:
        TypeError: If `data` is not an array, a split or a data set.
        ValueError: If a count is below 1 (2 for `num_mixture_examples`), there are fewer than two examples, the data do
            not fit the model, or the ELBO is not finite.

    Numerics:
        For the M examples themselves, I(x; z) and KL(q(z) || p(z)) are unbiased. As estimates for all data they are
        biased, I downwards and the KL upwards by the same amount, because a mixture of M posteriors cannot hold more
        than log M nats of information; near that bound, only the inequality is known. The standard errors over examples
        ignore that the mixture itself would change, which is a second-order effect.

    References:
        Hoffman & Johnson, ELBO surgery, 2016 (the decomposition); Alemi et al., Fixing a Broken ELBO, 2017,
        arXiv 1711.00464 (rate and distortion); Burda, Grosse & Salakhutdinov, Importance Weighted
        Autoencoders, 2015, arXiv 1509.00519, section 5 (active units).
    """
    num_samples = whole_number(num_samples, "num_samples")
    num_mixture_examples = whole_number(num_mixture_examples, "num_mixture_examples", at_least=2)
    seed_terms, seed_subset, seed_mixture = split_seed(seed, 3, "diagnostics")
    terms = compiled(vae, _terms)
    parts: list[Any] = []
    counts: list[np.ndarray] = []
    first: Any = None
    num_seen = 0

    def measured() -> Any:
        nonlocal first, num_seen
        for i, x in enumerate(batches_of_examples(vae, data, batch_size)):
            first = rows_of(x, slice(1)) if first is None else first
            parts.append(terms(x, num_samples, fold_in(seed_terms, i)))
            require_finite(vae, parts[-1]["elbo"].numpy(), num_seen, "The ELBO", x)
            counts.extend(num_observed(x))
            num_seen += size_of(x)
            yield x

    subset = random_examples(measured(), num_mixture_examples, numpy_generator(seed_subset))
    values = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    num_examples = len(values["kl"])
    if num_examples < 2:
        raise ValueError(f"Diagnostics need at least 2 examples to compare. Received: {num_examples} examples")
    example = vae.problem(first)
    exact = exact_kl_or_none(example.posterior, example.prior) is not None
    note = kl_per_dimension(example.posterior, example.prior).note
    rate = Record("rate", "nats", values["kl"], values["kl_variance"], {"exact": exact})
    sampled = {"exact": False, "num_samples": num_samples}
    distortion = Record("distortion", "nats", -values["log_likelihood"], values["log_likelihood_variance"], sampled)
    bound = values["log_likelihood"] - values["kl"]
    details = details_of(counts)
    elbo = Record("elbo", "nats", bound, values["elbo_variance"], about_levels(vae, subset), details)
    parts_of_rate = compiled(vae, aggregated)(subset, num_samples, seed_mixture)
    mixture = {"num_examples_in_mixture": size_of(subset)}
    about = {**sampled, **mixture, "upper_bound": math.log(size_of(subset))}
    active = None
    if "mean" in values and np.isfinite(values["mean"]).all() and not np.isnan(values["mean_variance"]).any():
        active = ActiveUnits.of(values["mean"], values["mean_variance"])
    units = None if active is None else (active.num_active, len(active.active))
    collapsed, message = collapse(rate.mean, units, rate.standard_error)
    return Diagnostics(
        rate=rate,
        distortion=distortion,
        bits_per_dim=bits_per_dim(elbo, int(np.prod(x_of(subset).shape[1:])), num_levels),
        mutual_information=_record(
            "mutual_information", parts_of_rate.information, parts_of_rate.information_variance, about
        ),
        # With a prior of each condition, the difference of rate and information is no KL of the aggregated posterior.
        aggregated_kl=Record.unknown("aggregated_kl", "nats", size_of(subset), **mixture)
        if isinstance(vae.prior, Conditional)
        else _record(
            "aggregated_kl",
            parts_of_rate.marginal_kl,
            parts_of_rate.marginal_kl_variance,
            {**sampled, **mixture},
        ),
        kl_per_dimension=DimensionKLs.of(values.get("dimensions"), values.get("dimensions_variance"), note),
        active_units=active,
        collapsed=collapsed,
        message=message,
    )


def _record(name: str, per_example: Tensor, variance: Tensor, about: dict[str, Any]) -> Record:
    return Record(name, "nats", per_example.numpy(), variance.numpy(), about)


def _terms(vae: VAE, x: Tensor | Batch, num_samples: Tensor, seed: Tensor) -> dict[str, Tensor]:
    """Computes the terms of each example as means over draws, and the variances of these means."""
    problem = vae.problem(x)
    posterior, prior = problem.posterior, problem.prior
    exact = exact_kl_or_none(posterior, prior)
    dimensions = kl_per_dimension(posterior, prior)
    mean = exact_mean(posterior) if is_vector(posterior) else None

    def draw(seed: Tensor) -> dict[str, Tensor]:
        z, log_posterior = posterior.experimental_sample_and_log_prob(seed=seed)
        log_likelihood = problem.generate(z).log_prob(problem.x)
        kl = log_posterior - prior.log_prob(z) if exact is None else exact
        values = {"log_likelihood": log_likelihood, "kl": kl, "elbo": log_likelihood - kl}
        if dimensions.estimate is not None:
            values["dimensions"] = dimensions.estimate(z)
        if mean is None and is_vector(posterior):
            values["mean"] = z
        return values

    means, variances = moments_over_draws(draw, num_samples, seed)
    # Exact values have no variance, even with a single draw.
    for name, value in (("kl", exact), ("dimensions", dimensions.exact), ("mean", mean)):
        if value is not None:
            means[name], variances[name] = value, tf.zeros_like(value)
    return {**means, **{f"{name}_variance": variance for name, variance in variances.items()}}
