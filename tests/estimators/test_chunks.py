"""Decoding in chunks: the same numbers and the same gradients as all at once."""

import itertools
import math
import re

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from slow import slow_except

from tfvae.estimators import (
    CIWAE,
    MIWAE,
    PIWAE,
    VIMCO,
    DReG,
    ImportanceWeighted,
    Problem,
    Renyi,
    ReweightedWakeSleep,
)
from tfvae.estimators.chunks import chunked_log_likelihood
from tfvae.layers import IndependentNormal
from tfvae.models import VAE

tfd = tfp.distributions
S, K, BATCH, LATENT, DATA = 2, 5, 3, 2, 4


@pytest.fixture(scope="module")
def decoder():
    """A Keras decoder in float64, one of whose layers is used twice and another is frozen."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float64")
    keras.utils.set_random_seed(0)
    inputs = keras.Input((LATENT,))
    shared = keras.layers.Dense(LATENT, activation="tanh", bias_initializer="normal")
    frozen = keras.layers.Dense(6, activation="softplus", trainable=False)
    network = keras.Model(inputs, keras.layers.Dense(DATA, bias_initializer="normal")(frozen(shared(shared(inputs)))))
    keras.config.set_dtype_policy(before)
    return network


def generate_with(decoder):
    def generate(z):
        mean = tf.reshape(decoder(tf.reshape(z, [-1, LATENT])), tf.concat([tf.shape(z)[:-1], [DATA]], 0))
        return tfd.Independent(tfd.Normal(mean, tf.constant(0.6, tf.float64)), 1)

    return generate


def numbers(seed=0):
    rng = np.random.default_rng(seed)
    return tf.constant(rng.normal(size=(BATCH, DATA))), tf.constant(rng.normal(size=(S, K, BATCH, LATENT)))


def both_ways(log_likelihood, z, variables):
    """A value that weighs every draw differently, and its gradients."""
    with tf.GradientTape() as tape:
        tape.watch(z)
        values = log_likelihood(z)
        weighed = tf.reduce_sum(tf.reduce_logsumexp(values, axis=1) * np.arange(1.0, BATCH + 1))
    return values, *tape.gradient(weighed, [*tf.nest.flatten(z), *variables])


@pytest.mark.parametrize(
    ("mode", "chunk_size"),
    slow_except(
        [
            ("eager", 1),
            ("eager", 3),
            ("eager", 4),
            ("eager", 10),
            ("eager", 99),
            ("graph", 4),
            ("graph", 99),
            ("xla", 4),
        ],
        ("eager", 4),
        ("eager", 10),
        ("eager", 99),
        ("xla", 4),
    ),
)
def test_value_and_gradients(decoder, mode, chunk_size):
    x, z = numbers()
    generate, variables = generate_with(decoder), decoder.trainable_weights
    assert len(variables) == 4

    def chunked(x, z):
        return both_ways(
            lambda z: chunked_log_likelihood(x, z, generate, sample_shape=[S, K], chunk_size=chunk_size),
            z,
            [weight.value for weight in variables],
        )

    if mode != "eager":
        signature = [tf.TensorSpec([None, DATA], tf.float64), tf.TensorSpec([S, K, None, LATENT], tf.float64)]
        chunked = tf.function(chunked, input_signature=signature, jit_compile=mode == "xla")
    expected = both_ways(lambda z: generate(z).log_prob(x), z, [weight.value for weight in variables])
    for ours, theirs in zip(chunked(x, z), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("chunk_size", [1, 3, 4, 7, 10, 99])
def test_no_more_draws_at_a_time_than_asked(chunk_size):
    x, z = numbers()
    seen = []

    def generate(z):
        seen.append(z.shape[0])
        return tfd.MultivariateNormalDiag(tf.concat([z, z], -1))

    values = chunked_log_likelihood(x, z, generate, sample_shape=[S, K], chunk_size=chunk_size)
    np.testing.assert_allclose(values, tfd.MultivariateNormalDiag(tf.concat([z, z], -1)).log_prob(x), rtol=1e-12)
    assert max(seen) <= chunk_size
    assert sum(seen) < S * K + chunk_size


def test_latents_in_parts(decoder):
    """A tuple of unequal shapes, one part of whole numbers, which have no gradient."""
    rng = np.random.default_rng(1)
    x, z = numbers(1)
    z = (z, tf.constant(rng.normal(size=(S, K, BATCH))), tf.constant(rng.integers(0, 3, size=(S, K, BATCH))))
    scales = tf.Variable([0.5, 1.0, 2.0], dtype=tf.float64)

    def generate(z):
        first, second, kind = z
        mean = generate_with(decoder)(first).mean() + second[..., tf.newaxis]
        scale = tf.gather(scales, kind)[..., tf.newaxis]
        return tfd.Independent(tfd.Normal(mean, scale * tf.ones_like(mean)), 1)

    def chunked(z):
        return chunked_log_likelihood(x, z, generate, sample_shape=[S, K], chunk_size=4)

    def gradients(log_likelihood):
        with tf.GradientTape() as tape:
            tape.watch(z[:2])
            values = log_likelihood(z)
            weighed = tf.reduce_sum(tf.reduce_logsumexp(values, axis=1))
        sources = [*z[:2], scales, decoder.trainable_weights[0].value]
        return values, *(tf.convert_to_tensor(gradient) for gradient in tape.gradient(weighed, sources))

    expected = gradients(lambda z: generate(z).log_prob(x))
    for ours, theirs in zip(tf.function(gradients)(chunked), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-11, atol=1e-12)


WITH_CHUNKS = [
    lambda chunk_size: ImportanceWeighted(7, num_samples=2, chunk_size=chunk_size),
    lambda chunk_size: DReG(7, num_samples=2, chunk_size=chunk_size),
    lambda chunk_size: MIWAE(2, 7, chunk_size=chunk_size),
    lambda chunk_size: PIWAE(2, 7, chunk_size=chunk_size),
    lambda chunk_size: CIWAE(7, 0.3, chunk_size=chunk_size),
    lambda chunk_size: Renyi(0.4, 7, chunk_size=chunk_size),
    lambda chunk_size: Renyi(-math.inf, 7, chunk_size=chunk_size),
    lambda chunk_size: VIMCO(7, chunk_size=chunk_size),
    lambda chunk_size: ReweightedWakeSleep(7, "wake", chunk_size=chunk_size),
    lambda chunk_size: ReweightedWakeSleep(7, "both", chunk_size=chunk_size),
]
NAMES = [re.sub(r", chunk_size=.*", ")", repr(make(5))) for make in WITH_CHUNKS]


def estimate_and_gradients(decoder, estimator, mode="eager"):
    """Through the estimator: its numbers, the encoder's gradient by way of z, the prior's and the decoder's."""
    x, z = numbers(2)
    values = [z[0, 0], z[0, 1], tf.constant([0.3, -0.2], tf.float64)]

    def run(loc, raw_scale, prior_loc):
        def infer(x):
            return tfd.MultivariateNormalDiag(loc, tf.nn.softplus(raw_scale))

        with tf.GradientTape() as tape:
            tape.watch([loc, raw_scale, prior_loc])
            prior = tfd.MultivariateNormalDiag(prior_loc, tf.constant([1.0, 1.2], tf.float64))
            problem = Problem(x, infer(x), prior, generate_with(decoder), infer)
            estimate = estimator(problem, beta=0.4, seed=(3, 4))
        sources = [loc, raw_scale, prior_loc, *(weight.value for weight in decoder.trainable_weights)]
        return *tf.nest.flatten(estimate), *tape.gradient(estimate.surrogate_loss, sources)

    return (run if mode == "eager" else tf.function(run, autograph=False, jit_compile=mode == "xla"))(*values)


