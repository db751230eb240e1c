"""What can be asked of a model that is served."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

DEFAULT_SIGNATURE = "serving_default"


@dataclasses.dataclass(frozen=True)
class TensorInfo:
    """What goes into a signature, or comes out of it.

    Attributes:
        dtype: of its numbers.
        shape: None for an axis of any length.
    """

    dtype: np.dtype[Any]
    shape: tuple[int | None, ...]

    @property
    def has_batch(self) -> bool:
        """Whether the first axis counts examples."""
        return bool(self.shape) and self.shape[0] is None

    @property
    def row_size(self) -> int:
        """The numbers of one example, or of all where nothing counts them; an axis of any length counts as 1."""
        return math.prod(length or 1 for length in self.shape[self.has_batch :])

    @property
    def is_whole(self) -> bool:
        """Whether its numbers are whole ones."""
        return self.dtype.kind in "iu"


@dataclasses.dataclass(frozen=True)
class Signature:
    """What can be asked of a model.

    Attributes:
        name: of the signature.
        inputs: by name.
        outputs: by name.
        is_by_row: whether each example is answered for itself, so that requests can be joined along their first axis.
    """

    name: str
    inputs: Mapping[str, TensorInfo]
    outputs: Mapping[str, TensorInfo]
    is_by_row: bool = False
