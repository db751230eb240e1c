"""Principal plane of latents."""

from typing import Any

import numpy as np


def principal_plane(z: np.ndarray) -> dict[str, Any] | None:
    """Computes the first two principal components of latents `[N, D]`.

    Returns:
        A dictionary with `origin`, the mean of z `[D]`, `axes`, orthonormal `[2, D]`, and `explained`, the fractions of
        the variance. None if there are fewer than two dimensions or examples, or if all examples are equal.
    """
    if min(z.shape) < 2 or not np.ptp(z, axis=0).any():
        return None
    # As sklearn.decomposition.PCA, whose import takes longer than the rest of the page. The largest entry of an axis is
    # positive.
    centred = z.astype(np.float64)
    origin = centred.mean(axis=0)
    _, singular, axes = np.linalg.svd(centred - origin, full_matrices=False)
    axes = axes[:2]
    axes *= np.sign(np.take_along_axis(axes, np.abs(axes).argmax(axis=1)[:, np.newaxis], axis=1))
    return {
        "origin": origin.tolist(),
        "axes": axes.tolist(),
        "explained": (singular**2 / (singular**2).sum())[:2].tolist(),
    }
