"""Floats that are levels."""

import numpy as np
import pytest

from tfvae.data.value_grid import value_grid

RNG = np.random.default_rng(0)
LEVELS = RNG.integers(0, 256, (20, 16, 16, 3))
GRIDS = {
    "k/255": (LEVELS / 255, 0.0, 1 / 255, 256),
    "k/256": (LEVELS / 256, 0.0, 1 / 256, 256),
    "whole numbers": (LEVELS, 0.0, 1.0, 256),
    "k/127.5 - 1": (LEVELS / 127.5 - 1, -1.0, 2 / 255, 256),
    "standardised": ((LEVELS / 255 - 0.485) / 0.229, -0.485 / 0.229, 1 / 255 / 0.229, 256),
    "binary": (LEVELS > 127, 0.0, 1.0, 2),
    "k/15": (LEVELS // 16 / 15, 0.0, 1 / 15, 16),
    "few of them": (RNG.choice([0, 3, 17, 200, 255], (10, 50)) / 255, 0.0, 1 / 255, 256),
    "16 bits": (RNG.permutation(65536).reshape(64, -1) / 65535, 0.0, 1 / 65535, 65536),
    "small units": (LEVELS * 1e-9, 0.0, 1e-9, 256),
    "far away": (1e6 + LEVELS, 1e6, 1.0, 256),
    "one decimal": (np.round(RNG.uniform(-3, 3, (100, 8)), 1), -3.0, 0.1, 61),
}
CONTINUOUS = {
    "normal": RNG.normal(size=(100, 30)),
    "uniform": RNG.random((100, 30), dtype="float32"),
    "dequantised": (LEVELS + RNG.random(LEVELS.shape)) / 256,
    "few": RNG.normal(size=(5, 2)),
    "thirty": RNG.normal(size=(30, 1)),
    "each often": np.repeat(RNG.normal(size=(5, 1)), 20, axis=0),
    "a class beside": np.c_[RNG.integers(0, 3, 200), RNG.normal(size=200)],
    "constant": np.ones((10, 3)),
    "not finite": np.array([[0.0, np.nan, 1.0]] * 20),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", list(GRIDS))
def test_levels_are_found(name, dtype):
    values, *expected = GRIDS[name]
    np.testing.assert_allclose(value_grid(values.astype(dtype)), expected, rtol=1e-5)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", list(CONTINUOUS))
def test_continuous_values_are_no_levels(name, dtype):
    assert value_grid(CONTINUOUS[name].astype(dtype)) is None
