"""The noise of the normal and Bernoulli layers is TFP's for the same seed, with XLA and without."""

import itertools

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from slow import slow_except

from tfvae import layers

tfd = tfp.distributions

SIZE = 3
LAYERS = {
    "diag": lambda: layers.MultivariateNormalDiag(SIZE),
    "tril": lambda: layers.MultivariateNormalTriL(SIZE),
    "low_rank": lambda: layers.MultivariateNormalDiagPlusLowRank(SIZE, 2),
    "independent": lambda: layers.IndependentNormal((SIZE,)),
    "bernoulli": lambda: layers.IndependentBernoulli((SIZE,)),
}


def of_tfp(distribution):
    """The same distribution from TFP's own classes."""
    if isinstance(distribution, tfd.Independent):
        normal = distribution.distribution
        if isinstance(normal, tfd.Bernoulli):
            return tfd.Independent(tfd.Bernoulli(normal.logits, dtype=normal.dtype), 1)
        return tfd.Independent(tfd.Normal(normal.loc, normal.scale), 1)
    return tfd.MultivariateNormalLinearOperator(distribution.loc, distribution.scale)


@pytest.mark.parametrize(
    ("jit_compile", "name"),
    slow_except(itertools.product([False, True], LAYERS), (True, "independent")),
)
def test_draws_are_those_of_tfp(name, jit_compile):
    layer = LAYERS[name]()
    params = tf.random.stateless_normal([4, layer.parameters_size], [0, 1])

    @tf.function(jit_compile=jit_compile, autograph=False)
    def draws(params, seed):
        ours = layer.make_distribution(params)
        return [
            (*law.experimental_sample_and_log_prob([5, 2], seed=seed), law.sample(seed=seed))
            for law in (ours, of_tfp(ours))
        ]

    for actual, expected in zip(*draws(params, tf.constant([3, 4])), strict=True):
        np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", LAYERS)
def test_seeds_of_python_s_own_draw_as_those_of_tfp(name):
    layer = LAYERS[name]()
    distribution = layer.make_distribution(tf.zeros([4, layer.parameters_size]))
    draws = []
    for law in (distribution, of_tfp(distribution)):
        tf.random.set_seed(0)
        draws.append(np.stack([law.sample(seed=7), law.sample()]))
    np.testing.assert_allclose(draws[0], draws[1], rtol=1e-6)
    assert not np.allclose(draws[0][0], draws[0][1])


@pytest.mark.parametrize("name", LAYERS)
def test_functions_of_tensorflow_may_return_them(name):
    layer = LAYERS[name]()
    params = tf.random.stateless_normal([4, layer.parameters_size], [0, 1])
    make = tf.function(layer.make_distribution, autograph=False)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(params)
        values = [
            law.log_prob(law.sample(seed=[1, 2])) + tf.reduce_sum(law.mean())
            for law in (make(params), layer.make_distribution(params))
        ]
    assert type(make(params)) is type(layer.make_distribution(params))
    np.testing.assert_allclose(*values, rtol=1e-5)
    np.testing.assert_allclose(*(tape.gradient(value, params) for value in values), rtol=1e-4, atol=1e-5)


def test_they_are_tfp_s_classes():
    diagonal = layers.MultivariateNormalDiag.new(tf.zeros([1, 4]), 2)
    assert isinstance(diagonal, tfd.MultivariateNormalDiag)
    np.testing.assert_allclose(
        tfd.kl_divergence(diagonal, tfd.MultivariateNormalDiag(tf.ones(2), tf.ones(2))),
        tfd.kl_divergence(of_tfp(diagonal), tfd.MultivariateNormalDiag(tf.ones(2), tf.ones(2))),
        rtol=1e-6,
    )
