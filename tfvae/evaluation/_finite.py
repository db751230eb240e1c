"""Errors for estimates that are NaN or infinite, with their likely cause."""

from typing import Any, NoReturn

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae._seeds import stateless_seed
from tfvae.models import VAE
from tfvae.models.batch import Batch, rows_of
from tfvae.typing import Tensor

tfd = tfp.distributions

# Draws of one example that are searched for rounded values.
_NUM_DRAWS = 2000


class NotFiniteError(ValueError):
    """An estimate that is NaN or infinite."""


def require_finite(
    vae: VAE, values: np.ndarray, first_index: int, what: str = "log p(x)", x: Tensor | Batch | None = None
) -> None:
    """Checks that the estimates of a batch are finite.

    Args:
        vae: The model.
        values: `[B, ...]`.
        first_index: The index of the first example of the batch in the data.
        what: The name of the quantity.
        x: The examples `[B, *event]`, if the values come from draws of q(z|x).

    Raises:
        NotFiniteError: If one is NaN or infinite.
    """
    rows = np.asarray(values).reshape(len(values), -1)
    bad = np.flatnonzero(~np.isfinite(rows).all(axis=1))
    if not len(bad):
        return
    found = rows[bad][~np.isfinite(rows[bad])]
    message = (
        f"{what} is not finite for {len(bad)} of the {len(rows)} examples of a batch; the first is example "
        f"{first_index + bad[0]}, at {found[0]}."
    )
    at_ends = None if x is None else _draws_without_density(vae, rows_of(x, slice(bad[0], bad[0] + 1)))
    if at_ends is not None:
        reason = at_ends
    elif np.isneginf(found).all():
        reason = (
            "The density of draws from q(z|x) under p(z) or p(x|z) is zero: the supports do not overlap, or the "
            "density is too small for floating-point numbers."
        )
    else:
        reason = (
            "The model's weights are finite: look for an overflow in q(z|x) or p(x|z) of this example "
            "(vae.encode(x), vae.decode(z))."
        )
    refuse_not_finite(vae, message, reason)


def _draws_without_density(vae: VAE, x: Tensor | Batch) -> str | None:
    """Describes draws from q(z|x) that round to a value where q is not finite; returns None if there are none."""
    posterior = vae.infer(x)
    draws = posterior.sample(_NUM_DRAWS, seed=stateless_seed(0))
    # Copies, because TFP caches how it computed the tensors that it returned.
    log_posterior = posterior.log_prob(tf.nest.map_structure(tf.identity, draws)).numpy()
    is_bad = ~np.isfinite(log_posterior).reshape(_NUM_DRAWS, -1).all(axis=1)
    leaves = [np.asarray(leaf)[is_bad] for leaf in tf.nest.flatten(draws)]
    rounded = [f"{end:g}" for end in (0.0, 1.0, np.inf) if any(np.any(leaf == end) for leaf in leaves)]
    if not rounded:
        return None
    family: Any = posterior
    while isinstance(getattr(family, "distribution", None), tfd.Distribution) and family.event_shape.rank:
        family = family.distribution
    name, ends = type(family).__name__.lstrip("_"), " or ".join(rounded)
    return (
        f"{is_bad.sum()} of {_NUM_DRAWS} draws from q(z|x), a {name}, have values that round to {ends}, where "
        "log q(z|x) is not finite. Use the value before the sigmoid or exp as the latent and start the decoder with "
        "that function, or keep the parameters of q(z|x) moderate. See docs/reparameterisation.md."
    )


def refuse_not_finite(vae: VAE, message: str, reason: str) -> NoReturn:
    """Raises NotFiniteError with the weight that is not finite, or with `reason` if all weights are finite."""
    require_finite_weights(vae, message)
    raise NotFiniteError(f"{message} {reason}")


def require_finite_weights(vae: VAE, message: str) -> None:
    """Checks that the model's weights are finite.

    Args:
        vae: The model.
        message: The first sentence of the error.

    Raises:
        NotFiniteError: If one is NaN or infinite.
    """
    weight = next((w for w in vae.weights if not np.isfinite(np.asarray(w, np.float64)).all()), None)
    if weight is not None:
        raise NotFiniteError(
            f"{message} The model's weight '{weight.path}' has NaN or infinite values: training diverged. Return to "
            "an earlier checkpoint, and train with a lower learning rate or clipped gradients."
        )
