"""A normal of low rank whose factors are far larger than its scales, and nearly collinear, in float32."""

import numpy as np
import pytest
import scipy.stats
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae import layers
from tfvae.layers._stable import stable

tfd = tfp.distributions
D, RANK = 6, 3
DIRECTION = np.random.default_rng(0).normal(size=(D, 1))
FACTORS = {
    "collinear": np.full((D, RANK), 20.0),
    "nearly collinear": 20 * (DIRECTION + 1e-4 * np.random.default_rng(1).normal(size=(D, RANK))),
    "enormous": np.full((D, RANK), 1e4),
    "none": np.zeros((D, RANK)),
}
STANDARD = tfd.MultivariateNormalDiag(tf.zeros(D), tf.ones(D))


def parameters(name):
    loc = np.linspace(-1, 1, D)
    return tf.constant([[*loc, *np.full(D, -10.0), *np.ravel(FACTORS[name])]], tf.float32)


def make(params):
    return layers.MultivariateNormalDiagPlusLowRank.new(params, D, RANK)


def in_float64(params):
    """Loc, S and log det S, by a singular value decomposition."""
    loc, raw, factor = np.split(np.float64(params[0]), [D, 2 * D])
    scale = np.log1p(np.exp(raw)) + np.float32(1e-5)
    factor = factor.reshape(D, RANK)
    singular = np.linalg.svd(factor / np.sqrt(scale)[:, np.newaxis], compute_uv=False)
    return loc, np.diag(scale) + factor @ factor.T, np.log(scale).sum() + np.log1p(singular**2).sum()


@pytest.mark.parametrize("name", list(FACTORS))
def test_kl_and_entropy(name):
    params = parameters(name)
    loc, s, log_det = in_float64(params)
    kl = 0.5 * (np.sum(s * s) + loc @ loc - D) - log_det
    np.testing.assert_allclose(tfd.kl_divergence(make(params), STANDARD), [kl], rtol=2e-6)
    spelled = tfd.Sample(tfd.Normal(0.0, 1.0), D)
    np.testing.assert_allclose(tfd.kl_divergence(make(params), spelled), [kl], rtol=2e-6)
    np.testing.assert_allclose(make(params).entropy(), [log_det + 0.5 * D * np.log(2 * np.pi * np.e)], rtol=2e-6)
    # At a condition of 1e13 float64 itself leaves a hundredth of a nat.
    atol = 0.05 if name == "enormous" else 1e-4
    np.testing.assert_allclose(tfd.kl_divergence(make(params), make(params)), [0.0], atol=atol)


def test_kl_from_other_normals():
    params = parameters("collinear")
    loc, s, log_det = in_float64(params)
    inverse = np.linalg.inv(s)
    lower = np.tril(np.ones((D, D))) / 100
    for other, scale in (
        (tfd.MultivariateNormalDiag(tf.zeros(D), tf.fill([D], 0.01)), 0.01 * np.eye(D)),
        (tfd.MultivariateNormalTriL(tf.zeros(D), tf.constant(lower, tf.float32)), np.float64(np.float32(lower))),
    ):
        expected = 0.5 * (np.sum((inverse @ scale) ** 2) + np.sum((inverse @ loc) ** 2) - D)
        expected += log_det - np.linalg.slogdet(scale)[1]
        np.testing.assert_allclose(tfd.kl_divergence(other, make(params)), [expected], rtol=1e-5)


@pytest.mark.parametrize("name", ["collinear", "nearly collinear", "none"])
def test_log_prob_and_draws(name):
    params = parameters(name)
    loc, s, log_det = in_float64(params)
    z, log_q = make(params).experimental_sample_and_log_prob(500, seed=(1, 2))
    noise = np.linalg.solve(s, (np.float64(z) - loc)[:, 0].T)
    expected = -0.5 * np.sum(noise**2, axis=0) - log_det - 0.5 * D * np.log(2 * np.pi)
    np.testing.assert_allclose(make(params).log_prob(tf.identity(z))[:, 0], expected, rtol=1e-4)
    # The draws are rounded to float32, by up to a scale; in the mean they have the density that they are said to have.
    entropy = log_det + 0.5 * D * np.log(2 * np.pi * np.e)
    assert abs(np.mean(log_q) + entropy) < 5 * np.std(log_q) / 500**0.5


@pytest.mark.parametrize("jit_compile", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_gradients_are_those_of_float64(jit_compile):
    def gradient(params):
        x = tf.linspace(tf.constant(-1e-4, params.dtype), tf.constant(1e-4, params.dtype), D) + params[:, :D]
        prior = tfd.MultivariateNormalDiag(tf.zeros(D, params.dtype), tf.ones(D, params.dtype))
        with tf.GradientTape() as tape:
            tape.watch(params)
            q = make(params)
            value = tfd.kl_divergence(q, prior) - 1e-3 * q.log_prob(x)
        return tape.gradient(value, params)

    params = tf.concat([parameters("collinear"), parameters("nearly collinear")], axis=0)
    params *= tf.constant([*[0.0] * D, *[1.0] * (D + D * RANK)])  # at a loc of 0, x is exact
    expected = np.asarray(gradient(tf.cast(params, tf.float64)))
    found = np.asarray(tf.function(gradient, jit_compile=True)(params) if jit_compile else gradient(params))
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())


def test_low_rank_covariance():
    cls, shape = tfd.MultivariateNormalDiagPlusLowRankCovariance, [6]
    diagonal, factor = np.full(6, 1e-5, np.float32), np.full((6, 3), 20.0, np.float32)
    q = stable(cls(tf.zeros(shape), diagonal, factor))
    exact = scipy.stats.multivariate_normal(np.zeros(6), np.diag(np.float64(diagonal)) + 3 * 400.0)
    x = np.float32([[3] * 6, [3.01, 3, 3, 3, 3, 3]])
    np.testing.assert_allclose(q.log_prob(x), exact.logpdf(np.float64(x)), rtol=1e-5)
    np.testing.assert_allclose(q.entropy(), exact.entropy(), rtol=1e-5)
