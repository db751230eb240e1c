"""Ancestral sampling and reconstruction, shared by all parts of tfvae that show draws of a model.

Only this file derives the seeds of these draws. The same seed therefore gives the same picture in Python, in an
exported model, on the command line, on the explore page, in TensorBoard and in figures.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import tensorflow as tf

from tfvae._seeds import fold_in, split_seed, stateless_seed
from tfvae.typing import Distribution, Seed, Tensor

Generate = Callable[[Any], Distribution]


class Latents(NamedTuple):
    """Draws of z, and the seed of the matching draws of x.

    Attributes:
        z: Latents `[N, D]`, or a nest of latents.
        seed: Seed of a sample of p(x|z), int32 `[2]`.
    """

    z: Any
    seed: Tensor


class Decoded(NamedTuple):
    """Draws of z, and p(x|z). The mean and the sample of x are computed on request.

    Attributes:
        z: Latents `[N, D]`, or a nest of latents.
        likelihood: p(x|z), with batch shape `[N]`.
        seed: Seed of a sample of p(x|z), int32 `[2]`.
    """

    z: Any
    likelihood: Distribution
    seed: Tensor

    def mean(self) -> Tensor:
        """Returns the mean of p(x|z) `[N, *event]`."""
        return self.likelihood.mean()

    def sample(self) -> Tensor:
        """Draws one x ~ p(x|z) for each z, `[N, *event]`."""
        return self.likelihood.sample(seed=self.seed)


def sample_prior(
    prior: Any, num_samples: int | Tensor, *, seed: Seed, given: Mapping[str, Tensor] | None = None
) -> Latents:
    """Draws z ~ p(z): the first step of `ancestral_sample`, for callers with their own compiled decoder."""
    seed_z, seed_x = split_seed(seed, 2, "ancestral")
    if given:
        return Latents(prior.sample_distributions(num_samples, value=dict(given), seed=seed_z)[1], seed_x)
    is_conditional = any(shape.rank for shape in tf.nest.flatten(prior.batch_shape))  # with one p(z|c) for each draw
    return Latents(prior.sample(() if is_conditional else num_samples, seed=seed_z), seed_x)


def sample_posterior(posterior: Distribution, *, seed: Seed) -> Latents:
    """Draws z ~ q(z|x): the first step of `reconstruction`, for callers with their own compiled decoder."""
    seed = stateless_seed(seed)
    (seed_x,) = split_seed(seed, 1, "reconstruct")
    return Latents(posterior.sample(seed=seed), seed_x)


def ancestral_sample(
    prior: Distribution,
    generate: Generate,
    num_samples: int | Tensor,
    *,
    seed: Seed,
    given: Mapping[str, Tensor] | None = None,
) -> Decoded:
    """Draws z ~ p(z), from which x ~ p(x|z) or its mean follows.

    Args:
        prior: The prior p(z), of batch shape `[]`, or p(z|c), of batch shape `[N]`.
        generate: Function from z to p(x|z).
        num_samples: Number of draws, N.
        seed: The same seed gives the same z and the same x.
        given: Parts of z that are fixed, by name, `[N, ...]`.

    Returns:
        `Decoded` with N latents.
    """
    z, seed_x = sample_prior(prior, num_samples, seed=seed, given=given)
    return Decoded(z, generate(z), seed_x)


def reconstruction(posterior: Distribution, generate: Generate, *, seed: Seed) -> Decoded:
    """Draws z ~ q(z|x), from which x ~ p(x|z) or its mean follows.

    Args:
        posterior: The posterior q(z|x), of batch shape `[B]`.
        generate: Function from z to p(x|z).
        seed: The same seed gives the same z and the same x. z is `posterior.sample(seed=stateless_seed(seed))`.

    Returns:
        `Decoded` with one z for each example.
    """
    z, seed_x = sample_posterior(posterior, seed=seed)
    return Decoded(z, generate(z), seed_x)


def block_seed(seed: Seed, block: int) -> Tensor:
    """Returns the seed of one block of a draw that is split into blocks to bound its memory.

    The first block uses the seed itself, so that a draw of one block equals a draw in a single call.
    """
    seed = stateless_seed(seed)
    return seed if block == 0 else fold_in(seed, block)
