"""Types of public signatures.

Docstrings write shapes with these letters: S Monte Carlo samples, K importance samples, B batch size, D latent
dimensions, and `*event` the shape of one data point.
"""

from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

# TensorFlow has no type stubs, and its import takes seconds. These names document the intended types.
Tensor: TypeAlias = Any
TensorLike: TypeAlias = Any
Distribution: TypeAlias = Any
Seed: TypeAlias = Any  # an int, an int32 tensor [2], a keras.random.SeedGenerator, or None
ConvertToTensorFn: TypeAlias = Any  # a name, a method or property of tfd.Distribution, or a function of a distribution
Shape: TypeAlias = Sequence[int]
KLKind: TypeAlias = Literal["auto", "analytic", "monte_carlo"]

__all__ = ["ConvertToTensorFn", "Distribution", "KLKind", "Seed", "Shape", "Tensor", "TensorLike"]
