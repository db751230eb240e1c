"""Posteriors over weights, against the closed form of a conjugate model."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from slow import slow_except

import tfvae
from tfvae.layers import IndependentBernoulli, MultivariateNormalDiag, VariationalWeights

tfd = tfp.distributions


def wrapped(num_examples=50, units=2, **kwargs):
    layer = VariationalWeights(keras.layers.Dense(units), num_examples, seed=3, **kwargs)
    layer.build((None, 3))
    return layer


def small_vae(num_examples=64, **kwargs):
    body = keras.Sequential([keras.layers.Dense(4, activation="tanh"), keras.layers.Dense(6)])
    encoder = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(4), MultivariateNormalDiag(2)])
    decoder = keras.Sequential(
        [keras.Input([2]), VariationalWeights(body, num_examples, seed=1, **kwargs), IndependentBernoulli((2, 3, 1))]
    )
    return tfvae.models.VAE(encoder, decoder, seed=0)


def test_kl_is_tfps():
    layer = wrapped(prior_scale=0.7, initial_scale=0.2)
    kernel, bias = layer.network.trainable_variables
    bias.assign([0.3, -2.0])
    expected = sum(
        np.sum(tfd.kl_divergence(tfd.Normal(mean, np.float32(0.2)), tfd.Normal(0.0, 0.7)))
        for mean in (kernel.numpy(), bias.numpy())
    )
    np.testing.assert_allclose(layer.kl(), expected, rtol=1e-5)
    np.testing.assert_allclose(sum(layer.losses) * 50, expected, rtol=1e-5)


def test_penalty_counts_once_however_often_it_is_called():
    layer = wrapped()
    once = float(sum(layer.losses))
    for _ in range(3):
        layer(tf.ones([4, 3]), training=True)
    np.testing.assert_allclose(sum(layer.losses), once, rtol=1e-6)
    np.testing.assert_allclose(once, layer.kl() / 50, rtol=1e-5)


def test_draws_in_training_only():
    layer, x = wrapped(initial_scale=0.5), tf.ones([4, 3])
    np.testing.assert_array_equal(layer(x), layer.network(x))
    first, second = layer(x, training=True), layer(x, training=True)
    assert np.abs(first - second).max() > 0.01
    np.testing.assert_array_equal(first[0], first[1])  # one theta a call


def test_draws_have_the_posteriors_moments():
    layer = wrapped(units=5_000, initial_scale=0.3)
    draws, (kernel, _) = layer.sample_weights(seed=0), layer.network.trainable_variables
    noise = (draws[0] - kernel).numpy() / 0.3  # 15,000 standard normals
    np.testing.assert_allclose(noise.mean(), 0.0, atol=5 / noise.size**0.5)
    np.testing.assert_allclose(noise.std(), 1.0, atol=5 / (2 * noise.size) ** 0.5)
    assert abs(np.corrcoef(noise[0], draws[1])[0, 1]) < 5 / 5_000**0.5
    assert np.all(draws[0] != layer.sample_weights(seed=1)[0])


def test_drawn_puts_the_means_back():
    layer, x = wrapped(initial_scale=0.5), tf.ones([4, 3])
    before = layer(x)
    with layer.drawn(seed=1):
        first = layer(x)
        np.testing.assert_array_equal(layer(x), first)
    with pytest.raises(ZeroDivisionError), layer.drawn(seed=1):
        _ = 1 / 0
    assert np.abs(first - before).max() > 0.01
    np.testing.assert_array_equal(layer(x), before)


@pytest.mark.slow
def test_linear_regression_finds_the_best_mean_field_posterior():
    # y = X w + noise, w ~ N(0, s^2): the posterior is N(m, P^-1), P = X'X / v + I / s^2, and the mean-field
    # approximation nearest to it (by KL(q || p)) has the means m and the variances 1 / diag(P).
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, 3)).astype("float32") @ np.array([[1.0, 0.8, 0.0], [0, 1, 0], [0, 0, 0.5]], "float32")
    variance, s = 0.25, 1.5
    y = (x @ [[0.5], [-1.0], [2.0]] + rng.normal(scale=variance**0.5, size=(40, 1))).astype("float32")
    precision = x.T @ x / variance + np.eye(3) / s**2
    mean = np.linalg.solve(precision, x.T @ y / variance)[:, 0]
    layer = VariationalWeights(keras.layers.Dense(1, use_bias=False), 40, prior_scale=s, initial_scale=0.1, seed=0)
    layer.build((None, 3))
    optimizer = keras.optimizers.Adam(keras.optimizers.schedules.PolynomialDecay(0.05, 3_000, 1e-5, power=2.0))
    x, y = tf.constant(x), tf.constant(y)

    def step():
        with tf.GradientTape() as tape:
            outputs = tf.stack([layer(x, training=True) for _ in range(8)])
            log_likelihood = tfd.Normal(outputs, variance**0.5).log_prob(y)
            loss = tf.add_n(layer.losses) - tf.reduce_mean(log_likelihood)
        optimizer.apply(tape.gradient(loss, layer.trainable_variables), layer.trainable_variables)

    @tf.function(jit_compile=True)
    def train():
        for _ in tf.range(3_000):
            step()

    optimizer.build(layer.trainable_variables)
    train()
    (posterior,) = layer.posteriors()
    scale = 1.0 / np.sqrt(np.diag(precision))
    np.testing.assert_allclose(posterior.loc[:, 0], mean, atol=0.1 * scale.min())
    np.testing.assert_allclose(posterior.scale[:, 0], scale, rtol=0.05)


def test_gradient_is_that_of_the_bound():
    # With the noise held fixed, against central differences, in float64.
    layer = VariationalWeights(keras.layers.Dense(2, dtype="float64"), 7, initial_scale=0.4, dtype="float64")
    layer.build((None, 3))
    x, y = tf.constant(np.linspace(-1, 1, 12).reshape(4, 3)), tf.constant(np.linspace(0, 1, 8).reshape(4, 2))
    noise = [np.random.default_rng(i).normal(size=w.shape) for i, w in enumerate(layer.network.trainable_variables)]

    def negative_bound():
        theta = [q.loc + q.scale * eps for q, eps in zip(layer.posteriors(), noise, strict=True)]
        loc = x @ theta[0] + theta[1]
        return -tf.reduce_mean(tf.reduce_sum(tfd.Normal(loc, tf.ones([], x.dtype)).log_prob(y), -1)) + layer.kl() / 7

    with tf.GradientTape() as tape:
        theta = [q.loc + q.scale * eps for q, eps in zip(layer.posteriors(), noise, strict=True)]
        outputs, _ = layer.network.stateless_call(theta, [], x)
        fit = tf.reduce_mean(tf.reduce_sum(tfd.Normal(outputs, tf.ones([], x.dtype)).log_prob(y), -1))
        loss = tf.add_n(layer.losses) - fit
    np.testing.assert_allclose(loss, negative_bound(), rtol=1e-9)
    for variable, gradient in zip(
        layer.trainable_variables, tape.gradient(loss, layer.trainable_variables), strict=True
    ):
        value, index = variable.numpy(), (0,) * len(variable.shape)
        ends = []
        for sign in (1, -1):
            moved = value.copy()
            moved[index] += sign * 1e-5
            variable.assign(moved)
            ends.append(negative_bound().numpy())
        variable.assign(value)
        np.testing.assert_allclose(gradient[index], (ends[0] - ends[1]) / 2e-5, rtol=1e-6)


def test_in_a_vae_loss_is_minus_the_whole_bound(tmp_path):
    x = np.random.default_rng(0).integers(2, size=(64, 2, 3, 1)).astype("float32")
    vae = small_vae()
    vae.compile(keras.optimizers.SGD(0.0), run_eagerly=True)  # the weights stay
    logs = vae.fit(x, batch_size=16, epochs=1, verbose=0).history
    layer = vae.decoder.layers[0]
    np.testing.assert_allclose(logs["loss"][0] + logs["elbo"][0], layer.kl() / 64, rtol=1e-4)


@pytest.mark.parametrize("jit_compile", slow_except([False, True], False))
def test_trains_saves_and_loads(tmp_path, jit_compile):
    x = np.random.default_rng(0).integers(2, size=(64, 2, 3, 1)).astype("float32")
    vae = small_vae()
    vae.compile(keras.optimizers.Adam(0.01), jit_compile=jit_compile)
    before = [w.numpy() for w in vae.trainable_variables]
    losses = vae.fit(x, batch_size=16, epochs=20, verbose=0).history["loss"]
    assert losses[-1] < losses[0] - 0.5
    assert all(np.any(a != b.numpy()) for a, b in zip(before, vae.trainable_variables, strict=True))
    vae.save(tmp_path / "vae.keras")
    loaded = tfvae.load_model(tmp_path / "vae.keras")
    for a, b in zip(vae.variables, loaded.variables, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())
    np.testing.assert_array_equal(vae.elbo(x, seed=1), loaded.elbo(x, seed=1))
    # The same draws of weights from here on, too.
    loaded.run_eagerly = not jit_compile
    again = [model.fit(x, batch_size=16, shuffle=False, epochs=1, verbose=0).history["loss"] for model in (vae, loaded)]
    np.testing.assert_allclose(*again, rtol=1e-6)


@pytest.mark.parametrize("network", ["conv", "batch_normalization"])
def test_any_network(network):
    body = {
        "conv": lambda: keras.layers.Conv2D(2, 3),  # its call takes no `training`
        "batch_normalization": lambda: keras.Sequential(
            [keras.layers.Dense(3), keras.layers.BatchNormalization(momentum=0.5), keras.layers.Dropout(0.5)]
        ),
    }[network]()
    layer, x = VariationalWeights(body, 10, initial_scale=0.3, seed=0), tf.random.stateless_normal([8, 5, 5, 1], [0, 1])
    before = layer(x)
    means = [weight.numpy() for weight in body.trainable_variables]
    assert np.abs(layer(x, training=True) - before).max() > 0.01
    for mean, weight in zip(means, body.trainable_variables, strict=True):
        np.testing.assert_array_equal(weight, mean)
    if network == "batch_normalization":
        assert np.abs(body.layers[1].moving_mean.numpy()).max() > 0.0


def test_frozen():
    layer = wrapped(initial_scale=0.3)
    layer.trainable = False
    assert layer.trainable_variables == []
    assert np.isfinite(layer.kl())
    assert np.abs(layer(tf.ones([2, 3]), training=True) - layer(tf.ones([2, 3]))).max() > 0.0


def test_mixed_precision():
    policy = "mixed_float16"
    layer = VariationalWeights(keras.layers.Dense(2, dtype=policy), 10, initial_scale=0.3, seed=0, dtype=policy)
    assert layer(tf.ones([2, 3]), training=True).dtype == tf.float16
    assert layer.kl().dtype == tf.float32
    assert {weight.dtype for weight in layer.trainable_variables} == {"float32"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_examples": 0}, "num_examples"),
        ({"prior_scale": 0.0}, "`prior_scale` must be a positive standard deviation"),
        ({"initial_scale": float("nan")}, "`initial_scale` must be a positive standard deviation"),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        VariationalWeights(keras.layers.Dense(1), **{"num_examples": 10, **arguments})


def test_regularisers_of_the_network_are_refused():
    layer = VariationalWeights(keras.layers.Dense(1, kernel_regularizer="l2"), 10)
    with pytest.raises(ValueError, match="Remove the regulariser from the network"):
        layer(tf.ones([2, 3]))
