"""Sizes that are tensors of a traced function, where `tfp.layers` takes them."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from slow import slow_except

from tfvae import layers

NORMAL = layers.IndependentNormal
# What is made of sizes [2, 3], an event size of 3 and 2 components; and the same from integers.
MADE = {
    "bernoulli": lambda make, shape, d, k: make(layers.IndependentBernoulli, shape),
    "logistic": lambda make, shape, d, k: make(layers.IndependentLogistic, shape),
    "normal": lambda make, shape, d, k: make(NORMAL, shape),
    "poisson": lambda make, shape, d, k: make(layers.IndependentPoisson, shape),
    "one hot": lambda make, shape, d, k: make(layers.OneHotCategorical, d),
    "tril": lambda make, shape, d, k: make(layers.MultivariateNormalTriL, d),
    "mixture of one hot": lambda make, shape, d, k: make(layers.CategoricalMixtureOfOneHotCategorical, d, k),
    "mixture of normal": lambda make, shape, d, k: make(layers.MixtureNormal, k, shape),
    "mixture of logistic": lambda make, shape, d, k: make(layers.MixtureLogistic, k, shape),
}
UNKNOWN = [tf.TensorSpec([None], tf.int32), tf.TensorSpec([], tf.int32), tf.TensorSpec([], tf.int32)]


def new(cls, *sizes):
    size = cls.params_size(*sizes)
    return cls.new(tf.reshape(tf.linspace(-1.0, 1.0, 2 * size), [2, size]), *sizes)


def called(cls, *sizes):
    size = cls.params_size(*sizes)
    return cls(*sizes)(tf.reshape(tf.linspace(-1.0, 1.0, 2 * size), [2, size]))


@pytest.mark.parametrize(
    ("name", "make"),
    slow_except(
        itertools.product(MADE, [new, called]),
        ("bernoulli", called),
        ("normal", called),
        ("normal", new),
        ("one hot", called),
        ("tril", called),
        ("mixture of one hot", called),
        ("mixture of normal", new),
        ("mixture of normal", called),
    ),
)
def test_sizes_of_a_traced_function(name, make):
    made = MADE[name]
    traced = tf.function(lambda *sizes: made(make, *sizes).mean(), input_signature=UNKNOWN, autograph=False)
    for shape, d, k in (((2, 3), 3, 2), ((4,), 2, 3)):
        np.testing.assert_allclose(traced(shape, d, k), made(new, shape, d, k).mean(), rtol=1e-5, atol=1e-6)


def test_mixture_of_a_layer():
    def mean(d, k):
        component = layers.MultivariateNormalTriL(d)
        size = layers.MixtureSameFamily.params_size(k, layers.MultivariateNormalTriL.params_size(d))
        params = tf.reshape(tf.linspace(-1.0, 1.0, 2 * size), [2, size])
        return layers.MixtureSameFamily(k, component)(params).mean()

    traced = tf.function(mean, input_signature=UNKNOWN[1:], autograph=False)
    np.testing.assert_allclose(traced(3, 2), mean(3, 2), rtol=1e-5)


def test_unknown_rank_of_the_parameters():
    traced = tf.function(
        lambda params: NORMAL((2,))(params).mean(), input_signature=[tf.TensorSpec(None)], autograph=False
    )
    params = np.arange(12, dtype="float32").reshape(3, 4)
    np.testing.assert_array_equal(traced(params), params[:, :2])


def test_layer_made_in_a_traced_function_draws_by_its_seed():
    def draw(seed):
        return tf.function(lambda t: tf.convert_to_tensor(NORMAL((2,), seed=seed)(t)), autograph=False)

    params, seeded, fresh = tf.zeros([3, 4]), draw(7), draw(None)
    np.testing.assert_array_equal(seeded(params), seeded(params))
    np.testing.assert_array_equal(seeded(params), tf.convert_to_tensor(NORMAL((2,), seed=7)(params)))
    assert np.abs(fresh(params) - fresh(params)).min() > 0.0


def test_eager_tensors_are_integers():
    layer = layers.MixtureNormal(tf.constant(2), tf.constant([3]))
    assert (layer.num_components, layer.event_shape, layer.parameters_size) == (2, (3,), 14)
    assert type(layers.MultivariateNormalTriL.params_size(tf.constant(3))) is int


def test_symbolic_sizes_cannot_be_saved():
    @tf.function(autograph=False, input_signature=[UNKNOWN[0]])
    def config(shape):
        with pytest.raises(ValueError, match="event_shape cannot be saved"):
            keras.saving.serialize_keras_object(NORMAL(shape))
        with pytest.raises(ValueError, match="known when the layer is created"):
            layers.IndependentBeta(shape)(tf.zeros([2, 4]))
        return tf.constant(0)

    config.get_concrete_function()


def test_tfp_takes_the_same_sizes():
    theirs = tf.function(
        lambda shape: tfp.layers.IndependentNormal.new(tf.zeros([1, 4]), shape).mean(), input_signature=UNKNOWN[:1]
    )
    assert theirs([2]).shape == (1, 2)


def test_a_list_with_a_size_of_a_traced_function():
    @tf.function
    def means(params):
        half = tf.shape(params)[-1] // 2
        return NORMAL.new(params, [half]).mean(), layers.IndependentBernoulli.new(params, (2, half)).mean()

    loc, probs = means(tf.ones([3, 4]))
    assert loc.shape == (3, 2)
    assert probs.shape == (3, 2, 2)
