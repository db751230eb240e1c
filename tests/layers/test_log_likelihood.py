"""The log probability of whole examples by products: that of `log_prob`, in every case."""

import numpy as np
import pytest
import scipy.special
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae import layers
from tfvae.layers._log_likelihood import differentiated_log_likelihood, log_likelihood

tfd = tfp.distributions


def exact(logits, x):
    """`[C, B]`, in float64."""
    logits = logits.astype("float64")
    cost = x * -scipy.special.log1p(np.exp(-logits)) - (1 - x) * scipy.special.log1p(np.exp(logits))
    return cost.reshape(*logits.shape[:2], -1).sum(-1)


@pytest.mark.parametrize("event_shape", [(28, 28), (1,), (13,), (8, 8, 3)])
@pytest.mark.parametrize("is_gray", [False, True])
def test_bernoulli(event_shape, is_gray):
    rng = np.random.default_rng(0)
    logits = rng.normal(scale=4.0, size=(5, 3, *event_shape)).astype("float32")
    x = rng.uniform(size=(3, *event_shape)).astype("float32")
    x = x if is_gray else (x < 0.3).astype("float32")
    pixels = layers.IndependentBernoulli.new(logits.reshape(5, 3, -1), event_shape)
    found = tf.function(log_likelihood, autograph=False)(pixels, x)
    error = 6e-8 * np.prod(event_shape)  # of the factors
    np.testing.assert_allclose(found, exact(logits, x), rtol=1e-6, atol=error)
    np.testing.assert_allclose(found, pixels.log_prob(x), rtol=1e-6, atol=error)


def test_variables_that_are_certain():
    logits = np.array([[[np.inf, -np.inf, 200.0, -200.0]]], "float32")
    pixels = layers.IndependentBernoulli.new(logits, 4)
    for x, expected in (([1, 0, 1, 0], 0.0), ([1, 1, 1, 0], -np.inf), ([1, 0, 0, 0], -200.0)):
        np.testing.assert_array_equal(log_likelihood(pixels, np.array([x], "float32")), [[expected]])


def test_many_even_odds_do_not_overflow():
    pixels = layers.IndependentBernoulli.new(np.zeros((1, 1, 64 * 64), "float32"), 64 * 64)
    found = log_likelihood(pixels, np.ones((1, 64 * 64), "float32"))
    np.testing.assert_allclose(found, [[-64 * 64 * np.log(2.0)]], rtol=1e-6)


OTHERS = {
    "probabilities": lambda: tfd.Independent(tfd.Bernoulli(probs=tf.fill([3, 4], 0.3)), 1),
    "checked": lambda: layers.IndependentBernoulli.new(tf.ones([3, 4]), 4, validate_args=True),
    "half precision": lambda: layers.IndependentBernoulli.new(tf.ones([3, 4], tf.float16), 4),
    "normal": lambda: layers.IndependentNormal.new(tf.ones([3, 8]), 4),
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_distributions_are_asked_themselves(name):
    distribution = OTHERS[name]()
    x = tf.cast([[1, 0, 1, 1]] * 3, distribution.dtype)
    np.testing.assert_array_equal(log_likelihood(distribution, x), distribution.log_prob(x))


@pytest.mark.parametrize("is_gray", [False, True])
def test_values_and_gradients_are_the_same_bits(is_gray):
    rng = np.random.default_rng(1)
    logits = rng.normal(scale=4.0, size=(5, 3, 12)).astype("float32")
    logits[0, 0, :3] = 0.0, 90.0, -90.0
    x = rng.uniform(size=(3, 12)).astype("float32")
    x = x if is_gray else (x < 0.3).astype("float32")

    @tf.function(autograph=False)
    def value_and_gradient(logits, function):
        with tf.GradientTape() as tape:
            tape.watch(logits)
            value = 0.3 * function(layers.IndependentBernoulli.new(logits, 12), x)
        return value, tape.gradient(value, logits)

    found = value_and_gradient(tf.constant(logits), differentiated_log_likelihood)
    expected = value_and_gradient(tf.constant(logits), lambda pixels, x: pixels.log_prob(x))
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)
