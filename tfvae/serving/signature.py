"""Signatures of a served model."""

import dataclasses
import functools
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

DEFAULT_SIGNATURE = "serving_default"


@dataclasses.dataclass(frozen=True)
class TensorInfo:
    """Dtype and shape of an input or output.

    Attributes:
        dtype: Dtype of the values.
        shape: Shape, with None for an axis of any length.
        num_classes: Number of classes if the values are indices of classes, or vectors that may be given as such.
        is_shared: Whether one value may serve all examples, as a condition or a label does.
        takes_null: Whether null stands for a missing value, NaN.
    """

    dtype: np.dtype[Any]
    shape: tuple[int | None, ...]
    num_classes: int | None = None
    is_shared: bool = False
    takes_null: bool = False

    @property
    def has_batch(self) -> bool:
        """Whether the first axis is the batch axis."""
        return bool(self.shape) and self.shape[0] is None

    @functools.cached_property
    def row_size(self) -> int:
        """Number of values per example, or in total without a batch axis. An axis of any length counts as 1."""
        return math.prod(length or 1 for length in self.shape[self.has_batch :])

    @functools.cached_property
    def is_whole(self) -> bool:
        """Whether the values are integers."""
        return self.dtype.kind in "iu"


@dataclasses.dataclass(frozen=True)
class Signature:
    """Function of a served model.

    Attributes:
        name: Name of the signature.
        inputs: Input tensors by name.
        outputs: Output tensors by name.
        is_by_row: Whether each example is handled independently, so that requests can be batched.
    """

    name: str
    inputs: Mapping[str, TensorInfo]
    outputs: Mapping[str, TensorInfo]
    is_by_row: bool = False

    @property
    def batched(self) -> list[str]:
        """The names of the inputs with one value for each example. `sample` has none."""
        return [name for name, info in self.inputs.items() if info.has_batch and not info.is_shared]
