"""What the latents of a trained model do: rate and distortion, information, active units, collapse."""

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
from tfvae.evaluation._batches import batches_of_x
from tfvae.evaluation._compiled import compiled
from tfvae.evaluation._finite import require_finite
from tfvae.evaluation._latents import exact_mean, numpy_generator, random_examples
from tfvae.evaluation._levels import about_levels
from tfvae.evaluation.dimensions import ActiveUnits, DimensionKLs
from tfvae.evaluation.record import Record, bits_per_dim
from tfvae.models import VAE
from tfvae.typing import Seed, Tensor


@dataclasses.dataclass(frozen=True)
class Diagnostics:
    """What `diagnostics` returns; every number is a `Record` or carries its standard errors.

    Attributes:
        rate: E_x KL(q(z|x) || p(z)), nats: what z may tell of x at most.
        distortion: -E_x E_q log p(x|z), nats. The ELBO is -(rate + distortion).
        bits_per_dim: of the ELBO, a bound.
        mutual_information: I(x; z) under q, nats, of `mutual_information.diagnostics["num_examples_in_mixture"]` = M
            examples; it cannot exceed log M, its "upper_bound" there.
        aggregated_kl: KL(q(z) || p(z)) of the same examples, nats.
        kl_per_dimension: KL(q(z_d|x) || p(z_d)) for each d; its `note` says what they add up to.
        active_units: which dimensions respond to x; None where z is not a vector of floats, where q(z|x) has no finite
            mean, or where it does not know its mean and there is but one draw.
        collapsed: whether z has stopped to depend on x.
        message: a sentence on that.
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
        """What goes into `report.json`."""
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
    """Takes the ELBO apart: how much z costs, what it tells of x, which dimensions work, whether any does.

    E_x KL(q(z|x) || p(z)) = I(x; z) + KL(q(z) || p(z)), with the aggregated posterior q(z) = E_x q(z|x). Any latents
    will do; the KL of single dimensions and the active units need z to be one vector of floats, and are None, with
    a note, where it is not.

    Args:
        vae: the model.
        data: an array `[N, *event]`, a `tfvae.data.Split`, or a data set whose batches hold x; at least two examples.
        num_samples: S, draws of z an example; from 2 on, the Monte Carlo errors are known.
        num_mixture_examples: M, the most examples, chosen at random, that make up q(z): the cost grows like M^2 S,
            and all M are encoded at once.
        num_levels: of dequantised data, for the bits per dimension: see `bits_per_dim`.
        batch_size: examples at a time, for arrays and splits.
        seed: an int or an int32 tensor `[2]`.

    Returns:
        `Diagnostics`.

    Raises:
        TypeError: for what is no data.
        ValueError: for a count below 1 (2 for `num_mixture_examples`), fewer than two examples, data unlike the
            model's, or a model whose ELBO is not finite.

    Numerics:
        For the M examples themselves I(x; z) and KL(q(z) || p(z)) are unbiased. As estimates for all data they are
        biased, I downwards and the KL upwards by as much, for a mixture of M posteriors cannot tell more than log M
        nats: near that bound, only the inequality is known. Their standard errors over examples leave out that the
        mixture itself would change, which is of second order.

    References:
        Hoffman & Johnson, ELBO surgery, 2016 (the decomposition); Alemi et al., Fixing a Broken ELBO, 2017,
        arXiv 1711.00464 (rate and distortion); Burda, Grosse & Salakhutdinov, Importance Weighted
        Autoencoders, 2015, arXiv 1509.00519, section 5 (active units).
    """
    num_samples = whole_number(num_samples, "num_samples")
    num_mixture_examples = whole_number(num_mixture_examples, "num_mixture_examples", at_least=2)
    seed_terms, seed_subset, seed_mixture = split_seed(seed, 3, "diagnostics")
    terms = compiled(vae, _terms)
    parts, first, num_seen = [], None, 0

    def measured() -> Any:
        nonlocal first, num_seen
        for i, x in enumerate(batches_of_x(vae, data, batch_size)):
            first = x[:1] if first is None else first
            parts.append(terms(x, num_samples, fold_in(seed_terms, i)))
            require_finite(vae, parts[-1]["elbo"].numpy(), num_seen, "The ELBO", x)
            num_seen += x.shape[0]
            yield x

    subset = random_examples(measured(), num_mixture_examples, numpy_generator(seed_subset))
    values = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    num_examples = len(values["kl"])
    if num_examples < 2:
        raise ValueError(f"Diagnostics compare examples and need at least 2. Received: {num_examples}.")
    example = vae.problem(first)
    exact = exact_kl_or_none(example.posterior, example.prior) is not None
    note = kl_per_dimension(example.posterior, example.prior).note
    rate = Record("rate", "nats", values["kl"], values["kl_variance"], {"exact": exact})
    sampled = {"exact": False, "num_samples": num_samples}
    distortion = Record("distortion", "nats", -values["log_likelihood"], values["log_likelihood_variance"], sampled)
    bound = values["log_likelihood"] - values["kl"]
    elbo = Record("elbo", "nats", bound, values["elbo_variance"], about_levels(vae, tf.constant(subset)))
    parts_of_rate = compiled(vae, aggregated)(tf.constant(subset), num_samples, seed_mixture)
    about = {**sampled, "num_examples_in_mixture": len(subset), "upper_bound": math.log(len(subset))}
    active = None
    if "mean" in values and np.isfinite(values["mean"]).all() and not np.isnan(values["mean_variance"]).any():
        active = ActiveUnits.of(values["mean"], values["mean_variance"])
    units = None if active is None else (active.num_active, len(active.active))
    collapsed, message = collapse(rate.mean, units, rate.standard_error)
    return Diagnostics(
        rate=rate,
        distortion=distortion,
        bits_per_dim=bits_per_dim(elbo, int(np.prod(subset.shape[1:])), num_levels),
        mutual_information=_record(
            "mutual_information", parts_of_rate.information, parts_of_rate.information_variance, about
        ),
        aggregated_kl=_record(
            "aggregated_kl",
            parts_of_rate.marginal_kl,
            parts_of_rate.marginal_kl_variance,
            {**sampled, "num_examples_in_mixture": len(subset)},
        ),
        kl_per_dimension=DimensionKLs.of(values.get("dimensions"), values.get("dimensions_variance"), note),
        active_units=active,
        collapsed=collapsed,
        message=message,
    )


def _record(name: str, per_example: Tensor, variance: Tensor, about: dict[str, Any]) -> Record:
    return Record(name, "nats", per_example.numpy(), variance.numpy(), about)


def _terms(vae: VAE, x: Tensor, num_samples: Tensor, seed: Tensor) -> dict[str, Tensor]:
    """The terms of each example and what they say of z: means over draws, and the variances of these."""
    problem = vae.problem(x)
    posterior, prior = problem.posterior, problem.prior
    exact = exact_kl_or_none(posterior, prior)
    dimensions = kl_per_dimension(posterior, prior)
    mean = exact_mean(posterior) if is_vector(posterior) else None

    def draw(seed: Tensor) -> dict[str, Tensor]:
        z, log_posterior = posterior.experimental_sample_and_log_prob(seed=seed)
        log_likelihood = problem.generate(z).log_prob(x)
        kl = log_posterior - prior.log_prob(z) if exact is None else exact
        values = {"log_likelihood": log_likelihood, "kl": kl, "elbo": log_likelihood - kl}
        if dimensions.of_draw is not None:
            values["dimensions"] = dimensions.of_draw(z)
        if mean is None and is_vector(posterior):
            values["mean"] = z
        return values

    means, variances = moments_over_draws(draw, num_samples, seed)
    # What is exact has no variance, also where there is but one draw.
    for name, value in (("kl", exact), ("dimensions", dimensions.exact), ("mean", mean)):
        if value is not None:
            means[name], variances[name] = value, tf.zeros_like(value)
    return {**means, **{f"{name}_variance": variance for name, variance in variances.items()}}
