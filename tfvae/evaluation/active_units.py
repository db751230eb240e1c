"""Active units without the other diagnostics, at the cost of one encoding of the data."""

from typing import Any

import numpy as np

from tfvae._dimensions import is_vector
from tfvae._seeds import stateless_seed
from tfvae.evaluation._batches import batches_of_examples
from tfvae.evaluation._compiled import compiled
from tfvae.evaluation._finite import require_finite_weights
from tfvae.evaluation._latents import exact_mean
from tfvae.evaluation.dimensions import ActiveUnits
from tfvae.models import VAE
from tfvae.models.batch import Batch, rows_of
from tfvae.typing import Tensor


def active_units(vae: VAE, data: Any, *, batch_size: int = 500) -> ActiveUnits | None:
    """Finds the latent dimensions that respond to x: those whose E[z_d|x] has a variance over x above 0.01.

    `diagnostics` finds them as well, also for posteriors whose mean has no closed form, along with other measures.

    Args:
        vae: The model.
        data: An array `[N, *event]`, a `tfvae.data.Split`, or a data set whose batches contain x, with at least two
            examples.
        batch_size: Number of examples per batch, for arrays and splits.

    Returns:
        `ActiveUnits`; None if z is not a vector of floating-point numbers, or q(z|x) has no finite mean in closed form.

    Raises:
        TypeError: If `data` is not an array, a split or a data set.
        ValueError: If there are fewer than two examples, the data do not fit the model, or weights are not finite.
    """
    means_of, seed = compiled(vae, _mean), stateless_seed(0)
    parts: list[np.ndarray] = []
    for x in batches_of_examples(vae, data, batch_size):
        if not parts:
            posterior = vae.infer(rows_of(x, slice(1)))
            if not is_vector(posterior) or exact_mean(posterior) is None:
                return None
        parts.append(means_of(x, 1, seed).numpy())
    means = np.concatenate(parts)
    if not np.isfinite(means).all():
        require_finite_weights(vae, "E[z|x] is not finite.")
        return None
    if len(means) < 2:
        raise ValueError(f"Active units need at least 2 examples to compare. Received: {len(means)} examples")
    return ActiveUnits.of(means, np.zeros_like(means))


def _mean(vae: VAE, x: Tensor | Batch, number: Tensor, seed: Tensor) -> Tensor:
    return vae.infer(x).mean()
