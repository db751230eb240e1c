"""-log p(x|z) as a loss: the distribution reaches it whatever Keras does to outputs on the way."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from slow import slow_except

from tfvae.layers import (
    DistributionLambda,
    IndependentBernoulli,
    IndependentCategorical,
    IndependentNormal,
    MultivariateNormalDiag,
)
from tfvae.losses import negative_log_likelihood

tfd = tfp.distributions
LOSSES = {"ours": negative_log_likelihood, "lambda": lambda x, rv_x: -rv_x.log_prob(x)}
RNG = np.random.default_rng(0)
X = RNG.normal(size=(12, 3)).astype("float32")


def scalar_normal(t):
    return tfd.Normal(t[..., 0], tf.nn.softplus(t[..., 1]))


def model_of(layer, size):
    inputs = keras.Input((3,))
    return keras.Model(inputs, layer(keras.layers.Dense(size)(inputs)))


def five_draws(distribution):
    return distribution.sample(5)


SCALARS = RNG.normal(size=12).astype("float32")
CASES = {
    # name: layer, number of parameters, targets as Keras gets them, targets as log_prob wants them
    "scalar events": (lambda: IndependentNormal(()), 2, SCALARS, SCALARS),
    "scalar events, column of targets": (lambda: IndependentNormal(()), 2, SCALARS[:, None], SCALARS),
    "scalar events of a lambda": (lambda: DistributionLambda(scalar_normal), 2, SCALARS[:, None], SCALARS),
    "events of size one": (lambda: IndependentNormal((1,)), 2, SCALARS, SCALARS[:, None]),
    "events of size one, column": (lambda: IndependentNormal((1,)), 2, SCALARS[:, None], SCALARS[:, None]),
    "several draws": (lambda: IndependentNormal((2, 3, 1), five_draws), 12, *[RNG.normal(size=(12, 2, 3, 1))] * 2),
    "integer samples": (
        lambda: IndependentBernoulli((2, 3, 1), sample_dtype=tf.int32),
        6,
        *[RNG.integers(0, 2, size=(12, 2, 3, 1))] * 2,
    ),
    "class indices": (lambda: IndependentCategorical((), 4), 4, *[RNG.integers(0, 4, size=12)] * 2),
    "column of class indices": (
        lambda: IndependentCategorical((), 4),
        4,
        *[np.arange(12)[:, None] % 4, np.arange(12) % 4],
    ),
}


@pytest.mark.parametrize(
    ("jit_compile", "name", "loss"),
    slow_except(
        itertools.product([False, True], CASES, LOSSES),
        (False, "scalar events of a lambda", "ours"),
        (False, "integer samples", "ours"),
        (False, "events of size one", "lambda"),
        (False, "column of class indices", "ours"),
        (True, "several draws", "ours"),
    ),
)
def test_loss_is_the_mean_of_minus_log_prob(name, loss, jit_compile):
    make, size, given, wanted = CASES[name]
    model = model_of(make(), size)
    model.compile("sgd", loss=LOSSES[loss], jit_compile=jit_compile)
    expected = -np.mean(model(X)._distribution.log_prob(np.asarray(wanted, "float32")))
    np.testing.assert_allclose(model.fit(X, given, batch_size=12, verbose=0).history["loss"], [expected], rtol=1e-5)
    expected = -np.mean(model(X)._distribution.log_prob(np.asarray(wanted, "float32")))
    model.run_eagerly = not jit_compile
    np.testing.assert_allclose(model.evaluate(X, given, verbose=0), expected, rtol=1e-5)


def test_float64_distribution_under_a_float32_loss():
    model = keras.Sequential([keras.Input((3,), dtype="float64"), keras.layers.Dense(4, dtype="float64")])
    model.add(IndependentNormal((2,), dtype="float64"))
    y = RNG.normal(size=(12, 2))
    model.compile("sgd", loss=lambda y, rv: -rv.log_prob(y), run_eagerly=True)
    distribution = model(X.astype("float64"))
    assert distribution.dtype == tf.float64
    np.testing.assert_allclose(model.evaluate(X, y, verbose=0), -np.mean(distribution.log_prob(y)), rtol=1e-5)


def test_sample_weights_weigh_examples():
    model = model_of(IndependentNormal((2,)), 4)
    model.compile("sgd", loss=negative_log_likelihood, run_eagerly=True)
    y, weights = RNG.normal(size=(12, 2)).astype("float32"), RNG.uniform(size=12)
    expected = -np.mean(weights * model(X).log_prob(y))  # Keras divides by the number of examples
    history = model.fit(X, y, sample_weight=weights, batch_size=12, verbose=0).history
    np.testing.assert_allclose(history["loss"], [expected], rtol=1e-5)


def test_class_weights_weigh_classes():
    layer = DistributionLambda(lambda t: tfd.OneHotCategorical(logits=t, dtype=tf.float32))
    model = model_of(layer, 3)
    model.compile("sgd", loss=negative_log_likelihood, run_eagerly=True)
    labels = np.arange(12) % 3
    y = np.eye(3, dtype="float32")[labels]
    weights = np.array([1.0, 5.0, 0.25])[labels]
    expected = -np.mean(weights * model(X).log_prob(y))  # Keras divides by the number of examples
    history = model.fit(X, y, class_weight={0: 1.0, 1: 5.0, 2: 0.25}, batch_size=12, verbose=0).history
    np.testing.assert_allclose(history["loss"], [expected], rtol=1e-5)


@pytest.mark.parametrize("shape", [(12, 2), (12, 6), (12, 3, 2), (12, 1, 3), (3,), (2, 3, 1)])
def test_data_of_another_event_shape_are_one_clear_error(shape):
    distribution = IndependentNormal((2, 3))(np.zeros((12, 12), "float32"))
    with pytest.raises(ValueError, match="event shape") as caught:
        distribution.log_prob(np.zeros(shape, "float32"))
    assert "(2, 3)" in str(caught.value)
    assert str(shape) in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
    with pytest.raises(ValueError, match="event shape"):
        distribution.prob(tf.zeros(shape))


def test_a_missing_channel_axis_is_an_error_in_fit():
    model = model_of(IndependentNormal((2, 3, 1)), 12)
    model.compile("sgd", loss=negative_log_likelihood, run_eagerly=True)
    with pytest.raises(ValueError, match=r"\(\.\.\., 2, 3, 1\)"):
        model.fit(X, RNG.normal(size=(12, 2, 3)), verbose=0)


def test_another_batch_size_is_one_clear_error():
    distribution = MultivariateNormalDiag(2)(np.zeros((12, 4), "float32"))
    with pytest.raises(ValueError, match="broadcast") as caught:
        distribution.log_prob(np.zeros((5, 2), "float32"))
    assert "(12,)" in str(caught.value)
    assert distribution.log_prob(np.zeros((5, 1, 2), "float32")).shape == (5, 12)
    assert distribution.log_prob(0.0).shape == (12,)


def test_output_that_is_no_distribution_is_named():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    model.compile("sgd", loss=negative_log_likelihood, jit_compile=False)
    with pytest.raises(TypeError, match="distribution layer"):
        model.fit(X, X[:, :2], verbose=0)


def test_loss_is_saved_with_the_model(tmp_path):
    model = model_of(IndependentNormal((2,)), 4)
    model.compile("sgd", loss=negative_log_likelihood, run_eagerly=True)
    y = RNG.normal(size=(12, 2)).astype("float32")
    before = model.evaluate(X, y, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    np.testing.assert_allclose(loaded.evaluate(X, y, verbose=0), before, rtol=1e-6)


def test_under_a_distribution_strategy():
    strategy = tf.distribute.MirroredStrategy(["CPU:0"])
    with strategy.scope():
        model = model_of(IndependentNormal((2,)), 4)
        model.compile("sgd", loss=negative_log_likelihood, jit_compile=False)
    y = RNG.normal(size=(12, 2)).astype("float32")
    expected = -np.mean(model(X).log_prob(y))
    np.testing.assert_allclose(model.fit(X, y, batch_size=12, verbose=0).history["loss"], [expected], rtol=1e-5)
