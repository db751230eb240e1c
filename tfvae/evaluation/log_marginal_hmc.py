"""The marginal log-likelihood log p(x) by Markov chains, the estimator of the AEVB paper for few latent dimensions."""

import logging
import warnings
from typing import Any, Literal, NamedTuple

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae._checks import whole_number
from tfvae._mapping import map_in_turn
from tfvae._seeds import fold_in, split_seed, stateless_seed
from tfvae.estimators import Problem
from tfvae.estimators.draws import log_mean_exp
from tfvae.evaluation._batches import batches_of_examples, details_of, num_observed
from tfvae.evaluation._chains import NUM_DRAWS, log_likelihood_of, spread_of, support_of, unconstrained
from tfvae.evaluation._compiled import compiled_for_shape
from tfvae.evaluation._finite import require_finite
from tfvae.evaluation._latents import example_prior, require_vector
from tfvae.evaluation._levels import about_levels
from tfvae.evaluation.record import Record
from tfvae.models import VAE
from tfvae.models.batch import Batch
from tfvae.typing import Distribution, Seed, Tensor

tfd = tfp.distributions

_MAX_DIMENSIONS = 10
_NUM_PROPOSALS = 1_000
_LEAST_STEP_SIZE = 0.01  # for draws from the prior that are all the same
_ACCEPTANCE = 0.8  # target of the step size adaptation
_LEAST_ACCEPTANCE = 0.4


class _Estimate(NamedTuple):
    """Results for a batch, each `[B]`."""

    log_marginal: Tensor
    variance: Tensor
    effective_sample_size: Tensor
    acceptance: Tensor


