"""Refusing estimates that are not numbers, with what is likely to blame."""

from typing import NoReturn

import numpy as np

from tfvae.models import VAE


class NotFiniteError(ValueError):
    """An estimate that is NaN or infinite."""


def require_finite(vae: VAE, values: np.ndarray, first_index: int, what: str = "log p(x)") -> None:
    """Looks at what was found of the examples of a batch.

    Args:
        vae: the model.
        values: `[B, ...]`.
        first_index: the index of the first of the examples in the data.
        what: what the values are.

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
    if np.isneginf(found).all():
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
