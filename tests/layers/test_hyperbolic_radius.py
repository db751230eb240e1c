"""The radius of a Riemannian normal: integral against the closed form, quantiles and slopes against quadrature."""

import itertools

import mpmath
import numpy as np
import pytest
import tensorflow as tf
from scipy import integrate
from slow import slow_except

from tfvae.layers import _hyperbolic_radius as radius

LEVELS = np.array([1e-6, 0.01, 0.3, 0.499, 0.7, 0.99, 1 - 1e-6])


def closed_form(s, n):
    """The alternating sum of error functions (Mathieu et al. 2019), with enough digits for its cancellation."""
    mpmath.mp.dps = 60 + 6 * n
    s = mpmath.mpf(s)
    terms = (
        (-1) ** k * mpmath.binomial(n, k) * mpmath.exp((n - 2 * k) ** 2 * s**2 / 2)
        * (1 + mpmath.erf((n - 2 * k) * s / mpmath.sqrt(2)))
        for k in range(n + 1)
    )  # fmt: skip
    return float(mpmath.log(s * mpmath.sqrt(mpmath.pi / 2) * sum(terms) / mpmath.mpf(2) ** n))


@pytest.mark.parametrize("n", [0, 1, 2, 4, 9, 29])
def test_integral_is_the_closed_form(n):
    scales = [1e-3, 0.1, 0.5, 1.0, 3.0, 10.0]
    expected = [closed_form(s, n) for s in scales]
    np.testing.assert_allclose(radius.log_integral(tf.constant(scales, tf.float64), n), expected, rtol=1e-12)
    np.testing.assert_allclose(radius.log_integral(tf.constant(scales), n), expected, rtol=1e-6, atol=2e-6)


def test_the_closed_form_is_not_enough_in_float64():
    """Why there is a quadrature: the sum loses its digits for scales that posteriors have."""
    n, s = 19, 0.05
    k = np.arange(n + 1)
    binomials = np.array([float(mpmath.binomial(n, int(each))) for each in k])
    erf = np.array([float(mpmath.erf(each * s / np.sqrt(2))) for each in n - 2 * k])
    terms = (-1.0) ** k * binomials * np.exp((n - 2 * k) ** 2 * s**2 / 2) * (1 + erf)
    total = s * np.sqrt(np.pi / 2) * terms.sum() / 2**n
    assert abs(total / np.exp(closed_form(s, n)) - 1) > 0.1


def mass(s, n, low, high):
    mode = float(radius._range(tf.constant(s, tf.float64), n).mode)

    def density(t):
        log_sinh = n * (t - mode + np.log(np.expm1(-2 * t) / np.expm1(-2 * mode))) if n else 0.0
        return np.exp(-(t - mode) * (t + mode) / (2 * s**2) + log_sinh)

    return integrate.quad(density, low, high, epsabs=0, epsrel=1e-11, limit=200)[0]


PAIRS = list(itertools.product([0, 1, 4, 19], [1e-3, 0.4, 2.0]))


@pytest.mark.parametrize(("n", "s"), slow_except(PAIRS, (0, 0.4), (1, 1e-3), (4, 0.4), (19, 2.0)))
def test_quantiles_divide_the_mass(n, s):
    for dtype, tolerance in (("float64", 1e-9), ("float32", 2e-5)):
        u = LEVELS.astype(dtype)
        t = radius.sample_radius(tf.fill([len(u)], tf.constant(s, dtype)), n, tf.constant(u)).numpy().astype("float64")
        at = radius._range(tf.constant(s, tf.float64), n)
        low, high = float(at.lowest), float(at.highest)
        total = mass(s, n, max(low, 1e-300), high)
        for level, each in zip(u.astype("float64"), t, strict=True):
            is_left = level < 0.5
            found = mass(s, n, max(low, 1e-300), each) if is_left else mass(s, n, each, high)
            expected = level if is_left else 1 - level  # the mass between the radius and the nearer end
            # A radius is rounded, and small ones of D = 1 to multiples of 1e-7 s.
            rounding = np.finfo(dtype).eps * (n * s) ** 2 * expected + (2e-7 if n == 0 and dtype == "float32" else 0.0)
            np.testing.assert_allclose(found / total, expected, rtol=tolerance, atol=4 * rounding)


@pytest.mark.parametrize(("n", "s"), slow_except(PAIRS, (0, 0.4), (1, 1e-3), (4, 0.4), (19, 2.0)))
def test_slopes_are_those_of_the_quantiles(n, s):
    def quantiles(scale):
        return radius.sample_radius(tf.constant(scale), n, tf.constant(LEVELS)).numpy()

    step = 1e-5 * s
    scale = np.full(len(LEVELS), s)
    expected = (quantiles(scale + step) - quantiles(scale - step)) / (2 * step)
    with tf.GradientTape() as tape:
        at = tf.constant(scale)
        tape.watch(at)
        t = radius.sample_radius(at, n, tf.constant(LEVELS))
    np.testing.assert_allclose(tape.gradient(t, at), expected, rtol=1e-7)
    slopes = radius.radius_slope(tf.constant(t.numpy().astype("float32")), tf.constant(scale.astype("float32")), n)
    np.testing.assert_allclose(slopes, expected, rtol=2e-5)


def test_radii_of_every_level_and_scale_are_finite_in_float32():
    u = tf.constant([2.0**-24, 1e-7, 1e-4, 0.5 - 2.0**-25, 0.5, 1 - 2.0**-24], tf.float32)
    for n in (0, 1, 5, 16, 60, 300):
        for s in (1e-5, 1e-2, 1.0, 30.0):
            scale = tf.fill([6], tf.constant(s, tf.float32))
            with tf.GradientTape() as tape:
                tape.watch(scale)
                t = radius.sample_radius(scale, n, u)
            assert np.isfinite(t).all(), (n, s)
            assert np.all(np.diff(t) >= -2e-6 * t[1:]), (n, s)
            assert np.isfinite(tape.gradient(t, scale)).all(), (n, s)
            assert np.isfinite(radius.log_integral(scale, n)).all(), (n, s)