def log_marginal_hmc(
    vae: VAE,
    data: Any,
    *,
    num_samples: int = 500,
    num_burnin: int = 300,
    num_chains: int = 4,
    max_tree_depth: int = 5,
    start: Literal["posterior", "prior"] = "posterior",
    batch_size: int = 100,
    seed: Seed = 0,
) -> Record:
    """Estimates log p(x) of each example from samples of the true posterior p(z|x), in nats.

    Hamiltonian Monte Carlo (the no-U-turn sampler) samples p(z|x); a normal density q with full covariance is fitted to
    these samples; and the same number of further samples gives 1 / p(x) = E_{p(z|x)}[q(z) / (p(x|z) p(z))]. Unlike
    importance sampling from the encoder it does not depend on a good q(z|x), but it only works for few dimensions
    (below 5 in the paper). As the inverse of a mean, it overestimates log p(x) if there are few samples.
    `log_marginal_ais` scales to more dimensions.

    Args:
        vae: The model; z is a vector of floats.
        data: An array `[N, *event]`, a `tfvae.data.Split`, or a data set whose batches contain x.
        num_samples: Number of samples per chain for the fit, and again for the estimate.
        num_burnin: Number of burn-in steps per chain, in which the step size of each example is adapted to an
            acceptance rate of 0.8.
        num_chains: Number of chains per example.
        max_tree_depth: Log2 of the maximum number of gradients per sample.
        start: The first states of chains: draws from q(z|x) ("posterior"), or, independently of the encoder, draws from
            p(z), resampled from 1,000 with probabilities proportional to p(x|z) ("prior").
        batch_size: Number of examples per batch, for arrays and splits.
        seed: An int or an int32 tensor `[2]`.

    Returns:
        A `Record`. Its diagnostics are the mean and the smallest acceptance rate, and the median and the smallest
        effective sample size of the ratios in the second half, out of `num_chains * num_samples`.

    Raises:
        ValueError: If a count is below 1 (2 for `num_samples`), `start` is unknown, there are no examples, the data do
            not fit the model, the latents are discrete, on a sphere or not one vector of floats, or log p(x) is not
            finite.

    Warns:
        UserWarning: If there are more than 10 latent dimensions, or chains accept less than 40% of their proposals.

    References:
        Kingma & Welling, Auto-Encoding Variational Bayes, 2013, arXiv 1312.6114, appendix D.
        Gelfand & Dey, Bayesian Model Choice: Asymptotics and Exact Calculations, 1994, on the choice of q.
    """
    counts = {
        "num_samples": whole_number(num_samples, "num_samples", at_least=2),
        "num_burnin": whole_number(num_burnin, "num_burnin"),
        "num_chains": whole_number(num_chains, "num_chains"),
        "max_tree_depth": whole_number(max_tree_depth, "max_tree_depth"),
    }
    if start not in ("posterior", "prior"):
        raise ValueError(f"`start` must be 'posterior' or 'prior'. Received: start={start!r}")
    size = require_vector(vae, "log_marginal_hmc")
    support_of(example_prior(vae))
    if size > _MAX_DIMENSIONS:
        warnings.warn(
            f"log_marginal_hmc fits a density to samples of z, which is unreliable in more than {_MAX_DIMENSIONS} "
            f"dimensions (the paper: below 5). Use log_marginal or log_marginal_ais. Received: latent_size={size}",
            stacklevel=2,
        )

    estimate = compiled_for_shape(vae, _estimate, from_prior=start == "prior", **counts)
    seed = stateless_seed(seed)
    parts, first = [], 0
    about: dict[str, int] = {}
    observed: list[np.ndarray] = []
    for i, x in enumerate(batches_of_examples(vae, data, batch_size)):
        about = about_levels(vae, x) if i == 0 else about
        parts.append([column.numpy() for column in estimate(x, fold_in(seed, i))])
        require_finite(vae, parts[-1][0], first)
        first += len(parts[-1][0])
        observed += num_observed(x)
    columns: list[Any] = [np.concatenate(column) for column in zip(*parts, strict=True)]
    found: Any = _Estimate(*columns)
    if found.acceptance.min() < _LEAST_ACCEPTANCE:
        num_low = int((found.acceptance < _LEAST_ACCEPTANCE).sum())
        warnings.warn(
            f"For {num_low} of {len(found.acceptance)} examples fewer than {_LEAST_ACCEPTANCE:.0%} of the proposals "
            "were accepted, so that their chains hardly move. Use a larger num_burnin.",
            stacklevel=2,
        )
    return Record(
        name="log_marginal_hmc",
        unit="nats",
        per_example=found.log_marginal,
        monte_carlo_variance=found.variance,
        diagnostics={
            **counts,
            "acceptance_mean": float(found.acceptance.mean()),
            "acceptance_min": float(found.acceptance.min()),
            "effective_sample_size_median": float(np.median(found.effective_sample_size)),
            "effective_sample_size_min": float(found.effective_sample_size.min()),
            **about,
        },
        details=details_of(observed),
    )


def _estimate(
    vae: VAE,
    x: Tensor | Batch,
    seed: Tensor,
    *,
    num_samples: int,
    num_burnin: int,
    num_chains: int,
    max_tree_depth: int,
    from_prior: bool,
) -> _Estimate:
    problem = vae.problem(x)
    seed_start, seed_chain = split_seed(seed, 2, "log_marginal_hmc")
    # Chains run in the unconstrained space of u, with z = support(u).
    support = support_of(problem.prior)
    log_likelihood = log_likelihood_of(problem)
    log_joint = unconstrained(lambda z: log_likelihood(z) + problem.prior.log_prob(z), support)
    if from_prior:
        draws = support.inverse(_resampled(problem, num_chains + NUM_DRAWS, seed=seed_start))  # [C + 20, B, D]
        start, step_size = draws[:num_chains], tf.maximum(spread_of(draws[num_chains:]), _LEAST_STEP_SIZE)
    else:
        start = support.inverse(problem.posterior.sample(num_chains, seed=seed_start))  # [C, B, D]
        step_size = spread_of(support.inverse(problem.posterior.sample(NUM_DRAWS, seed=seed_start)))
    samples, acceptance = _sample(log_joint, start, 2 * num_samples, num_burnin, max_tree_depth, step_size, seed_chain)
    fitted = _fit(samples[:num_samples])
    log_ratios = map_in_turn(lambda u: fitted.log_prob(u) - log_joint(u), samples[num_samples:])  # [L, C, B]
    log_mean = log_mean_exp(log_mean_exp(log_ratios))  # [B]
    ratios = tf.exp(log_ratios - log_mean)  # of mean 1
    effective = tf.reduce_sum(_effective_sample_size(ratios), axis=0)  # [B]
    # Equal ratios have no error, and their effective sample size is NaN.
    spread = tf.math.reduce_variance(ratios, axis=[0, 1])
    total = tf.constant(num_samples * num_chains, effective.dtype)
    effective = tf.where(tf.math.is_finite(effective), tf.clip_by_value(effective, 1.0, total), total)
    return _Estimate(-log_mean, spread / effective, effective, acceptance)


