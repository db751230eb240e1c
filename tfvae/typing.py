"""Types that appear in public signatures.

Shapes in docstrings use one alphabet: S Monte Carlo samples, K importance samples, B batch, D latent dimensions,
`*event` the shape of one data point.
"""

from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

# TensorFlow ships no types of its own, and importing it takes seconds; these names say what is meant.
Tensor: TypeAlias = Any
TensorLike: TypeAlias = Any
Distribution: TypeAlias = Any
Seed: TypeAlias = Any  # an int, an int32 tensor [2], a keras.random.SeedGenerator, or None
ConvertToTensorFn: TypeAlias = Any  # a name, a method or property of tfd.Distribution, or a function of a distribution
Shape: TypeAlias = Sequence[int]
KLKind: TypeAlias = Literal["auto", "analytic", "monte_carlo"]

__all__ = ["ConvertToTensorFn", "Distribution", "KLKind", "Seed", "Shape", "Tensor", "TensorLike"]
