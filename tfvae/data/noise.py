"""Fixed random draws over a whole array: one Bernoulli binarisation, one dequantisation, one permutation.

All of them are functions of an integer seed. They walk through the examples in order and in chunks, so the draw of the
first n examples does not depend on how many follow, and memory stays at one chunk.
"""

import operator
from collections.abc import Iterator

import numpy as np

_CHUNK_EXAMPLES = 4096

# Dequantisation noise is the middle of one of 2**14 equal cells of [0, 1). With values up to 255 before the point,
# every sum and quotient then keeps its level in float32, so that floor(y * num_levels) is exact.
NOISE_BITS = 14


def checked_seed(seed: int) -> int:
    """Returns the seed as an unsigned 64-bit integer.

    Raises:
        TypeError: If it is not an integer.
    """
    try:
        return operator.index(seed) & 0xFFFF_FFFF_FFFF_FFFF
    except TypeError:
        raise TypeError(f"A data seed must be an integer, such as 0. Received: seed={seed!r}") from None


def permutation(num_examples: int, seed: int) -> np.ndarray:
    """Draws a random order of 0..num_examples-1, int64.

    It sorts raw bits of the generator, the only stream that NumPy keeps the same from release to release.
    """
    bits = np.random.PCG64(checked_seed(seed)).random_raw(num_examples)
    return np.argsort(bits, kind="stable")


def bernoulli(raw: np.ndarray, num_levels: int | None, seed: int) -> np.ndarray:
    """Draws each pixel from Bernoulli(x), x being the value scaled to [0, 1]; uint8 of zeros and ones."""
    generator = np.random.default_rng(checked_seed(seed))
    drawn = np.empty(raw.shape, np.uint8)
    for rows in _chunks(len(raw)):
        x = scaled(raw[rows], num_levels)
        drawn[rows] = generator.random(x.shape, dtype=np.float32) < x
    return drawn


def dequantized(raw: np.ndarray, num_levels: int, seed: int) -> np.ndarray:
    """Computes (raw + u) / num_levels with u uniform on [0, 1); float32 strictly inside (0, 1)."""
    generator = np.random.default_rng(checked_seed(seed))
    spread = np.empty(raw.shape, np.float32)
    for rows in _chunks(len(raw)):
        cells = generator.integers(0, 2**NOISE_BITS, raw[rows].shape, dtype=np.uint16)
        noise = (cells.astype(np.float32) + np.float32(0.5)) / np.float32(2**NOISE_BITS)
        spread[rows] = (raw[rows] + noise) / np.float32(num_levels)
    return spread


def scaled(raw: np.ndarray, num_levels: int | None) -> np.ndarray:
    """Divides levels by the largest one, float32; continuous values are returned unchanged."""
    if num_levels is None:
        return raw
    return raw.astype(np.float32) / np.float32(num_levels - 1)


def _chunks(num_examples: int) -> Iterator[slice]:
    for start in range(0, num_examples, _CHUNK_EXAMPLES):
        yield slice(start, start + _CHUNK_EXAMPLES)
