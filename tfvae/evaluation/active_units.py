"""Active units by themselves, which cost one encoding of the data."""

from typing import Any

import numpy as np

from tfvae._dimensions import is_vector
from tfvae._seeds import stateless_seed
from tfvae.evaluation._batches import batches_of_x
from tfvae.evaluation._compiled import compiled
from tfvae.evaluation._finite import require_finite_weights
from tfvae.evaluation._latents import exact_mean
from tfvae.evaluation.dimensions import ActiveUnits
from tfvae.models import VAE
from tfvae.typing import Tensor


def active_units(vae: VAE, data: Any, *, batch_size: int = 500) -> ActiveUnits | None:
    """Which latent dimensions respond to x: those where E[z_d|x] varies over x by more than 0.01.

    `diagnostics` has them too, also for posteriors whose mean must be drawn, with all else that says what latents do.

    Args:
        vae: the model.
        data: an array `[N, *event]`, a `tfvae.data.Split`, or a data set whose batches hold x; at least two examples.
        batch_size: examples at a time, for arrays and splits.

    Returns:
        `ActiveUnits`; None where z is not a vector of floating-point numbers, or q(z|x) does not know its mean or has
        none that is finite.

    Raises:
        TypeError: for what is no data.
        ValueError: for fewer than two examples, data unlike the model's, or a model with weights that are not finite.
    """
    means_of, seed = compiled(vae, _mean), stateless_seed(0)
    parts: list[np.ndarray] = []
    for x in batches_of_x(vae, data, batch_size):
        if not parts:
            posterior = vae.infer(x[:1])
            if not is_vector(posterior) or exact_mean(posterior) is None:
                return None
        parts.append(means_of(x, 1, seed).numpy())
    means = np.concatenate(parts)
    if not np.isfinite(means).all():
        require_finite_weights(vae, "E[z|x] is not finite.")
        return None
    if len(means) < 2:
        raise ValueError(f"Active units compare examples and need at least 2. Received: {len(means)}.")
    return ActiveUnits.of(means, np.zeros_like(means))


def _mean(vae: VAE, x: Tensor, number: Tensor, seed: Tensor) -> Tensor:
    return vae.infer(x).mean()
