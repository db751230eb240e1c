"""The examples that TensorBoard shows a model by."""

import dataclasses
from typing import Any, Self

import keras
import numpy as np
import tensorflow as tf

from tfvae.data import ShardedSplit, Split, Splits
from tfvae.models import VAE, _inputs
from tfvae.typing import Tensor

# Enough for a histogram, and little work for a model.
_MAX_EXAMPLES = 1024
_LABEL_KEYS = ("label", "labels", "y")


@dataclasses.dataclass(frozen=True)
class Examples:
    """The first of what a user wants to look at, or of what the model is fitted on.

    Attributes:
        x: `[N, *event]`, or None where the model's `preview_batch` serves.
        labels: theirs `[N]`, or None.
    """

    x: np.ndarray | None
    labels: np.ndarray | None

    @classmethod
    def of(cls, images: Any) -> Self:
        """Of an array, `(array, labels)`, a dictionary, a split, splits or a data set; or None.

        Raises:
            TypeError: for a generator, and for what holds no examples.
            ValueError: for no examples, or labels that are not one an example.
        """
        if images is None:
            return cls(None, None)
        x, labels = _x_and_labels(images)
        x = _inputs.plain(x, "images")
        if not isinstance(x, np.ndarray) and not tf.is_tensor(x):
            raise TypeError(
                "images must be an array [N, *event], (array, labels), a dictionary with an image entry, a "
                "tfvae.data.Split or a tf.data.Dataset of batches. A generator can be read only once: make an array "
                f"of its first batches. Received: images of type {type(images).__name__}."
            )
        x = np.asarray(x)
        if not x.size or not x.ndim:
            raise ValueError(f"images needs examples [N, *event] to show. Received shape {x.shape}.")
        if labels is not None and np.shape(labels) != (len(x),):
            raise ValueError(f"images has {len(x)} examples and labels of shape {np.shape(labels)}; each needs one.")
        return cls(x[:_MAX_EXAMPLES], None if labels is None else np.asarray(labels)[:_MAX_EXAMPLES])

    def check(self, model: VAE) -> None:
        """Raises ValueError for examples that the model does not take."""
        if self.x is None:
            return
        try:
            _inputs.check_static(tf.convert_to_tensor(self.x), model.event_shape)
        except ValueError as error:
            raise ValueError(f"VAETensorBoard(images=...) does not fit the model: {error}") from error

    def batch(self, model: VAE) -> Tensor | None:
        """X to look at `[B, *event]`, or None."""
        x = model.preview_batch if self.x is None else self.x
        return None if x is None else tf.convert_to_tensor(x[:_MAX_EXAMPLES])


def _x_and_labels(images: Any) -> tuple[Any, Any]:
    """The examples, and their labels `[N]` or None."""
    if isinstance(images, Splits):  # what `fit` would show: validation data where there are any
        images = images.validation or images.test or images.train
    if isinstance(images, Split | ShardedSplit):
        images = images.take(min(_MAX_EXAMPLES, len(images)))
        return images.x, images.labels
    if isinstance(images, tf.data.Dataset | keras.utils.PyDataset):
        return _first_of(images)
    if isinstance(images, dict):
        return _inputs.single(images), next((images[key] for key in _LABEL_KEYS if key in images), None)
    if isinstance(images, tuple):
        if len(images) != 2:
            raise ValueError(
                f"images is an array, (array, labels) or a tfvae.data.Split. Received a tuple of {len(images)}."
            )
        return images
    return images, None


def _first_of(dataset: Any) -> tuple[Any, Any]:
    """The first examples of a data set of batches, with their labels where it has one number or word for each."""
    is_tf = isinstance(dataset, tf.data.Dataset)
    batches = dataset if is_tf else (dataset[i] for i in range(dataset.num_batches or 1))
    found: list[np.ndarray] = []
    labels: list[np.ndarray] = []
    for batch in batches:
        x, y, _ = keras.utils.unpack_x_y_sample_weight(batch)
        if isinstance(x, dict) and y is None:
            y = next((x[key] for key in _LABEL_KEYS if key in x), None)
        found.append(np.asarray(_inputs.plain(_inputs.single(x), "images")))
        if y is not None and np.shape(y) == found[-1].shape[:1]:
            labels.append(np.asarray(y))
        if sum(map(len, found)) >= _MAX_EXAMPLES:
            break
    if len({x.shape[1:] for x in found}) > 1:
        raise ValueError(f"images has batches of several event shapes: {sorted({x.shape[1:] for x in found})}.")
    x = np.concatenate(found) if found else np.zeros(0)
    return x, np.concatenate(labels) if found and len(labels) == len(found) else None
