"""Prior of a class label or another discrete part of z."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfvae._checks import whole_number
from tfvae._serialization import register
from tfvae.layers._one_hot_categorical import OneHotCategorical
from tfvae.priors.prior import Prior
from tfvae.typing import Distribution


@register
class Categorical(Prior):
    """Categorical prior p(y) over one-hot vectors, uniform or given, and optionally learned with the model.

    Args:
        num_classes: Number of classes, K.
        probs: Probabilities `[K]` of the classes. None is the uniform distribution.
        learned: Whether the probabilities are trained, from `probs` on.
        **kwargs: Arguments `name` and `dtype` of `keras.layers.Layer`.

    Raises:
        ValueError: If `num_classes` is below 2, or `probs` are not K positive probabilities.
    """

    def __init__(self, num_classes: int, probs: Sequence[float] | None = None, learned: bool = False, **kwargs: Any):
        super().__init__(**kwargs)
        self.num_classes = whole_number(num_classes, "num_classes", at_least=2)
        given = np.full(self.num_classes, 1.0 / self.num_classes) if probs is None else np.asarray(probs, np.float64)
        if given.shape != (self.num_classes,) or not (given > 0).all() or abs(given.sum() - 1.0) > 1e-5:
            raise ValueError(
                f"`probs` must be {self.num_classes} positive probabilities that add up to 1. Received: probs={probs!r}"
            )
        self.probs = None if probs is None else given.tolist()
        self.learned = learned
        self._logits = self.add_weight(
            name="logits",
            shape=(self.num_classes,),
            initializer=lambda shape, dtype: keras.ops.convert_to_tensor(np.log(given), dtype=dtype),
            trainable=learned,
            autocast=False,
        )
        self.built = True

    @property
    def event_shape(self) -> tuple[int, ...]:
        return (self.num_classes,)

    def distribution(self) -> Distribution:
        logits = tf.convert_to_tensor(self._logits.value)
        return OneHotCategorical(logits=logits, dtype=logits.dtype, name="prior")

    def get_config(self) -> dict[str, Any]:
        config = {"num_classes": self.num_classes, "probs": self.probs, "learned": self.learned}
        return {**super().get_config(), **config}
