"""The plane through latent space in which examples lie widest apart."""

from typing import Any

import numpy as np
from sklearn.decomposition import PCA


def principal_plane(z: np.ndarray) -> dict[str, Any] | None:
    """The first two principal components of latents `[N, D]`, as JSON; None for fewer than two dimensions or examples.

    Returns:
        `origin` (the mean of z) `[D]`, `axes` `[2, D]`, orthonormal, and `explained`, their shares of the variance.
    """
    if min(z.shape) < 2:
        return None
    found = PCA(n_components=2, svd_solver="full").fit(z.astype(np.float64))
    explained = np.nan_to_num(found.explained_variance_ratio_)
    return {"origin": found.mean_.tolist(), "axes": found.components_.tolist(), "explained": explained.tolist()}
