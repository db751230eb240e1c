"""The examples on which TensorBoard shows a model."""

import dataclasses
from collections.abc import Mapping
from typing import Any, Self, TypeAlias

import numpy as np
import tensorflow as tf

from tfvae.data import Splits, reading
from tfvae.data.any_split import AnySplit
from tfvae.data.examples import CONDITION, OBSERVED
from tfvae.models import VAE, _inputs
from tfvae.models.batch import Batch
from tfvae.models.conditions import as_condition
from tfvae.models.styles import has_class_labels
from tfvae.typing import Tensor, TensorLike

# What `VAETensorBoard(images=...)` takes.
Images: TypeAlias = (
    TensorLike | tuple[TensorLike, TensorLike] | Mapping[str, TensorLike] | AnySplit | Splits | tf.data.Dataset
)

# Enough for a histogram, and little work for a model.
_MAX_EXAMPLES = 1024


@dataclasses.dataclass(frozen=True)
class Examples:
    """The first examples of the data that a user gives, or that the model is fitted on.

    Attributes:
        x: Data `[N, *event]`, or None to use the model's `preview_batch`.
        labels: Labels `[N]`, or None.
        condition: Conditions `[N, *shape]`, or None.
        observed: Boolean array of the shape of x, False at missing values, or None.
    """

    x: np.ndarray | None
    labels: np.ndarray | None
    condition: np.ndarray | None = None
    observed: np.ndarray | None = None

    @classmethod
    def of(cls, images: Any) -> Self:
        """Reads an array, `(array, labels)`, a dictionary, a split, splits or a dataset; None stays None.

        Raises:
            TypeError: If `images` is a generator or has no examples.
            ValueError: If there are no examples, or not one label for each.
        """
        if images is None:
            return cls(None, None)
        if isinstance(images, Splits):  # as `fit` does, validation data if there are any
            images = images.validation or images.test or images.train
        if isinstance(images, tuple) and len(images) != 2:
            raise ValueError(
                f"images must be an array, (array, labels) or a tfvae.data.Split. Received: a tuple of {len(images)}"
            )
        found = reading.in_memory(images, "images") or reading.first(images, _MAX_EXAMPLES, "images")
        x = np.zeros(0) if found is None else np.asarray(found.x)
        if found is None or not x.size or not x.ndim:
            raise ValueError(f"images needs examples [N, *event] to show. Received: shape {x.shape}")
        labels = None if found.labels is None else np.asarray(found.labels)
        if labels is not None and labels.shape != (len(x),):
            raise ValueError(
                f"images has {len(x)} examples and labels of shape {labels.shape}. Give one label for each example."
            )
        parts = (labels, found.condition, found.observed)
        return cls(x[:_MAX_EXAMPLES], *(None if part is None else np.asarray(part)[:_MAX_EXAMPLES] for part in parts))

    @property
    def has_condition(self) -> bool:
        """Whether each example has a condition."""
        return self.condition is not None

    def check(self, model: VAE) -> None:
        """Raises ValueError if the model does not take the examples."""
        if self.x is None:
            return
        try:
            _inputs.check_static(tf.convert_to_tensor(self.x), model.event_shape)
            if self.condition is not None:
                as_condition(self.condition, model.condition_shape, model.variable_dtype)
        except ValueError as error:
            raise ValueError(f"VAETensorBoard(images=...) does not fit the model: {error}") from error

    def batch(self, model: VAE) -> Tensor | None:
        """Returns the examples `[B, *event]` to show, or None."""
        x = model.preview_batch if self.x is None else self.x
        return None if x is None else tf.convert_to_tensor(x[:_MAX_EXAMPLES])

    def with_parts(self, model: VAE, x: Tensor) -> Batch | None:
        """Returns the examples with conditions, labels or masks. None for a model that needs only x."""
        if model.condition_shape is None and model.missing is None and not has_class_labels(model):
            return None
        parts = {CONDITION: self.condition, OBSERVED: self.observed}
        batch = model.batch_of({"x": x, **{name: part for name, part in parts.items() if part is not None}})
        has_labels = self.labels is not None and self.labels.dtype.kind in "iu" and has_class_labels(model)
        return batch._replace(labels=tf.constant(self.labels)) if has_labels else batch
