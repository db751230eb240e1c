"""Draws from q(z|x) and their log-probabilities, from which every bound is computed."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from tfvae._kl import exact_kl_or_none
from tfvae._numerics import as_dtype
from tfvae.estimators._latents import path, stopped
from tfvae.estimators.chunks import chunked_log_likelihood, chunked_log_likelihood_and_slopes
from tfvae.estimators.kl_by_part import kl_at, named_terms
from tfvae.estimators.problem import Problem
from tfvae.typing import KLKind, Seed, Tensor


class Draws(NamedTuple):
    """The three terms of the log importance weights and the KL of parts, each `[*sample_shape, B]`, in nats.

    Attributes:
        log_likelihood: log p(x|z).
        log_prior: log p(z).
        log_posterior: log q(z|x).
        kl_by_part: The KL of each part of z, by its name; empty where z has one part.
    """

    log_likelihood: Tensor
    log_prior: Tensor
    log_posterior: Tensor
    kl_by_part: Mapping[str, Tensor] = {}

    def log_weights(self, beta: Tensor | float = 1.0) -> Tensor:
        """Returns log p(x|z) + beta (log p(z) - log q(z|x)), the log importance weight for beta = 1."""
        return self.log_likelihood + self.log_ratio(beta)

    def log_ratio(self, beta: Tensor | float = 1.0) -> Tensor:
        """Returns beta (log p(z) - log q(z|x))."""
        return multiply_no_nan(beta, self.log_prior - self.log_posterior)


class SplitDraws(NamedTuple):
    """Draws with the gradient of the log weight split into three parts, each `[*sample_shape, B]`, in nats.

    With w = p(x|z) (p(z) / q(z|x))^beta and z = g(eps, x),
    d log w = d log p(x|z) (p(z))^beta [z fixed] + (d log w / dz) . dz - beta d log q(z|x) [z fixed].

    Attributes:
        log_weights: The weights for beta = 1, without a gradient.
        weighted: The weights for the given beta, without a gradient.
        model: The first part: log p(x|z) + beta log p(z) at fixed z; its gradient goes to decoder and prior.
        path: The second: zero, with the gradient that goes to the encoder along z.
        score: The third: -beta log q(z|x) at fixed z; its gradient goes to the encoder.
        draws: The terms.
    """

    log_weights: Tensor
    weighted: Tensor
    model: Tensor
    path: Tensor
    score: Tensor
    draws: Draws


def draw(
    problem: Problem,
    *,
    sample_shape: Sequence[int],
    seed: Seed,
    fixed: bool = False,
    chunk_size: int | None = None,
    kl: KLKind = "auto",
) -> Draws:
    """Draws z from q(z|x) and evaluates the three terms of its log weight.

    Args:
        problem: The batch; all of its latents are drawn.
        sample_shape: The leading axes.
        seed: An int32 tensor `[2]`.
        fixed: Whether z is treated as a constant, for estimators that differentiate only densities.
        chunk_size: Number of draws per example that are decoded at a time; None decodes all at once.
        kl: How the KL of parts is computed, see `kl_by_part`.

    Raises:
        ValueError: If latents of the problem were observed.
    """
    problem.require_unobserved()
    x, posterior, generate = problem.x, problem.posterior, problem.generate
    z, log_posterior = posterior.experimental_sample_and_log_prob(sample_shape, seed=seed)
    if fixed:
        z = stopped(z)
        log_posterior = posterior.log_prob(z)
    log_likelihood = (
        generate(z).log_prob(x)
        if chunk_size is None
        else chunked_log_likelihood(x, z, generate, sample_shape=sample_shape, chunk_size=chunk_size)
    )
    return Draws(log_likelihood, problem.prior.log_prob(z), log_posterior, kl_at(problem, z, kl))


def draw_split(
    problem: Problem,
    *,
    sample_shape: Sequence[int],
    beta: Tensor | float,
    seed: Seed,
    chunk_size: int | None = None,
) -> SplitDraws:
    """Draws as `draw` does, and splits the gradient; for a reparameterised posterior.

    The derivative by z costs one more backward pass through the decoder. The density q(z|x) is recomputed at z, which
    inverts a flow. A draw of weight zero has no path term, because its slope is not a number.

    Raises:
        ValueError: If latents of the problem were observed.
    """
    problem.require_unobserved()
    x, posterior, generate = problem.x, problem.posterior, problem.generate
    z = posterior.sample(sample_shape, seed=seed)
    fixed = stopped(z)
    leaves = tf.nest.flatten(fixed)
    if chunk_size is None:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(leaves)
            log_likelihood = generate(fixed).log_prob(x)
        slopes = tape.gradient(log_likelihood, leaves, unconnected_gradients="zero")
    else:
        log_likelihood, slopes = chunked_log_likelihood_and_slopes(
            x, fixed, generate, sample_shape=sample_shape, chunk_size=chunk_size
        )
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(leaves)
        log_prior, log_posterior = problem.prior.log_prob(fixed), posterior.log_prob(fixed)
        draws = Draws(log_likelihood, log_prior, log_posterior, kl_at(problem, fixed))
        ratio = draws.log_ratio(beta)
    of_ratio = tape.gradient(ratio, leaves, unconnected_gradients="zero")
    weighted = log_likelihood + ratio
    return SplitDraws(
        log_weights=tf.stop_gradient(draws.log_weights()),
        weighted=tf.stop_gradient(weighted),
        model=log_likelihood + multiply_no_nan(beta, draws.log_prior),
        path=path(z, [a + b for a, b in zip(slopes, of_ratio, strict=True)], weighted),
        score=-as_dtype(beta, weighted.dtype) * draws.log_posterior,
        draws=draws,
    )


def reported_kl(problem: Problem, draws: Draws) -> dict[str, Any]:
    """Returns the fields of an `Estimate` about the KL, without a gradient.

    KL(q(z|x) || p(z)) `[B]` is the sum over the parts of z if there are several, else exact if known, else the mean
    over the draws.
    """
    by_part = {name: tf.stop_gradient(mean_over_draws(part)) for name, part in draws.kl_by_part.items()}
    if by_part:
        return {"kl": tf.add_n(list(by_part.values())), "terms": named_terms(by_part)}
    exact = exact_kl_or_none(problem.posterior, problem.prior)
    return {"kl": tf.stop_gradient(mean_over_draws(draws.log_posterior - draws.log_prior) if exact is None else exact)}


def multiply_no_nan(weight: Tensor | float, values: Tensor) -> Tensor:
    """Multiplies values by a weight; the product is zero where the weight is zero, even for infinite values."""
    return tf.math.multiply_no_nan(values, as_dtype(weight, values.dtype))


def mean_over_draws(values: Tensor) -> Tensor:
    """Averages values `[*sample_shape, B]` over the draws; returns `[B]`."""
    return tf.reduce_mean(values, axis=list(range(values.shape.rank - 1)))


def log_mean_exp(log_values: Tensor, axis: int = 0) -> Tensor:
    """Computes log (1/n) sum exp(log_values) over an axis."""
    log_n = tf.math.log(tf.cast(tf.shape(log_values)[axis], log_values.dtype))
    return tf.reduce_logsumexp(log_values, axis=axis) - log_n
