"""Pictures of a VAE in training, `[H, W, C]`, each in the way of the same name in a report."""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import scipy.stats
import tensorflow as tf

from tfvae import _images
from tfvae._display import Display
from tfvae.callbacks._tensorboard.views import NUM_DRAWS, Encoding, ModelViews
from tfvae.typing import Tensor

_NUM_ROWS = 8  # of pictures that have one example or one pair of them in each
_NUM_DIMENSIONS = 20  # at most, of a traversal
_STEPS = np.linspace(-3.0, 3.0, 11)  # the span of a standard normal prior
_GRID = 16  # of a manifold, on each side


@dataclasses.dataclass(frozen=True)
class Seen:
    """What pictures are made of.

    Attributes:
        views: the model's.
        num_images: how many there are in a grid of single ones.
        x: examples `[B, *event]`, or None.
        encoding: what q(z|x) is for them; None without examples.
    """

    views: ModelViews
    num_images: int
    x: Tensor | None
    encoding: Encoding | None

    @functools.cached_property
    def means(self) -> np.ndarray | None:
        """E[z|x] `[B, D]` where z is a vector, and a draw where the posterior does not know its mean."""
        if self.encoding is None or not self.views.has_vector_latents:
            return None
        mean = self.encoding.statistics.get("mean")
        return np.asarray(self.encoding.z[0] if mean is None else mean)

    @functools.cached_property
    def display(self) -> Display:
        """How examples are shown: by the range of the data, or of what the model draws where there are no data."""
        return Display.of(self.views.decode(self.views.from_prior(self.num_images)) if self.x is None else self.x)

    def tile(self, x: Any, num_columns: int | None = None) -> np.ndarray:
        """A grid of examples, or of what the model makes."""
        return _images.tile(self.display.pictures(x), num_columns)

    def first_draws(self, num: int, num_draws: int) -> Any:
        """Draws of z for the first examples, those of an example in a row: `[num * num_draws, D]`, or a nest."""
        return tf.nest.map_structure(
            lambda z: tf.reshape(tf.stack(tf.unstack(z[:num_draws, :num]), axis=1), [-1, *z.shape[2:]]),
            self.encoding.z,  # type: ignore[union-attr]
        )


def _samples(seen: Seen) -> np.ndarray:
    """Means of p(x|z) for z from the prior."""
    return seen.tile(seen.views.decode(seen.views.from_prior(seen.num_images)))


def _reconstructions(seen: Seen) -> np.ndarray | None:
    """Rows of originals, with the mean of p(x|z) for one z from q(z|x) below each."""
    if seen.x is None:
        return None
    x = seen.x[: seen.num_images]
    means = seen.views.decode(seen.first_draws(x.shape[0], 1))
    return _images.beside(seen.display.pictures(x), seen.display.pictures(means))


def _posterior_samples(seen: Seen) -> np.ndarray | None:
    """In each row an original, and the means of p(x|z) for several z from its q(z|x)."""
    if seen.x is None:
        return None
    x = np.asarray(seen.x[:_NUM_ROWS])
    drawn = np.asarray(seen.views.decode(seen.first_draws(len(x), NUM_DRAWS)))
    rows = np.concatenate([x[:, np.newaxis], drawn.reshape(len(x), NUM_DRAWS, *x.shape[1:])], axis=1)
    return seen.tile(rows.reshape(-1, *x.shape[1:]), NUM_DRAWS + 1)


def _traversals(seen: Seen) -> np.ndarray | None:
    """From the first example's E[z|x], each row moves one latent dimension from -3 to 3.

    The dimensions in which E[z|x] varies most, if there are many; in their own order.
    """
    means = seen.means
    if means is None:
        return None
    most = np.argsort(-means.var(axis=0), kind="stable")[:_NUM_DIMENSIONS]
    z = np.tile(means[0], (len(most), len(_STEPS), 1))
    for row, dimension in enumerate(np.sort(most)):
        z[row, :, dimension] = _STEPS
    return seen.tile(_decoded(seen, z), len(_STEPS))


def _interpolations(seen: Seen) -> np.ndarray | None:
    """Each row walks from one example's E[z|x] to another's."""
    means = seen.means
    if means is None or len(means) < 2:
        return None
    num_rows = min(_NUM_ROWS, len(means) // 2)
    share = np.linspace(0.0, 1.0, len(_STEPS), dtype=means.dtype)[:, np.newaxis]
    starts, ends = means[: 2 * num_rows : 2, np.newaxis], means[1 : 2 * num_rows : 2, np.newaxis]
    return seen.tile(_decoded(seen, (1.0 - share) * starts + share * ends), len(_STEPS))


def _manifold(seen: Seen) -> np.ndarray | None:
    """For two latent dimensions: p(x|z) on a grid that is even in prior probability (the AEVB paper's figure 4)."""
    means = seen.means
    if means is None or means.shape[1] != 2:
        return None
    quantiles = scipy.stats.norm.ppf((np.arange(_GRID) + 0.5) / _GRID)
    z = np.stack(np.meshgrid(quantiles, quantiles[::-1]), axis=-1).astype(means.dtype)
    return seen.tile(_decoded(seen, z), _GRID)


def _decoded(seen: Seen, z: np.ndarray) -> Tensor:
    return seen.views.decode(tf.constant(z.reshape(-1, z.shape[-1])))


PICTURES: Mapping[str, Callable[[Seen], np.ndarray | None]] = MappingProxyType(
    {
        "samples": _samples,
        "reconstructions": _reconstructions,
        "posterior_samples": _posterior_samples,
        "traversals": _traversals,
        "interpolations": _interpolations,
        "manifold": _manifold,
    }
)
