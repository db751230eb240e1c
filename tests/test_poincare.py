"""Geometry of the Poincare ball: identities, mpmath near and far from the boundary, gradients at equal points."""

import math

import mpmath
import numpy as np
import pytest
import tensorflow as tf

from tfvae import _poincare as ball

CURVATURES = (0.3, 1.0, 2.5)


def points(c, radii=(0.01, 0.3, 0.8, 0.95, 0.999), size=3, seed=0):
    """Points at these shares of the radius of the ball, in float64."""
    x = np.random.default_rng(seed).normal(size=(len(radii), size))
    return tf.constant(x / np.linalg.norm(x, axis=-1, keepdims=True) * np.array(radii)[:, np.newaxis] / math.sqrt(c))


def vectors(seed=5, num=5, size=3, scale=0.7):
    return tf.constant(np.random.default_rng(seed).normal(scale=scale, size=(num, size)))


def test_mobius_addition_is_ungars_formula():
    c, x, y = 0.7, points(0.7, seed=1).numpy(), points(0.7, seed=2).numpy()
    dot, xx, yy = ((a * b).sum(axis=-1, keepdims=True) for a, b in ((x, y), (x, x), (y, y)))
    expected = ((1 + 2 * c * dot + c * yy) * x + (1 - c * xx) * y) / (1 + 2 * c * dot + c**2 * xx * yy)
    np.testing.assert_allclose(ball.mobius_add(x, y, c), expected, rtol=1e-11)
    np.testing.assert_allclose(ball.mobius_add(-x, ball.mobius_add(x, y, c), c), y, rtol=1e-9)  # left cancellation
    np.testing.assert_array_equal(ball.mobius_add(-x, x, c), np.zeros_like(x))


@pytest.mark.parametrize("c", CURVATURES)
def test_maps_are_inverse_to_each_other(c):
    x, y, v = points(c, (0.0, 0.3, 0.8, 0.9, 0.95)), points(c, seed=1), vectors()
    np.testing.assert_allclose(ball.exp(x, ball.log(x, y, c), c), y, rtol=1e-11)
    np.testing.assert_allclose(ball.log(x, ball.exp(x, v / 5.0, c), c), v / 5.0, rtol=1e-7)
    np.testing.assert_allclose(ball.exp_origin(ball.log_origin(y, c), c), y, rtol=1e-12)
    zero = tf.zeros_like(y)
    np.testing.assert_allclose(ball.log(zero, y, c), ball.log_origin(y, c), rtol=1e-11)
    np.testing.assert_allclose(ball.exp(zero, v, c), ball.exp_origin(v, c), rtol=1e-12)


@pytest.mark.parametrize("c", CURVATURES)
def test_distances(c):
    x, y, v = points(c), points(c, seed=1), vectors(scale=0.1)
    d = ball.distance(x, y, c)
    np.testing.assert_allclose(d, ball.distance(y, x, c), rtol=1e-12)
    np.testing.assert_allclose(d, np.linalg.norm(ball.displacement(x, y, c), axis=-1, keepdims=True), rtol=1e-10)
    np.testing.assert_allclose(ball.squared_distance(ball.half_sinh_squared(x, y, c)) / c, d**2, rtol=1e-10)
    # The velocity of a geodesic times the factor of the metric is the length that it covers.
    end = ball.exp(x, v / ball.conformal_factor(x, c), c)
    np.testing.assert_allclose(ball.distance(x, end, c), np.linalg.norm(v, axis=-1, keepdims=True), rtol=1e-9)
    moved = [ball.mobius_add(ball.project(v, c), point, c) for point in (x, y)]
    np.testing.assert_allclose(ball.distance(*moved, c), d, rtol=1e-8)  # left translations are isometries


@pytest.mark.parametrize("c", CURVATURES)
def test_parallel_transport(c):
    x, y, v, w = points(c), points(c, seed=1), vectors(), vectors(seed=6)
    factors = [ball.conformal_factor(point, c).numpy()[:, 0] ** 2 for point in (x, y)]
    there = [ball.parallel_transport(x, y, vector, c).numpy() for vector in (v, w)]
    before, after = factors[0] * (v.numpy() * w.numpy()).sum(-1), factors[1] * (there[0] * there[1]).sum(-1)
    np.testing.assert_allclose(after, before, rtol=1e-8)
    # A geodesic keeps its own direction.
    np.testing.assert_allclose(ball.parallel_transport(x, y, ball.log(x, y, c), c), -ball.log(y, x, c), rtol=1e-8)
    from_origin = ball.parallel_transport(tf.zeros_like(y), y, v, c)
    np.testing.assert_allclose(from_origin, 2.0 * v / ball.conformal_factor(y, c), rtol=1e-12)


def exact_distance(x, y, c):
    x, y = ([mpmath.mpf(float(value)) for value in point] for point in (x, y))
    norms = [1 - c * sum(value**2 for value in point) for point in (x, y)]
    square = sum((a - b) ** 2 for a, b in zip(x, y, strict=True))
    return 2 / mpmath.sqrt(c) * mpmath.asinh(mpmath.sqrt(c * square / (norms[0] * norms[1])))


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 2e-6), ("float64", 1e-14)])
def test_distances_of_near_and_far_points_against_mpmath(dtype, tolerance):
    mpmath.mp.dps = 50
    x = np.array([[0.3, -0.2], [0.3, -0.2], [0.9, 0.1], [0.0, 0.0], [0.5, -0.8]], dtype)
    y = np.array([[0.3 + 1e-6, -0.2], [0.31, -0.2], [-0.7, 0.7], [1e-7, 0.0], [-0.5, 0.8]], dtype)
    found = ball.distance(tf.constant(x), tf.constant(y), 1.0)[:, 0]
    expected = [float(exact_distance(a, b, 1)) for a, b in zip(x, y, strict=True)]
    np.testing.assert_allclose(found, expected, rtol=tolerance)


