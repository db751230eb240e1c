"""The Bernoulli distribution behind `IndependentBernoulli`: TFP's numbers, at any logits."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae import layers

tfd = tfp.distributions

LOGITS = [-800.0, -90.0, -20.0, -1.0, -1e-8, 0.0, 1e-8, 1.0, 20.0, 90.0, 800.0]


def pixels(logits):
    return layers.IndependentBernoulli.new(tf.convert_to_tensor(logits)[:, tf.newaxis], (1,))


@pytest.mark.parametrize("x", [0.0, 1.0, 0.3])
@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 3e-7), ("float64", 1e-15)])
def test_log_prob_is_that_of_tfp_to_rounding(x, dtype, tolerance):
    logits = np.asarray(LOGITS, dtype)
    reference = tfd.Bernoulli(tf.constant(LOGITS, tf.float64), dtype=tf.float64)
    actual = pixels(logits).log_prob([np.asarray(x, dtype)])
    np.testing.assert_allclose(actual, reference.log_prob(np.asarray(x, dtype)), rtol=tolerance, atol=1e-38)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_the_gradient_is_x_minus_the_probability_everywhere(jit_compile):
    logits = tf.constant(LOGITS, tf.float64)

    @tf.function(jit_compile=jit_compile)
    def gradient(logits, x):
        with tf.GradientTape() as tape:
            tape.watch(logits)
            log_prob = pixels(logits).log_prob([x])
        return tape.gradient(log_prob, logits)

    for x in (0.0, 1.0, 0.3):
        found = gradient(logits, tf.constant(x, tf.float64))
        np.testing.assert_allclose(found, x - tf.sigmoid(logits), rtol=1e-12, atol=1e-16)


def test_infinite_logits_are_certain():
    infinite = pixels(np.float32([-np.inf, np.inf]))
    np.testing.assert_array_equal(infinite.log_prob([1.0]), [-np.inf, 0.0])
    np.testing.assert_array_equal(infinite.log_prob([0.0]), [0.0, -np.inf])
    assert np.isnan(pixels(np.float32([np.nan])).log_prob([0.0]))


def test_it_is_tfp_s_bernoulli_with_its_divergence():
    distribution = pixels(np.float32([0.5])).distribution
    assert isinstance(distribution, tfd.Bernoulli)
    expected = tfd.kl_divergence(tfd.Bernoulli(0.5), tfd.Bernoulli(-1.0))
    np.testing.assert_allclose(tfd.kl_divergence(distribution, tfd.Bernoulli(-1.0)), [[expected]], rtol=1e-6)
    with pytest.raises(tf.errors.InvalidArgumentError):
        distribution.copy(validate_args=True).log_prob([[2.0]])
