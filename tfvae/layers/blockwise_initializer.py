"""Initializer that combines several initializers."""

import operator
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from tfvae._serialization import register
from tfvae.typing import Tensor


@register
class BlockwiseInitializer(keras.initializers.Initializer):
    """Initialises a weight in blocks along its last axis, with one initializer per block.

    Use it for weights that contain several parameters, such as the locs and raw scales of a `VariableLayer`.

    Args:
        initializers: Keras initializers, or their names.
        sizes: Sizes of the blocks along the last axis, one per initializer.
        validate_args: Accepted for compatibility with TFP. The sizes are always checked.

    Call arguments:
        shape: Shape of the weight. The length of its last axis is sum(sizes).
        dtype: Dtype of the weight. Defaults to `keras.config.floatx()`.

    Returns:
        The blocks, concatenated along the last axis.

    Raises:
        ValueError: If the numbers of sizes and initializers differ, or if the sizes do not add up to the last axis.

    Example:
        >>> initializer = BlockwiseInitializer(["zeros", keras.initializers.Constant(0.54)], sizes=[2, 2])
        >>> initializer((3, 4)).shape
        TensorShape([3, 4])
    """

    def __init__(self, initializers: Sequence[Any], sizes: Sequence[int], validate_args: bool = False):
        self.initializers = [keras.initializers.get(initializer) for initializer in initializers]
        self.sizes = [operator.index(size) for size in sizes]
        self.validate_args = validate_args
        if len(self.initializers) != len(self.sizes) or not self.sizes or min(self.sizes) < 0:
            raise ValueError(
                "BlockwiseInitializer requires one size of at least 0 for each initializer. "
                f"Received: {len(self.initializers)} initializers and sizes={self.sizes}"
            )

    def __call__(self, shape: Any, dtype: Any = None) -> Tensor:
        shape = tuple(operator.index(axis) for axis in shape)
        if not shape or shape[-1] != sum(self.sizes):
            raise ValueError(
                f"BlockwiseInitializer with sizes={self.sizes} requires a shape with a last axis of {sum(self.sizes)}. "
                f"Received: shape={shape}"
            )
        dtype = keras.config.floatx() if dtype is None else dtype
        blocks = [
            initializer((*shape[:-1], size), dtype=dtype)
            for initializer, size in zip(self.initializers, self.sizes, strict=True)
        ]
        return tf.concat(blocks, axis=-1)

    def get_config(self) -> dict[str, Any]:
        return {
            "initializers": [keras.initializers.serialize(initializer) for initializer in self.initializers],
            "sizes": self.sizes,
            "validate_args": self.validate_args,
        }