# By all weights, by a path alone, by the largest weight, by a score, and with dreams.
ONE_OF_EACH_KIND = [WITH_CHUNKS[number] for number in (0, 1, 6, 7, 9)]


@pytest.mark.parametrize("make", slow_except(WITH_CHUNKS, *ONE_OF_EACH_KIND), ids=NAMES)
def test_estimators_have_the_same_numbers_with_chunks(decoder, make):
    chunked, whole = (estimate_and_gradients(decoder, make(chunk_size)) for chunk_size in (5, None))
    for ours, theirs in zip(chunked, whole, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize(
    ("make", "mode"),
    slow_except(itertools.product(WITH_CHUNKS, ["graph", "xla"]), (WITH_CHUNKS[-1], "graph")),
)
def test_estimators_with_chunks_in_graphs(decoder, make, mode):
    chunked = estimate_and_gradients(decoder, make(4), mode)
    # XLA makes other normal numbers of a seed, a graph the same.
    whole = estimate_and_gradients(decoder, make(None), "eager" if mode == "graph" else mode)
    for ours, theirs in zip(chunked, whole, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("make", WITH_CHUNKS, ids=NAMES)
def test_estimators_decode_no_more_draws_at_a_time_than_asked(make):
    x, z = numbers(3)
    seen = []

    def generate(z):
        seen.append(z.shape[0] if z.shape.rank == 3 else 1)  # a dream has no axis of draws
        return tfd.MultivariateNormalDiag(tf.concat([z, z], -1))

    def infer(x):
        return tfd.MultivariateNormalDiag(z[0, 0])

    loc = tf.constant(z[0, 1])
    with tf.GradientTape() as tape:
        tape.watch(loc)
        posterior = tfd.MultivariateNormalDiag(loc)
        prior = tfd.MultivariateNormalDiag(tf.zeros(LATENT, tf.float64))
        loss = make(3)(Problem(x, posterior, prior, generate, infer), seed=1).surrogate_loss
    assert np.any(tape.gradient(loss, loc) != 0.0)
    assert max(seen) <= 3


def test_in_a_vae():
    """The gradient of a step of training with chunks is that of the step without."""
    x = np.random.default_rng(0).normal(size=(6, DATA)).astype("float32")
    keras.utils.set_random_seed(1)
    encoder = keras.Sequential([keras.layers.Dense(2 * LATENT), IndependentNormal(LATENT)])
    network = keras.Sequential([keras.layers.Dense(5, activation="tanh"), keras.layers.Dense(2 * DATA)])
    network.add(IndependentNormal(DATA))
    vae = VAE(encoder, network, seed=2)
    gradients = []
    for chunk_size in (None, 2):
        estimator = ImportanceWeighted(3, chunk_size=chunk_size)
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(vae.estimate(x, estimator=estimator, training=True, seed=3).surrogate_loss)
        gradients.append(tape.gradient(loss, [weight.value for weight in vae.trainable_variables]))
    for ours, theirs in zip(*gradients, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)