def _effective_sample_size(ratios: Tensor) -> Tensor:
    """Computes the effective sample size of each chain `[C, B]`, from ratios `[L, C, B]`."""
    # TFP takes the real part of a Fourier transform by a cast, about which TensorFlow warns.
    logger = tf.get_logger()
    logger.addFilter(_is_not_about_complex_casts)
    try:
        return tfp.mcmc.effective_sample_size(ratios)
    finally:
        logger.removeFilter(_is_not_about_complex_casts)


def _is_not_about_complex_casts(record: logging.LogRecord) -> bool:
    return "You are casting an input of type complex" not in record.getMessage()


def _resampled(problem: Problem, num_draws: int, *, seed: Tensor) -> Tensor:
    """Resamples draws from the prior, in proportion to p(x|z), for each example: `[num_draws, B, D]`."""
    seed_z, seed_choice = split_seed(seed, 2, "resampled")
    x = problem.x
    z = problem.prior.sample(_NUM_PROPOSALS, seed=seed_z)  # [P, D], or [P, B, D] for a prior of each condition
    log_likelihood = map_in_turn(
        lambda each: problem.generate(tf.broadcast_to(each, [tf.shape(x)[0], z.shape[-1]])).log_prob(x), z
    )  # [P, B]
    chosen = tf.random.stateless_categorical(tf.transpose(log_likelihood), num_draws, seed_choice)  # [B, num_draws]
    if z.shape.rank == 3:
        return tf.transpose(tf.gather(tf.transpose(z, [1, 0, 2]), chosen, batch_dims=1), [1, 0, 2])
    return tf.gather(z, tf.transpose(chosen))


def _sample(
    log_joint: Any,
    start: Tensor,
    num_results: int,
    num_burnin: int,
    max_tree_depth: int,
    step_size: Tensor,
    seed: Tensor,
) -> tuple[Tensor, Tensor]:
    """Returns samples `[L, C, B, D]` and the acceptance rate of each example's chains `[B]`."""
    kernel = tfp.mcmc.DualAveragingStepSizeAdaptation(
        tfp.mcmc.NoUTurnSampler(log_joint, step_size=step_size, max_tree_depth=max_tree_depth),
        num_adaptation_steps=int(0.8 * num_burnin),
        target_accept_prob=tf.constant(_ACCEPTANCE, start.dtype),
    )
    samples, accepted = tfp.mcmc.sample_chain(
        num_results,
        start,
        kernel=kernel,
        num_burnin_steps=num_burnin,
        trace_fn=lambda _, results: tf.exp(tf.minimum(results.inner_results.log_accept_ratio, 0.0)),
        seed=seed,
    )
    return samples, tf.reduce_mean(accepted, axis=[0, 1])


def _fit(samples: Tensor) -> Distribution:
    """Fits a normal distribution to the samples `[L, C, B, D]` of each example."""
    shape = tf.shape(samples)
    flat = tf.reshape(samples, [-1, shape[-2], samples.shape[-1]])  # [L C, B, D]
    covariance = tfp.stats.covariance(flat, sample_axis=0, event_axis=-1)  # [B, D, D]
    # With fewer different samples than dimensions (if chains do not move) the covariance has no inverse.
    size = samples.shape[-1]
    least = 1e-6 * tf.linalg.trace(covariance)[..., tf.newaxis, tf.newaxis] / size + 1e-12
    tril = tf.linalg.cholesky(covariance + least * tf.eye(size, dtype=samples.dtype))
    return tfd.MultivariateNormalTriL(tf.reduce_mean(flat, axis=0), tril)
