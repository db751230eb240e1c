"""Layers that take points of the Poincare ball: their formulas by Mobius addition, limits, saving and precision."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfvae import _poincare as ball
from tfvae import networks
from tfvae._dtype_policy import dtype_policy

RADII = (0.1, 0.5, 0.9, 0.99, 0.9999)
LAYERS = {
    "gyroplane": lambda **kwargs: networks.Gyroplane(4, 0.7, "relu", bias_initializer="random_normal", **kwargs),
    "mobius": lambda **kwargs: networks.MobiusDense(4, 0.7, "tanh", bias_initializer="random_normal", **kwargs),
    "log map": lambda **kwargs: networks.PoincareLogMap(0.7, **kwargs),
}


def points(c, size=3, seed=0):
    x = np.random.default_rng(seed).normal(size=(len(RADII), size))
    return x / np.linalg.norm(x, axis=-1, keepdims=True) * np.array(RADII)[:, np.newaxis] / math.sqrt(c)


@pytest.mark.parametrize("c", [0.4, 1.0, 3.0])
def test_a_gyroplane_layer_is_the_distance_to_hyperplanes(c):
    layer = networks.Gyroplane(5, c, dtype="float64", kernel_initializer="random_normal")
    layer.build((None, 3))
    layer.bias.assign(np.random.default_rng(1).normal(size=5))
    z, normals = points(c), layer.kernel.numpy().T  # [units, D]
    length = np.linalg.norm(normals, axis=1)
    normals /= length[:, np.newaxis]
    # Through a point p, the hyperplane has the signed distance asinh(2 sqrt(c) <w, a> / (1 - c |w|^2)) / sqrt(c), where
    # w is the Mobius sum of -p and z (Ganea et al. 2018, theorem 5).
    p = ball.exp_origin(tf.constant(-layer.bias.numpy()[:, np.newaxis] * normals / 2.0), c)
    w = ball.mobius_add(-p[tf.newaxis], tf.constant(z)[:, tf.newaxis], c).numpy()
    sine = 2 * math.sqrt(c) * (w * normals).sum(axis=-1) / (1 - c * (w**2).sum(axis=-1))
    np.testing.assert_allclose(layer(z), length * np.arcsinh(sine) / math.sqrt(c), rtol=1e-9)
    single = networks.Gyroplane(5, c)
    single.build((None, 3))
    single.set_weights(layer.get_weights())
    np.testing.assert_allclose(single(z.astype("float32")), layer(z.astype("float32")), rtol=5e-3, atol=1e-5)


def test_a_gyroplane_layer_without_curvature_is_dense():
    z = points(1.0)
    layer = networks.Gyroplane(5, 1e-8, dtype="float64")
    layer.build((None, 3))
    layer.bias.assign(np.random.default_rng(1).normal(size=5))
    kernel = layer.kernel.numpy()
    expected = 2 * z @ kernel + np.linalg.norm(kernel, axis=0) * layer.bias.numpy()
    np.testing.assert_allclose(layer(z), expected, rtol=1e-6, atol=1e-9)


def test_the_distance_to_a_hyperplane_is_the_smallest_one_to_its_points():
    layer = networks.Gyroplane(1, dtype="float64")
    layer.build((None, 2))
    layer.kernel.assign([[0.0], [1.0]])
    layer.bias.assign([-0.8])  # the hyperplane is at the distance 0.8 from the origin, along the second axis
    z = np.array([[0.4, -0.3], [-0.2, 0.7], [0.0, 0.0]])
    # Its points are the geodesic that leaves its foot along the first axis.
    foot = tf.constant([[0.0, math.tanh(0.4)]], tf.float64)
    along = np.linspace(-8.0, 8.0, 40_001)[:, np.newaxis] * np.array([[1.0, 0.0]])
    line = ball.exp(foot, tf.constant(along) / ball.conformal_factor(foot, 1.0), 1.0)
    smallest = [np.min(ball.distance(tf.constant(each), line, 1.0)) for each in z]
    np.testing.assert_allclose(np.abs(layer(z))[:, 0], smallest, rtol=1e-6)
    np.testing.assert_array_equal(np.sign(layer(z))[:, 0], [-1.0, 1.0, -1.0])


def test_a_mobius_layer_is_its_formula():
    c, z = 0.7, points(0.7)
    layer = networks.MobiusDense(4, c, "tanh", dtype="float64", bias_initializer="random_normal")
    layer.build((None, 3))
    kernel, bias = layer.kernel.numpy(), layer.bias.numpy()
    length = np.linalg.norm(z, axis=-1, keepdims=True) * math.sqrt(c)
    product = np.arctanh(length) / length * z @ kernel
    length = np.linalg.norm(product, axis=-1, keepdims=True) * math.sqrt(c)
    shift = tf.constant(np.tanh(np.linalg.norm(bias) * math.sqrt(c)) / (np.linalg.norm(bias) * math.sqrt(c)) * bias)
    total = ball.mobius_add(tf.constant(np.tanh(length) / length * product), shift, c)
    expected = ball.exp_origin(tf.tanh(ball.log_origin(total, c)), c)
    np.testing.assert_allclose(layer(z), expected, rtol=1e-9)
    assert np.all(np.sum(np.asarray(layer(z)) ** 2, axis=-1) < 1 / c)


def test_a_log_map_has_the_length_of_the_distance():
    z = points(0.7)
    found = np.asarray(networks.PoincareLogMap(0.7, dtype="float64")(z))
    distances = ball.distance(tf.zeros_like(z), tf.constant(z), 0.7)
    np.testing.assert_allclose(np.linalg.norm(found, axis=-1, keepdims=True), distances, rtol=1e-9)
    directions = z / np.linalg.norm(z, axis=-1, keepdims=True)
    np.testing.assert_allclose(found / np.linalg.norm(found, axis=-1, keepdims=True), directions, rtol=1e-12)


@pytest.mark.parametrize("name", LAYERS)
def test_points_on_and_outside_the_boundary_are_finite_with_finite_gradients(name):
    layer = LAYERS[name]()
    with tf.GradientTape() as tape:
        z = tf.constant([[0.0, 0.0, 0.0], [1e-30, 0.0, 0.0], [0.7**-0.5, 0.0, 0.0], [3.0, -4.0, 1e20]])
        tape.watch(z)
        value = layer(z)
    gradients = tape.gradient(value, [z, *layer.trainable_weights])
    assert np.isfinite(value).all()
    assert all(np.isfinite(gradient).all() for gradient in gradients)


@pytest.mark.parametrize("name", LAYERS)
def test_saved_in_safe_mode_with_its_precision_and_under_xla(name, tmp_path):
    with dtype_policy("mixed_bfloat16"):
        model = keras.Sequential([keras.Input((3,)), LAYERS[name]()])
        z = points(0.7).astype("float32")
        expected = model(z)
    size = 3 if name == "log map" else 4
    assert model.output_shape == (None, size)
    assert expected.dtype == ("float32" if name == "mobius" else "bfloat16")
    assert model.outputs[0].dtype == expected.dtype.name
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    np.testing.assert_array_equal(loaded(z), expected)
    compiled = tf.function(model, input_signature=[tf.TensorSpec([None, 3])], jit_compile=True)
    np.testing.assert_allclose(tf.cast(compiled(z), tf.float32), tf.cast(expected, tf.float32), rtol=1e-2, atol=1e-2)


def test_any_leading_axes_and_without_bias():
    z = np.stack([points(0.7), points(0.7, seed=1)]).astype("float32")
    for name in LAYERS:
        layer = LAYERS[name]()
        np.testing.assert_allclose(layer(z)[1], layer(z[1]), rtol=1e-5)
    layer = networks.Gyroplane(2, use_bias=False)
    np.testing.assert_array_equal(layer(np.zeros((1, 3), "float32")), [[0.0, 0.0]])
    assert len(layer.weights) == 1


def test_gyroplane_mlp_has_its_sizes():
    model = networks.gyroplane_mlp(7, (5, 4), "relu", 0.7)
    assert model(np.zeros((2, 3), "float32")).shape == (2, 7)
    assert [type(layer).__name__ for layer in model.layers] == ["Gyroplane", "Dense", "Dense"]
    assert model.layers[0].curvature == 0.7


def test_bad_arguments_are_one_clear_error():
    with pytest.raises(ValueError, match=r"`units` must be an integer of at least 1\. Received: units=0"):
        networks.Gyroplane(0)
    for make in (networks.PoincareLogMap, lambda c: networks.MobiusDense(2, c), lambda c: networks.Gyroplane(2, c)):
        with pytest.raises(ValueError, match=r"`curvature` must be a finite number, above 0\. Received: curvature=0"):
            make(0)
    with pytest.raises(ValueError, match="`hidden` must contain at least one size"):
        networks.gyroplane_mlp(3, ())
