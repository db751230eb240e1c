"""Principal plane of latents."""

from typing import Any

import numpy as np
from sklearn.decomposition import PCA


def principal_plane(z: np.ndarray) -> dict[str, Any] | None:
    """Computes the first two principal components of latents `[N, D]`.

    Returns:
        A dictionary with `origin`, the mean of z `[D]`, `axes`, orthonormal `[2, D]`, and `explained`, the fractions of
        the variance. None if there are fewer than two dimensions or examples, or if all examples are equal.
    """
    if min(z.shape) < 2 or not np.ptp(z, axis=0).any():
        return None
    pca = PCA(n_components=2, svd_solver="full").fit(z.astype(np.float64))
    return {
        "origin": pca.mean_.tolist(),
        "axes": pca.components_.tolist(),
        "explained": pca.explained_variance_ratio_.tolist(),
    }
