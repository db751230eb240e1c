"""Refusing estimates that are not numbers, with what is likely to blame."""

import numpy as np

from tfvae.models import VAE


class NotFiniteError(ValueError):
    """An estimate that is NaN or infinite."""


def require_finite(vae: VAE, per_example: np.ndarray, first_index: int) -> None:
    """Looks at the estimates of log p(x) of a batch.

    Args:
        vae: the model they are of.
        per_example: `[B]`.
        first_index: the index of the first of them in the data.

    Raises:
        NotFiniteError: when one is NaN or infinite.
    """
    bad = np.flatnonzero(~np.isfinite(per_example))
    if not len(bad):
        return
    weight = next((w for w in vae.weights if not np.isfinite(np.asarray(w, np.float64)).all()), None)
    if weight is not None:
        reason = (
            f"The model's weight '{weight.path}' has NaN or infinite values: training diverged. Go back to an earlier "
            "checkpoint, and train with a lower learning rate or clipped gradients."
        )
    elif np.isneginf(per_example[bad]).all():
        reason = "No draw from q(z|x) has a density under both p(z) and p(x|z): their supports do not meet."
    else:
        reason = (
            "The model's weights are finite: look for an overflow in q(z|x) or p(x|z) of this example "
            "(vae.encode(x), vae.decode(z))."
        )
    raise NotFiniteError(
        f"log p(x) is not finite for {len(bad)} of the {len(per_example)} examples of a batch; the first is example "
        f"{first_index + bad[0]}, at {per_example[bad[0]]}. {reason}"
    )
