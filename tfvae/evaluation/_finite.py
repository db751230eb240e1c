"""Refusing estimates that are not numbers, with what is likely to blame."""

from typing import NoReturn

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae._seeds import stateless_seed
from tfvae.models import VAE
from tfvae.typing import Tensor

tfd = tfp.distributions

# Draws of one example, to see where they fall.
_NUM_DRAWS = 2000


class NotFiniteError(ValueError):
    """An estimate that is NaN or infinite."""


def require_finite(
    vae: VAE, values: np.ndarray, first_index: int, what: str = "log p(x)", x: Tensor | None = None
) -> None:
    """Looks at what was found of the examples of a batch.

    Args:
        vae: the model.
        values: `[B, ...]`.
        first_index: the index of the first of the examples in the data.
        what: what the values are.
        x: the examples `[B, *event]`, where the values are made of draws from q(z|x).

    Raises:
        NotFiniteError: when one is NaN or infinite.
    """
    rows = np.asarray(values).reshape(len(values), -1)
    bad = np.flatnonzero(~np.isfinite(rows).all(axis=1))
    if not len(bad):
        return
    found = rows[bad][~np.isfinite(rows[bad])]
    told = (
        f"{what} is not finite for {len(bad)} of the {len(rows)} examples of a batch; the first is example "
        f"{first_index + bad[0]}, at {found[0]}."
    )
    at_ends = None if x is None else _draws_without_density(vae, tf.gather(x, bad[:1]))
    if at_ends is not None:
        reason = at_ends
    elif np.isneginf(found).all():
        reason = (
            "At draws from q(z|x) the density under p(z) or p(x|z) is zero: their supports do not meet, or it is too "
            "small for the precision of the numbers."
        )
    else:
        reason = (
            "The model's weights are finite: look for an overflow in q(z|x) or p(x|z) of this example "
            "(vae.encode(x), vae.decode(z))."
        )
    refuse_not_finite(vae, told, reason)


def _draws_without_density(vae: VAE, x: Tensor) -> str | None:
    """A sentence on draws from q(z|x) that round to a value where their own density is not finite; None without any."""
    posterior = vae.infer(x)
    draws = posterior.sample(_NUM_DRAWS, seed=stateless_seed(0))
    # A copy, for TFP remembers how it made the very tensors that it returned.
    log_posterior = posterior.log_prob(tf.nest.map_structure(tf.identity, draws)).numpy()
    is_bad = ~np.isfinite(log_posterior).reshape(_NUM_DRAWS, -1).all(axis=1)
    leaves = [np.asarray(leaf)[is_bad] for leaf in tf.nest.flatten(draws)]
    rounded = [f"{end:g}" for end in (0.0, 1.0, np.inf) if any(np.any(leaf == end) for leaf in leaves)]
    if not rounded:
        return None
    family = posterior
    while isinstance(getattr(family, "distribution", None), tfd.Distribution) and family.event_shape.rank:
        family = family.distribution
    name, ends = type(family).__name__.lstrip("_"), " or ".join(rounded)
    return (
        f"{is_bad.sum()} of {_NUM_DRAWS} draws from q(z|x), a {name}, have values that round to {ends}, where "
        "log q(z|x) is not finite. Take as latent what comes before the sigmoid or exp, and let the decoder begin with "
        "that function; or keep the parameters of q(z|x) moderate. See docs/reparameterisation.md."
    )


def refuse_not_finite(vae: VAE, told: str, reason: str) -> NoReturn:
    """Raises NotFiniteError: what was not finite, and the weight to blame, or another reason where all are finite."""
    require_finite_weights(vae, told)
    raise NotFiniteError(f"{told} {reason}")


def require_finite_weights(vae: VAE, told: str) -> None:
    """Looks at the model's weights.

    Args:
        vae: the model.
        told: a sentence that the error begins with.

    Raises:
        NotFiniteError: when one is NaN or infinite.
    """
    weight = next((w for w in vae.weights if not np.isfinite(np.asarray(w, np.float64)).all()), None)
    if weight is not None:
        raise NotFiniteError(
            f"{told} The model's weight '{weight.path}' has NaN or infinite values: training diverged. Go back to an "
            "earlier checkpoint, and train with a lower learning rate or clipped gradients."
        )
