"""Checks and encodings for evaluations that look inside z."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import tensorflow as tf

from tfvae._dimensions import is_vector
from tfvae._latent_shapes import plain_shape
from tfvae._seeds import fold_in, stateless_seed
from tfvae.data.examples import CONDITION
from tfvae.estimators.moments import moments_over_draws
from tfvae.evaluation._batches import batches_of_examples
from tfvae.evaluation._compiled import compiled
from tfvae.evaluation._finite import require_finite, require_finite_weights
from tfvae.models import VAE
from tfvae.models.batch import Batch, size_of
from tfvae.models.conditions import as_condition, repeated
from tfvae.priors import Conditional
from tfvae.typing import Distribution, Seed, Tensor


def example_prior(vae: VAE) -> Distribution:
    """Returns p(z), or p(z|c) of batch shape `[1]` for one condition, whose shapes are those of all conditions."""
    if not isinstance(vae.prior, Conditional):
        return vae.prior_of()
    return vae.prior_of(tf.zeros([1, *vae.prior.condition_shape], vae.variable_dtype))


def conditions_of(vae: VAE, condition: Any, num: int) -> Tensor | None:
    """Returns conditions `[num, *shape]` for one condition, or for one of each example, that a user gives."""
    found = as_condition(condition, vae.condition_shape, vae.variable_dtype)
    return repeated(found, vae.condition_shape, num)


def as_examples(vae: VAE, x: Any, condition: Any) -> Batch:
    """Returns examples x `[B, *event]`, with one condition of all or one of each, as a checked batch."""
    x = np.asarray(x)
    conditions = conditions_of(vae, condition, len(x))
    return vae.batch_of({"x": tf.convert_to_tensor(x), **({} if conditions is None else {CONDITION: conditions})})


def require_vector(vae: VAE, purpose: str) -> int:
    """Returns the latent size D.

    Raises:
        ValueError: If z is not one vector of floating-point numbers.
    """
    prior = example_prior(vae)
    if not is_vector(prior):
        dtypes = ", ".join(dtype.name for dtype in tf.nest.flatten(prior.dtype))
        raise ValueError(
            f"{purpose} needs latents that are one vector of floating-point numbers, z [B, D]. Get the part of z that "
            "is such a vector from vae.encode(x), and analyse it yourself. Received: a model whose z has "
            f"event_shape={plain_shape(prior.event_shape)}, dtype={dtypes}"
        )
    return int(prior.event_shape[0])


def exact_mean(posterior: Distribution) -> Tensor | None:
    """Returns E[z|x] `[B, D]`, or None if the distribution does not implement it."""
    try:
        return posterior.mean()
    except NotImplementedError:
        return None


def posterior_means(vae: VAE, data: Any, *, num_samples: int, batch_size: int, seed: Seed) -> np.ndarray:
    """Computes E[z|x] of each example, `[N, D]`; if q(z|x) has no mean in closed form, that of `num_samples` draws."""
    return by_batches(vae, data, _mean, num_samples, batch_size, seed)


def encodings(vae: VAE, data: Any, *, batch_size: int, seed: Seed) -> np.ndarray:
    """Draws one z ~ q(z|x) for each example, `[N, D]`."""
    return by_batches(vae, data, _draw, 1, batch_size, seed)


def decoded_means(vae: VAE, z: Any, *, condition: Any = None, batch_size: int = 100) -> np.ndarray:
    """Computes E[x|z] `[..., *event]` of latents `[..., D]`.

    Args:
        vae: The model.
        z: Latents.
        condition: For a conditional model, one condition, or one for each of the N latents, `[N, *shape]`.
        batch_size: Number of latents that are decoded at a time.
    """
    z = np.asarray(z)
    flat = tf.constant(z.reshape(-1, z.shape[-1]), vae.variable_dtype)
    num = flat.shape[0]
    conditions = conditions_of(vae, condition, num)
    decode, seed = compiled(vae, _decode), stateless_seed(0)
    parts = []
    for rows in (slice(i, i + batch_size) for i in range(0, num, batch_size)):
        part = flat[rows], None if conditions is None else conditions[rows]
        parts.append(decode(part, 1, seed).numpy())
    means = np.concatenate(parts)
    if not np.isfinite(means).all():  # heavy tails may have no finite mean
        require_finite_weights(vae, "E[x|z] is not finite.")
    return means.reshape(*z.shape[:-1], *means.shape[1:])


def random_examples(batches: Iterable[Tensor | Batch], num_examples: int, rng: np.random.Generator) -> Tensor | Batch:
    """Draws at most M examples, x `[M, *event]` or a `Batch`, from a stream of any length, without replacement."""
    kept: Any = None
    keys = np.empty(0)
    for batch in batches:
        kept = batch if kept is None else _nested(lambda *parts: tf.concat(parts, axis=0), kept, batch)
        keys = np.concatenate([keys, rng.random(size_of(batch))])
        if len(keys) > num_examples:
            # The examples with the smallest keys are kept: each set of that size is equally likely.
            chosen = np.sort(np.argpartition(keys, num_examples - 1)[:num_examples])
            kept, keys = _nested(lambda part: tf.gather(part, chosen), kept), keys[chosen]  # noqa: B023
    if kept is None:
        raise ValueError("There are no examples to evaluate on.")
    return kept


def _nested(function: Callable[..., Tensor], *batches: Any) -> Any:
    """Applies a function to the parts of batches, without those that they do not have."""
    return tf.nest.map_structure(lambda *parts: None if parts[0] is None else function(*parts), *batches)


def numpy_generator(seed: Seed) -> np.random.Generator:
    """Returns a generator, a function of the seed, for random numbers outside TensorFlow."""
    return np.random.default_rng(np.asarray(stateless_seed(seed)).astype(np.uint32))


def by_batches(vae: VAE, data: Any, fn: Any, number: int, batch_size: int, seed: Seed) -> np.ndarray:
    """Computes fn(vae, x, number, seed) of each batch x, and concatenates the results.

    Raises:
        NotFiniteError: If a result is not finite.
    """
    function, seed = compiled(vae, fn), stateless_seed(seed)
    parts: list[np.ndarray] = []
    for i, x in enumerate(batches_of_examples(vae, data, batch_size)):
        parts.append(function(x, number, fold_in(seed, i)).numpy())
        require_finite(vae, parts[-1], sum(map(len, parts[:-1])), "z" if fn is _draw else "E[z|x]")
    return np.concatenate(parts)


def _mean(vae: VAE, x: Tensor | Batch, num_samples: Tensor, seed: Tensor) -> Tensor:
    posterior = vae.infer(x)
    mean = exact_mean(posterior)
    if mean is None:
        mean = moments_over_draws(lambda seed: posterior.sample(seed=seed), num_samples, seed).mean
    return mean


def _draw(vae: VAE, x: Tensor | Batch, number: Tensor, seed: Tensor) -> Tensor:
    return vae.infer(x).sample(seed=seed)


def _decode(vae: VAE, z: tuple[Tensor, Tensor | None], number: Tensor, seed: Tensor) -> Tensor:
    return vae.generate(z[0], condition=z[1]).mean()
