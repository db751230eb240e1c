"""Layers of counts: additional zeros, and means that are shares of the size of a row."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from scipy.special import expit, log_softmax
from scipy.stats import nbinom

from tfvae import layers
from tfvae.layers._zero_inflated import ZeroInflated

tfd = tfp.distributions
COUNTS = np.arange(3000.0)


def zero_inflated(total_count, probs, zero):
    """SciPy's probabilities of COUNTS, with additional zeros."""
    found = (1 - zero) * nbinom(total_count, probs).pmf(COUNTS)
    found[0] += zero
    return found


@pytest.mark.parametrize("logit", [-60.0, -2.0, 0.5, 4.0])
def test_additional_zeros(logit):
    total_count, logits = 1.7, 1.2
    distribution = ZeroInflated(
        tfd.NegativeBinomial(tf.constant(total_count, tf.float64), logits=tf.constant(logits, tf.float64)),
        tf.constant(logit, tf.float64),
    )
    expected = zero_inflated(total_count, 1 - expit(logits), expit(logit))
    found = np.exp(distribution.log_prob(COUNTS))
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-300)
    np.testing.assert_allclose(found.sum(), 1.0, rtol=1e-9)
    mean = (COUNTS * expected).sum()
    np.testing.assert_allclose(distribution.mean(), mean, rtol=1e-7)
    np.testing.assert_allclose(distribution.variance(), (np.square(COUNTS - mean) * expected).sum(), rtol=1e-6)


@pytest.mark.parametrize("logit", [-200.0, 0.0, 200.0])
@pytest.mark.parametrize("count", [0.0, 5.0, 1e6])
def test_gradients_of_additional_zeros_are_finite_and_right(logit, count):
    parameters = tf.constant([0.3, 200.0 if count else -200.0, logit])

    def log_prob(parameters):
        return layers.IndependentZeroInflatedNegativeBinomial.new(parameters, ()).log_prob(count)

    value, gradient = tfp.math.value_and_gradient(log_prob, parameters)
    assert np.isfinite(value)
    assert np.isfinite(gradient).all()
    moderate = tf.constant([0.3, 0.2, 0.1])
    _, gradient = tfp.math.value_and_gradient(log_prob, moderate)
    step = 1e-3 * np.eye(3, dtype="float32")
    numeric = [(log_prob(moderate + each) - log_prob(moderate - each)) / 2e-3 for each in step]
    if count < 1e6:
        np.testing.assert_allclose(gradient, numeric, rtol=0.01, atol=2e-3)


def test_shares_of_additional_zeros_in_draws():
    parameters = np.repeat([1.5, 1.0, 0.0], 2)[np.newaxis].astype("float32")
    distribution = layers.IndependentZeroInflatedNegativeBinomial.new(tf.constant(parameters), (2,))
    draws = distribution.sample(20_000, seed=1).numpy()
    zero = np.exp(distribution.distribution.log_prob(tf.zeros([1, 2])))[0, 0]
    share = (draws == 0).mean()
    assert abs(share - zero) < 5 * np.sqrt(zero * (1 - zero) / draws.size)


@pytest.fixture
def rows():
    draw = np.random.default_rng(0)
    sizes = draw.integers(50, 400, 500)
    mean = sizes[:, np.newaxis] * np.array([0.5, 0.3, 0.2])
    return draw.negative_binomial(4.0, 4.0 / (4.0 + mean)).astype("float32")


@pytest.mark.parametrize("inflated", [False, True])
def test_means_are_shares_of_the_size(rows, inflated):
    layer = layers.SizedNegativeBinomial(3, zero_inflated=inflated)
    layer.adapt(rows)
    draw = np.random.default_rng(1)
    log_shares, sizes = draw.normal(size=(4, 3)), np.array([[1.0], [20.0], [300.0], [1e5]])
    zeros = draw.normal(size=(4, 3)) if inflated else np.zeros((4, 0))
    distribution = layer(tf.constant(np.concatenate([log_shares, zeros, sizes], axis=1), tf.float32))
    mean = sizes * np.exp(log_softmax(log_shares + np.asarray(layer.log_share), axis=1))
    total_count = np.exp(np.asarray(layer.log_total_count, np.float64))
    x = draw.poisson(mean)
    expected = nbinom(total_count, total_count / (total_count + mean)).logpmf(x)
    if inflated:
        zero = expit(zeros - 3.0)
        expected = np.where(x == 0, np.log(zero + (1 - zero) * np.exp(expected)), np.log1p(-zero) + expected)
        mean = (1 - zero) * mean
    np.testing.assert_allclose(distribution.log_prob(x.astype("float32")), expected.sum(axis=1), rtol=1e-4)
    np.testing.assert_allclose(distribution.mean(), mean, rtol=1e-4)
    assert distribution.batch_shape == (4,)


def test_a_model_starts_at_the_shares_and_dispersions_of_the_data(rows):
    layer = layers.SizedNegativeBinomial(3)
    layer.adapt(rows)
    np.testing.assert_allclose(np.exp(layer.log_share), [0.5, 0.3, 0.2], atol=0.03)
    # Sums of the rows take the place of the sizes, which are not known, so dispersions are smaller than they were.
    sizes = rows.sum(axis=1, keepdims=True)

    def log_likelihood(log_total_count):
        total = np.exp(log_total_count)
        mean = sizes * np.exp(np.asarray(layer.log_share, np.float64))
        return nbinom(total, total / (total + mean)).logpmf(rows).sum(axis=0)

    found = np.asarray(layer.log_total_count, np.float64)
    best = log_likelihood(found)
    for other in (found - 0.05, found + 0.05):
        assert (log_likelihood(other) < best).all()


def test_sizes_are_drawn_like_those_of_the_data(rows):
    layer = layers.SizedNegativeBinomial(3)
    layer.adapt(rows)
    sizes = np.asarray(layer.sample_sizes(20_000, seed=1))
    assert (sizes == np.round(sizes)).all()
    own = rows.sum(axis=1)
    assert own.min() <= sizes.min()
    assert sizes.max() <= own.max()
    np.testing.assert_allclose(np.quantile(sizes, [0.1, 0.5, 0.9]), np.quantile(own, [0.1, 0.5, 0.9]), rtol=0.03)


def test_columns_without_counts_and_single_rows():
    layer = layers.SizedNegativeBinomial(4)
    layer.adapt(np.array([[0, 0, 3.0, 0]]))
    assert all(np.isfinite(np.asarray(weight)).all() for weight in layer.weights)
    with pytest.raises(ValueError, match=r"expects rows of 4 counts.*Received: data.shape=\(1, 3\)"):
        layer.adapt(np.zeros((1, 3)))


def test_saved_layers(tmp_path, rows):
    x, size = keras.Input((3,)), keras.Input((1,))
    likelihood = layers.SizedNegativeBinomial(3, zero_inflated=True)
    likelihood.adapt(rows)
    shares = keras.layers.Dense(6)(layers.LogCounts()(x))
    model = keras.Model([x, size], likelihood(keras.layers.Concatenate()([shares, size])))
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    given = [rows[:5], rows[:5].sum(axis=1, keepdims=True)]
    np.testing.assert_array_equal(again(given).log_prob(rows[:5]), model(given).log_prob(rows[:5]))


def test_log_counts():
    found = layers.LogCounts()(np.array([[0.0, 1.0, 1e6]], "float32"))
    np.testing.assert_allclose(found, np.log1p([[0.0, 1.0, 1e6]]), rtol=1e-6)
