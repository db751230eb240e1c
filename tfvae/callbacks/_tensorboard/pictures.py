"""Pictures of a VAE in training, `[H, W, C]`. Those of a report with the same name are drawn alike."""

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
from tfvae.models.batch import Batch
from tfvae.typing import Tensor

_MAX_ROWS = 8  # of posterior samples and interpolations
_MAX_DIMENSIONS = 20  # of traversals
_STEPS = np.linspace(-3.0, 3.0, 11)  # the range of a standard normal prior
_GRID_SIZE = 16  # pictures on each side of a manifold


@dataclasses.dataclass(frozen=True)
class PictureInputs:
    """Model and examples that pictures are drawn from.

    Attributes:
        views: Views of the model.
        num_images: Number of samples and of reconstructions.
        x: Examples `[B, *event]`, or None.
        encoding: Posterior of the examples, or None if there are no examples.
        batch: The examples with their conditions or labels, for a model that has them.
    """

    views: ModelViews
    num_images: int
    x: Tensor | None
    encoding: Encoding | None
    batch: Batch | None = None

    @functools.cached_property
    def means(self) -> np.ndarray | None:
        """E[z|x] `[B, D]`, or a draw if the posterior does not define its mean. None if z is not a vector."""
        if self.encoding is None or not self.views.has_vector_latents:
            return None
        mean = self.encoding.statistics.get("mean")
        return np.asarray(self.encoding.z[0] if mean is None else mean)

    @functools.cached_property
    def samples(self) -> Tensor:
        """The means of p(x|z) `[num_images, *event]` for z of the prior."""
        condition = None if self.batch is None else self.batch.condition
        if condition is None:
            return self.views.samples(self.num_images)
        return self.views.samples(min(self.num_images, len(condition)), condition[: self.num_images])

    @functools.cached_property
    def display(self) -> Display:
        """How examples are shown: on the range of the data, or of the samples if there are no data."""
        return Display.of(self.samples if self.x is None else self.x)

    def examples(self, num: int) -> Any:
        """Returns the first examples, as the views take them."""
        return self.x[:num] if self.batch is None else self.batch.rows(slice(num))  # type: ignore[index]

    def decode(self, z: Any, rows: np.ndarray) -> Tensor:
        """Computes the means of p(x|z) for z `[N, D]`, or a nest, with the conditions of these examples."""
        if self.batch is None or self.batch.condition is None:
            return self.views.decode(z)
        return self.views.decode(z, condition=tf.gather(self.batch.condition, rows))

    def tile(self, x: Any, num_columns: int | None = None) -> np.ndarray:
        """Draws x `[N, *event]` in a grid."""
        return _images.tile(self.display.pictures(x), num_columns)

    def first_draws(self, num: int) -> Any:
        """Returns the draws of z for the first examples, ordered by example: `[num * NUM_DRAWS, D]`, or a nest."""
        return tf.nest.map_structure(
            lambda z: tf.reshape(tf.stack(tf.unstack(z[:, :num]), axis=1), [-1, *z.shape[2:]]),
            self.encoding.z,  # type: ignore[union-attr]
        )


def _samples(inputs: PictureInputs) -> np.ndarray:
    """Draws means of p(x|z) for z from the prior."""
    return inputs.tile(inputs.samples)


def _reconstructions(inputs: PictureInputs) -> np.ndarray | None:
    """Draws rows of originals, with the mean of p(x|z) for one z from q(z|x) below each."""
    if inputs.x is None:
        return None
    x = inputs.x[: inputs.num_images]
    means = inputs.views.reconstructions(inputs.examples(inputs.num_images))
    return _images.beside(inputs.display.pictures(x), inputs.display.pictures(means))


def _posterior_samples(inputs: PictureInputs) -> np.ndarray | None:
    """Draws one row per example: the original, and the means of p(x|z) for several z from q(z|x)."""
    if inputs.x is None:
        return None
    x = np.asarray(inputs.x[:_MAX_ROWS])
    drawn = np.asarray(inputs.decode(inputs.first_draws(len(x)), np.repeat(np.arange(len(x)), NUM_DRAWS)))
    rows = np.concatenate([x[:, np.newaxis], drawn.reshape(len(x), NUM_DRAWS, *x.shape[1:])], axis=1)
    return inputs.tile(rows.reshape(-1, *x.shape[1:]), NUM_DRAWS + 1)


