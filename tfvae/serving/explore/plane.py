"""The plane through latent space in which examples lie widest apart."""

from typing import Any

import numpy as np
from sklearn.decomposition import PCA


def principal_plane(z: np.ndarray) -> dict[str, Any] | None:
    """The first two principal components of latents `[N, D]`, as JSON; None where there are no two.

    There are none of fewer than two dimensions or examples, nor of examples that all lie in one place.

    Returns:
        `origin` (the mean of z) `[D]`, `axes` `[2, D]`, orthonormal, and `explained`, their shares of the variance.
    """
    if min(z.shape) < 2 or not np.ptp(z, axis=0).any():
        return None
    found = PCA(n_components=2, svd_solver="full").fit(z.astype(np.float64))
    return {
        "origin": found.mean_.tolist(),
        "axes": found.components_.tolist(),
        "explained": found.explained_variance_ratio_.tolist(),
    }
