"""Gated networks: what a layer computes, and that it is saved."""

import keras
import numpy as np
import pytest

from tfvae import networks
from tfvae._dtype_policy import dtype_policy


def test_a_gated_layer_is_its_formula():
    layer = networks.GatedDense(2, activation="tanh")
    layer.build((None, 3))
    for dense, kernel, bias in (
        (layer.values, [[1.0, 0.0], [0.0, 2.0], [1.0, 1.0]], [0.5, 0.0]),
        (layer.gate, [[0.0, 1.0], [0.0, 0.0], [0.0, 0.0]], [0.0, -1.0]),
    ):
        dense.kernel.assign(kernel)
        dense.bias.assign(bias)
    # W x + b = (1.5, -2), V x + c = (0, 0) for x = (1, -1, 0); (0.5, 0) and (0, -1) for x = 0.
    found = layer(np.array([[1.0, -1.0, 0.0], [0.0, 0.0, 0.0]], "float32"))
    gate = 1 / (1 + np.e)
    expected = [[np.tanh(1.5) / 2, np.tanh(-2.0) / 2], [np.tanh(0.5) / 2, 0.0 * gate]]
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_gated_mlp_is_saved_in_safe_mode_with_its_precision(tmp_path):
    with dtype_policy("mixed_float16"):
        model = networks.gated_mlp(4, (3, 5))
        x = np.random.default_rng(0).normal(size=(2, 2, 3)).astype("float32")
        expected = model(x)
    assert [layer.units for layer in model.layers[1:]] == [3, 5, 4]
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    assert expected.shape == (2, 4)
    assert expected.dtype == "float16"
    np.testing.assert_array_equal(loaded(x), expected)


def test_bad_sizes_are_one_clear_error():
    with pytest.raises(ValueError, match=r"`units` must be an integer of at least 1\. Received: units=0"):
        networks.GatedDense(0)
    with pytest.raises(ValueError, match="`hidden` must contain only integers"):
        networks.gated_mlp(3, (0,))