def _traversals(inputs: PictureInputs) -> np.ndarray | None:
    """Draws rows that start from the first example's E[z|x] and move one latent dimension from -3 to 3.

    If there are many dimensions, those in which E[z|x] varies most are shown, in order.
    """
    means = inputs.means
    if means is None:
        return None
    dimensions = np.sort(np.argsort(-means.var(axis=0), kind="stable")[:_MAX_DIMENSIONS])
    z = np.tile(means[0], (len(dimensions), len(_STEPS), 1))
    for row, dimension in enumerate(dimensions):
        z[row, :, dimension] = _STEPS
    return inputs.tile(_decoded(inputs, z, 0), len(_STEPS))


def _interpolations(inputs: PictureInputs) -> np.ndarray | None:
    """Draws rows that interpolate from one example's E[z|x] to another's."""
    means = inputs.means
    if means is None or len(means) < 2:
        return None
    num_rows = min(_MAX_ROWS, len(means) // 2)
    share = np.linspace(0.0, 1.0, len(_STEPS), dtype=means.dtype)[:, np.newaxis]
    starts, ends = means[: 2 * num_rows : 2, np.newaxis], means[1 : 2 * num_rows : 2, np.newaxis]
    rows = np.repeat(np.arange(0, 2 * num_rows, 2), len(_STEPS))
    return inputs.tile(_decoded(inputs, (1.0 - share) * starts + share * ends, rows), len(_STEPS))


def _manifold(inputs: PictureInputs) -> np.ndarray | None:
    """Draws the plane of two latent dimensions on a grid of equal prior probability (figure 4 of the AEVB paper)."""
    means = inputs.means
    if means is None or means.shape[1] != 2:
        return None
    quantiles = scipy.stats.norm.ppf((np.arange(_GRID_SIZE) + 0.5) / _GRID_SIZE)
    z = np.stack(np.meshgrid(quantiles, quantiles[::-1]), axis=-1).astype(means.dtype)
    return inputs.tile(_decoded(inputs, z, 0), _GRID_SIZE)


def _styles(inputs: PictureInputs) -> np.ndarray | None:
    """Draws rows of one style of the prior in every class. None for models without conditions or class labels."""
    if inputs.batch is None or not inputs.views.has_styles:
        return None
    means, num_columns = inputs.views.styles(inputs.batch, _MAX_ROWS)
    return inputs.tile(means, num_columns)


def _analogies(inputs: PictureInputs) -> np.ndarray | None:
    """Draws one row per example: the original, and its style in every class."""
    if inputs.batch is None or not inputs.views.has_styles:
        return None
    x = np.asarray(inputs.x[:_MAX_ROWS])  # type: ignore[index]
    means, num_columns = inputs.views.analogies(inputs.examples(_MAX_ROWS))
    decoded = np.asarray(means).reshape(len(x), num_columns, *x.shape[1:])
    rows = np.concatenate([x[:, np.newaxis], decoded], axis=1)
    return inputs.tile(rows.reshape(-1, *x.shape[1:]), num_columns + 1)


def _decoded(inputs: PictureInputs, z: np.ndarray, rows: Any) -> Tensor:
    flat = tf.constant(z.reshape(-1, z.shape[-1]))
    return inputs.decode(flat, np.broadcast_to(rows, len(flat)))


PICTURES: Mapping[str, Callable[[PictureInputs], np.ndarray | None]] = MappingProxyType(
    {
        "samples": _samples,
        "reconstructions": _reconstructions,
        "posterior_samples": _posterior_samples,
        "traversals": _traversals,
        "interpolations": _interpolations,
        "manifold": _manifold,
        "styles": _styles,
        "analogies": _analogies,
    }
)


def pictures_of(inputs: PictureInputs, names: list[str]) -> dict[str, np.ndarray | None]:
    """Draws the pictures of these views by name. There are none for the rows of a table, see `rows.texts_of`."""
    if inputs.views.schema is not None:
        return {}
    return {name: draw(inputs) for name, draw in PICTURES.items() if name in names}