def test_points_at_the_largest_distance_in_float32():
    z = ball.exp_origin(tf.constant([[0.0, 3.0], [50.0, 0.0], [1e30, 1e30]]), 1.0)
    norms = np.linalg.norm(z, axis=-1)
    np.testing.assert_allclose(norms, [math.tanh(3.0), 1 - 1e-5, 1 - 1e-5], rtol=1e-7)
    d = ball.distance(tf.zeros([1, 2]), z, 1.0)[1:]
    np.testing.assert_allclose(d, ball.max_distance(tf.float32), rtol=5e-3)
    np.testing.assert_allclose(ball.norm(2.0 * ball.log_origin(z, 1.0))[1:], ball.max_distance(tf.float32), rtol=5e-3)


FUNCTIONS = {
    "distance": lambda x, y: ball.distance(x, y, 0.7),
    "displacement": lambda x, y: ball.displacement(x, y, 0.7),
    "squared distance": lambda x, y: ball.squared_distance(ball.half_sinh_squared(x, y, 0.7)),
    "log sinhc": lambda x, y: ball.log_sinhc_of_q(ball.half_sinh_squared(x, y, 0.7)),
    "exp": lambda x, y: ball.exp(x, y, 0.7),
    "exp_origin": lambda x, y: ball.exp_origin(x + y, 0.7),
    "log_origin": lambda x, y: ball.log_origin(x - y, 0.7),
    "mobius_add": lambda x, y: ball.mobius_add(-x, y, 0.7),
    "transport": lambda x, y: ball.parallel_transport(x, y, x + y, 0.7),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_gradients_are_differences_and_finite_where_points_are_equal(name):
    function = FUNCTIONS[name]
    rng = np.random.default_rng(0)
    near = np.array([[0.02, -0.01, 0.015], [0.2, 0.4, -0.3]])
    for x, y in ((near, rng.normal(scale=0.3, size=(2, 3))), (near, near), (0.0 * near, 0.0 * near)):
        tangent = rng.normal(size=(2, 3))
        with tf.GradientTape() as tape:
            a, b = tf.constant(x), tf.constant(y)
            tape.watch([a, b])
            value = function(a, b)
            total = tf.reduce_sum(value * np.linspace(1.0, 2.0, value.shape[-1]))
        gradients = tape.gradient(total, [a, b])
        assert np.isfinite(gradients).all()
        if name == "distance" and np.array_equal(x, y):
            continue  # which has no derivative there
        step = 1e-5

        def moved(sign, function=function, x=x, y=y, tangent=tangent, step=step):
            value = function(tf.constant(x + sign * step * tangent), tf.constant(y - sign * step * tangent))
            return float(tf.reduce_sum(value * np.linspace(1.0, 2.0, value.shape[-1])))

        by_differences = (moved(1) - moved(-1)) / (2 * step)
        by_gradients = float(tf.reduce_sum((gradients[0] - gradients[1]) * tangent))
        np.testing.assert_allclose(by_gradients, by_differences, rtol=1e-6, atol=1e-8)


def test_series_join_their_formulas():
    """Values and slopes on both sides of the thresholds, in both dtypes."""
    mpmath.mp.dps = 40
    for dtype, tolerance in (("float64", 1e-11), ("float32", 2e-5)):
        q = np.array([1e-8, 1e-3, 0.0199, 0.0201, 0.5, 1e3, 1e8], dtype)
        with tf.GradientTape(persistent=True) as tape:
            at = tf.constant(q)
            tape.watch(at)
            squared, log = ball.squared_distance(at), ball.log_sinhc_of_q(at)
        for found, slope, exact in (
            (squared, tape.gradient(squared, at), lambda q: 4 * mpmath.asinh(mpmath.sqrt(q)) ** 2),
            (log, tape.gradient(log, at), lambda q: log_sinhc(2 * mpmath.asinh(mpmath.sqrt(q)))),
        ):
            expected = [float(exact(mpmath.mpf(float(each)))) for each in q]
            slopes = [float(mpmath.diff(exact, mpmath.mpf(float(each)))) for each in q]
            np.testing.assert_allclose(found, expected, rtol=tolerance, atol=1e-7 if dtype == "float32" else 1e-16)
            np.testing.assert_allclose(slope, slopes, rtol=tolerance)
        t = np.array([0.0, 1e-4, 0.0999, 0.499, 0.501, 2.0, 60.0, 1e20], dtype)
        with tf.GradientTape() as tape:
            at = tf.constant(t)
            tape.watch(at)
            log = ball.log_sinhc(at)
        slopes = [float(mpmath.coth(each) - 1 / mpmath.mpf(float(each))) if each else 0.0 for each in t]
        np.testing.assert_allclose(tape.gradient(log, at), slopes, rtol=tolerance, atol=1e-12)
        expected = [float(log_sinhc(mpmath.mpf(float(each)))) for each in t]
        np.testing.assert_allclose(ball.log_sinhc(tf.constant(t)), expected, rtol=tolerance, atol=1e-7)


def log_sinhc(t):
    return t + mpmath.log(-mpmath.expm1(-2 * t) / (2 * t)) if t else mpmath.mpf(0)


def test_bad_curvatures_are_one_clear_error():
    for curvature in (0.0, -1.0, math.inf, "1"):
        with pytest.raises(ValueError, match=r"`curvature` must be a finite number, above 0\. Received: curvature="):
            ball.checked_curvature(curvature)
