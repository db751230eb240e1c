"""The VAE: every way to build, feed, train, save and ask it, with its numbers computed by hand."""

import itertools
import subprocess
import sys

import keras
import numpy as np
import pytest
import sklearn.datasets
import tensorflow as tf
import tensorflow_probability as tfp
from linear_gaussian import make_linear_gaussian
from slow import slow_except
from small_models import random_bits

import tfvae
from tfvae.estimators import SGVB
from tfvae.layers import (
    DistributionLambda,
    IndependentBernoulli,
    IndependentNormal,
    MultivariateNormalDiag,
    MultivariateNormalTriL,
)
from tfvae.models import VAE
from tfvae.priors import StandardNormal

tfd = tfp.distributions
PACKAGE = "tests_vae"
D = 3
IMAGE = (4, 6, 1)


@keras.saving.register_keras_serializable(package=PACKAGE)
class Net(keras.Model):
    """A subclassed network that ends in a distribution layer nobody can see from outside."""

    def __init__(self, size, layer, **kwargs):
        super().__init__(**kwargs)
        self.size, self.layer = size, layer
        self.flatten, self.dense = keras.layers.Flatten(), keras.layers.Dense(size)

    def call(self, inputs):
        return self.layer(self.dense(self.flatten(inputs)))

    def get_config(self):
        return {"size": self.size, "layer": keras.saving.serialize_keras_object(self.layer), "name": self.name}

    @classmethod
    def from_config(cls, config):
        return cls(**{**config, "layer": keras.saving.deserialize_keras_object(config["layer"])})


@keras.saving.register_keras_serializable(package=PACKAGE)
def make_bernoulli(logits):
    return tfd.Independent(tfd.Bernoulli(logits=tf.reshape(logits, [-1, *IMAGE])), 3)


def images(num_examples, seed=0):
    return random_bits(num_examples, IMAGE, seed)


def sequential_encoder(**kwargs):
    return keras.Sequential(
        [
            keras.layers.Flatten(),
            keras.layers.Dense(MultivariateNormalDiag.params_size(D), **kwargs),
            MultivariateNormalDiag(D),
        ]
    )


def sequential_decoder(**kwargs):
    return keras.Sequential([keras.layers.Dense(24, **kwargs), IndependentBernoulli(IMAGE)])


def functional_encoder():
    inputs = keras.Input(IMAGE)
    hidden = keras.layers.Conv2D(2, 3, activation="relu", padding="same")(inputs)
    parameters = keras.layers.Dense(MultivariateNormalTriL.params_size(D))(keras.layers.Flatten()(hidden))
    return keras.Model(inputs, MultivariateNormalTriL(D)(parameters))


def convolutional_decoder():
    return keras.Sequential(
        [
            keras.layers.Dense(2 * 3 * 2),
            keras.layers.Reshape((2, 3, 2)),
            keras.layers.Conv2DTranspose(2, 3, strides=2, padding="same", activation="relu"),
            keras.layers.Conv2D(1, 3, padding="same"),
            keras.layers.Flatten(),
            IndependentBernoulli(IMAGE),
        ]
    )


def functional_decoder():
    inputs = keras.Input((D,))
    return keras.Model(inputs, convolutional_decoder()(inputs))


def opaque_decoder():
    return keras.Sequential([keras.layers.Dense(24), DistributionLambda(make_bernoulli)])


def small_vae(seed=0, **kwargs):
    keras.utils.set_random_seed(seed)
    return VAE(sequential_encoder(), sequential_decoder(), seed=seed, **kwargs)


def vae_without_noise(**kwargs):
    """Its posterior has the smallest scale there is, 1e-5: z is its mean, and the numbers can be computed by hand."""
    vae = small_vae(**kwargs)
    kernel, bias = vae.encoder.layers[1].weights
    kernel.assign(kernel * np.repeat([1.0, 0.0], D))
    bias.assign(np.repeat([0.1, -50.0], D))
    return vae


def by_hand(vae, x):
    """Log-likelihood and KL of each example, with numpy, for `vae_without_noise`."""
    encoder_kernel, encoder_bias = (w.numpy() for w in vae.encoder.weights[:2])
    decoder_kernel, decoder_bias = (w.numpy() for w in vae.decoder.weights[:2])
    flat = x.reshape(len(x), -1).astype("float64")
    loc = (flat @ encoder_kernel + encoder_bias)[:, :D]
    logits = loc @ decoder_kernel + decoder_bias
    log_likelihood = np.sum(flat * logits - np.logaddexp(0, logits), axis=1)
    scale = 1e-5
    kl = np.sum(0.5 * (loc**2 + scale**2 - 1) - np.log(scale), axis=1)
    return log_likelihood, kl


BUILDS = {
    "sequential": lambda: VAE(sequential_encoder(), sequential_decoder()),
    "functional": lambda: VAE(functional_encoder(), functional_decoder(), StandardNormal(D)),
    "subclassed": lambda: VAE(
        Net(6, MultivariateNormalDiag(D)), Net(24, IndependentBernoulli(IMAGE)), StandardNormal(D)
    ),
    "nested": lambda: VAE(
        keras.Sequential([keras.layers.Rescaling(2.0), functional_encoder()]),
        keras.Sequential([keras.Sequential([sequential_decoder()])]),
    ),
    "opaque decoder": lambda: VAE(sequential_encoder(), opaque_decoder(), StandardNormal(D)),
    "TFP prior": lambda: VAE(
        sequential_encoder(), sequential_decoder(), tfd.Independent(tfd.Normal(tf.zeros(D), 1.0), 1)
    ),
}

# Building it -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", slow_except(BUILDS, "functional"))
def test_every_way_to_build_trains_answers_and_survives_its_file(name, tmp_path):
    vae, x = BUILDS[name](), images(11)
    vae.compile(keras.optimizers.Adam(0.01), run_eagerly=True)
    history = vae.fit(x, batch_size=11, validation_data=x, verbose=0).history
    names = {"loss", "elbo", "log_likelihood", "kl"}
    assert set(history) == names | {f"val_{name}" for name in names}
    assert np.isfinite(list(history.values())).all()
    assert vae.latent_shape == (D,)

    q, z = vae.encode(x), np.zeros((2, 11, D), "float32")
    assert isinstance(q, tfd.MultivariateNormalLinearOperator)
    assert not tf.is_tensor(q)
    assert (q.batch_shape, q.event_shape) == ((11,), (D,))
    p = vae.decode(z)
    assert (p.batch_shape, p.event_shape) == ((2, 11), IMAGE)
    assert p.log_prob(x).shape == (2, 11)
    assert vae.sample(5, seed=0).shape == (5, *IMAGE)
    assert vae.reconstruct(x, seed=0).shape == (11, *IMAGE)
    assert vae.elbo(x, num_samples=3, seed=0).shape == (11,)
    assert isinstance(vae(x), tfd.Distribution)

    vae.save(tmp_path / "vae.keras")
    loaded = tfvae.load_model(tmp_path / "vae.keras")
    assert isinstance(loaded, VAE)
    np.testing.assert_array_equal(loaded.elbo(x, seed=3), vae.elbo(x, seed=3))
    np.testing.assert_array_equal(loaded.sample(4, seed=3), vae.sample(4, seed=3))


def test_prior_is_the_standard_normal_unless_told():
    vae = VAE(sequential_encoder(), sequential_decoder())
    assert isinstance(vae.prior, StandardNormal)
    assert vae.prior.latent_size == D
    assert vae.event_shape == IMAGE
    assert isinstance(vae.estimator, SGVB)
    assert (vae.estimator.num_samples, vae.estimator.kl) == (1, "auto")


def test_a_distribution_layer_alone_is_a_network():
    vae = VAE(MultivariateNormalDiag(2), keras.Sequential([keras.layers.Dense(4), IndependentBernoulli((4,))]))
    x = np.random.default_rng(0).integers(0, 2, (5, 4)).astype("float32")
    assert vae.elbo(x, seed=0).shape == (5,)


@pytest.mark.parametrize(
    ("leading", "decoder"),
    slow_except(
        itertools.product(
            [(), (5,), (2, 5), (2, 3, 5), (0, 5)], [sequential_decoder, convolutional_decoder, opaque_decoder]
        ),
        ((), convolutional_decoder),
        ((5,), sequential_decoder),
        ((2, 5), opaque_decoder),
        ((0, 5), sequential_decoder),
    ),
)
def test_decode_keeps_sample_axes_in_order(decoder, leading):
    vae = VAE(sequential_encoder(), decoder(), StandardNormal(D))
    z = np.random.default_rng(0).normal(size=(*leading, D)).astype("float32")
    p, flat = vae.decode(z), vae.decode(z.reshape(-1, D))
    assert p.batch_shape == leading
    assert p.event_shape == IMAGE
    np.testing.assert_allclose(p.mean(), np.reshape(flat.mean(), (*leading, *IMAGE)), rtol=1e-6)
    x = images(5)
    rows = tf.broadcast_to(x, (*leading, *IMAGE)) if leading else x[0]
    expected = flat.log_prob(tf.reshape(rows, (-1, *IMAGE)))
    np.testing.assert_allclose(p.log_prob(x if leading else x[0]), np.reshape(expected, leading), rtol=1e-5)


@pytest.mark.parametrize(
    ("decoder", "jit_compile"),
    slow_except(
        itertools.product([convolutional_decoder, opaque_decoder], [False, True]),
        (convolutional_decoder, True),
        (opaque_decoder, False),
    ),
)
def test_decode_with_sample_axes_compiles_with_unknown_sizes(decoder, jit_compile):
    vae = VAE(sequential_encoder(), decoder(), StandardNormal(D))
    x, z = images(5), np.random.default_rng(0).normal(size=(2, 5, D)).astype("float32")
    compiled = tf.function(
        lambda x, z: vae.generate(z).log_prob(x),
        input_signature=[tf.TensorSpec([None, *IMAGE]), tf.TensorSpec([None, None, D])],
        jit_compile=jit_compile,
    )
    np.testing.assert_allclose(compiled(x, z), vae.decode(z).log_prob(x), rtol=1e-4)


# The oracle --------------------------------------------------------------------------------------------------------


def oracle_vae(model, dtype):
    """The linear-Gaussian model as a VAE whose posterior is exact."""
    tril = np.linalg.cholesky(model.posterior_covariance)
    i = np.arange(model.latent_size)
    raw_tril = tril.copy()
    raw_tril[i, i] = np.log(np.expm1(tril[i, i] - 1e-5))
    encoder = keras.Sequential(
        [keras.Input((5,), dtype=dtype), keras.layers.Dense(9, dtype=dtype), MultivariateNormalTriL(3, dtype=dtype)]
    )
    raw = tfp.math.fill_triangular_inverse(raw_tril).numpy()
    kernel = np.concatenate([model.posterior_weights.T, np.zeros((5, 6))], axis=1)
    bias = np.concatenate([-model.posterior_weights @ model.bias, raw])
    encoder.layers[0].set_weights([kernel, bias])
    decoder = keras.Sequential(
        [keras.Input((3,), dtype=dtype), keras.layers.Dense(10, dtype=dtype), IndependentNormal((5,), dtype=dtype)]
    )
    kernel = np.concatenate([model.weights.T, np.zeros((3, 5))], axis=1)
    bias = np.concatenate([model.bias, np.full(5, np.log(np.expm1(model.sigma)))])
    decoder.layers[0].set_weights([kernel, bias])
    return VAE(encoder, decoder, StandardNormal(3, dtype=dtype), SGVB(kl="monte_carlo"), seed=0, dtype=dtype)


@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-9), ("float32", 5e-5)])
def test_exact_posterior_makes_the_bound_log_marginal(dtype, tolerance):
    model = make_linear_gaussian()
    vae, x = oracle_vae(model, dtype), model.data(6)
    for seed in range(3):
        bound = vae.estimate(x.astype(dtype), seed=seed).bound
        assert bound.dtype == dtype
        np.testing.assert_allclose(bound, model.log_marginal(x), rtol=0, atol=tolerance)
    mean = vae.encode(x.astype(dtype)).mean()
    np.testing.assert_allclose(mean, model.posterior_mean(x), rtol=0, atol=tolerance)


def test_elbo_is_log_marginal_in_expectation():
    model = make_linear_gaussian()
    vae, x, times = oracle_vae(model, "float32"), model.data(4), 2000
    values = np.reshape(vae.elbo(np.tile(x, (times, 1)).astype("float32"), seed=1), (times, 4))
    standard_error = values.std(axis=0, ddof=1) / np.sqrt(times)
    np.testing.assert_array_less(np.abs(values.mean(axis=0) - model.log_marginal(x)), 5 * standard_error)


def test_ancestral_samples_have_the_models_moments():
    model = make_linear_gaussian()
    x = oracle_vae(model, "float32").sample(20_000, seed=1).numpy().astype("float64")
    covariance = model.weights @ model.weights.T + model.sigma**2 * np.eye(5)
    standard_error = np.sqrt(np.diag(covariance) / len(x))
    np.testing.assert_array_less(np.abs(x.mean(axis=0) - model.bias), 5 * standard_error)
    products = np.einsum("ni,nj->nij", x - model.bias, x - model.bias)
    standard_error = products.std(axis=0, ddof=1) / np.sqrt(len(x))
    np.testing.assert_array_less(np.abs(products.mean(axis=0) - covariance), 5 * standard_error)


# What evaluate and fit report --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kl", slow_except(["analytic", "monte_carlo"], "analytic"))
def test_evaluate_and_elbo_equal_the_numbers_by_hand(kl):
    vae = vae_without_noise(estimator=SGVB(kl=kl), beta=0.25)
    vae.compile("sgd", run_eagerly=True)
    for num_examples, batch_size in ((1, 1), (37, 16)):
        x = images(num_examples)
        x[32:] = 1.0  # a smaller last batch unlike the others
        log_likelihood, exact_kl = by_hand(vae, x)
        # Monte Carlo: E[log q - log p] differs from its one draw by noise of order one a dimension.
        spread = 5 * np.sqrt(D / 2 / num_examples) if kl == "monte_carlo" else 0.0
        metrics = vae.evaluate(x, batch_size=batch_size, return_dict=True, verbose=0)
        np.testing.assert_allclose(metrics["log_likelihood"], log_likelihood.mean(), rtol=1e-4)
        np.testing.assert_allclose(metrics["kl"], exact_kl.mean(), rtol=1e-4, atol=spread)
        np.testing.assert_allclose(metrics["elbo"], metrics["log_likelihood"] - metrics["kl"], rtol=1e-5)
        np.testing.assert_allclose(metrics["loss"], 0.25 * metrics["kl"] - metrics["log_likelihood"], rtol=1e-5)
        np.testing.assert_allclose(vae.elbo(x), log_likelihood - exact_kl, rtol=1e-4)


def test_train_step_reports_and_differentiates_the_same_numbers():
    x = images(37)
    vae = vae_without_noise(beta=0.25)
    vae.compile(keras.optimizers.SGD(1e-3), run_eagerly=True)
    log_likelihood, kl = by_hand(vae, x)
    kernel, bias = vae.decoder.weights[:2]
    with tf.GradientTape() as tape:
        loc = vae.encode(x).mean()
        logits = loc @ kernel + bias
        nll = tf.reduce_mean(
            tf.reduce_sum(tf.nn.sigmoid_cross_entropy_with_logits(tf.reshape(x, [37, -1]), logits), -1)
        )
        loss = nll + 0.25 * tf.reduce_mean(tf.reduce_sum(0.5 * loc**2, -1))
    gradients = tape.gradient(loss, [*vae.encoder.weights[:2], kernel, bias])
    before = [v.numpy() for v in [*vae.encoder.weights[:2], kernel, bias]]
    metrics = vae.train_on_batch(x, return_dict=True)
    np.testing.assert_allclose(metrics["log_likelihood"], log_likelihood.mean(), rtol=1e-4)
    np.testing.assert_allclose(metrics["kl"], kl.mean(), rtol=1e-4)
    np.testing.assert_allclose(metrics["loss"], (0.25 * kl - log_likelihood).mean(), rtol=1e-4)
    after = [v.numpy() for v in [*vae.encoder.weights[:2], kernel, bias]]
    for name, old, new, gradient in zip(("W", "b", "V", "c"), before, after, gradients, strict=True):
        moved, expected = (old - new) / 1e-3, np.asarray(gradient)
        if name in "Wb":  # the raw scale's half: its gradient through softplus is zero where softplus is flat
            moved, expected = moved[..., :D], expected[..., :D]
        np.testing.assert_allclose(moved, expected, rtol=1e-3, atol=5e-4, err_msg=name)


def test_elbo_depends_on_neither_beta_nor_estimator():
    x = images(5)
    vae = small_vae(beta=7.0, estimator=SGVB(3, kl="monte_carlo"))
    reference = small_vae()
    np.testing.assert_array_equal(vae.elbo(x, seed=1), reference.elbo(x, seed=1))
    vae.beta.assign(0.0)
    np.testing.assert_array_equal(vae.elbo(x, seed=1), reference.elbo(x, seed=1))
    assert vae.elbo(x, num_samples=500, seed=1).shape == (5,)


def test_elbo_falls_back_to_monte_carlo_where_no_closed_form_is_known():
    prior = tfd.Independent(tfd.Laplace(tf.zeros(D), 1.0), 1)
    vae = small_vae(prior=prior, estimator=SGVB(kl="monte_carlo"))
    x = images(5)
    expected = vae.estimate(x, estimator=SGVB(4, kl="monte_carlo"), seed=2).bound
    np.testing.assert_array_equal(vae.elbo(x, num_samples=4, seed=2), expected)


@keras.saving.register_keras_serializable(package=PACKAGE)
class CountCalls(keras.layers.Layer):
    """Counts how often Python runs it: once for each trace."""

    count = 0

    def call(self, inputs):
        CountCalls.count += 1
        return inputs


@pytest.mark.parametrize("jit_compile", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_beta_moves_without_retracing(jit_compile):
    x = images(8)
    vae = VAE(keras.Sequential([CountCalls(), *sequential_encoder().layers]), sequential_decoder())
    vae.compile(keras.optimizers.SGD(0.0), jit_compile=jit_compile)
    vae.fit(x, verbose=0)
    vae.evaluate(x, verbose=0)
    count = CountCalls.count
    for beta in (1.0, 0.0, 4.0):
        vae.beta.assign(beta)
        for metrics in (
            {name: values[0] for name, values in vae.fit(x, verbose=0).history.items()},
            vae.evaluate(x, return_dict=True, verbose=0),
        ):
            np.testing.assert_allclose(metrics["loss"], beta * metrics["kl"] - metrics["log_likelihood"], rtol=1e-5)
            np.testing.assert_allclose(metrics["elbo"], metrics["log_likelihood"] - metrics["kl"], rtol=1e-5)
    assert CountCalls.count == count


def test_beta_is_state_but_not_trained():
    vae = small_vae(beta=0.5)
    assert all(v is not vae.beta for v in vae.trainable_variables)
    assert any(v is vae.beta for v in vae.non_trainable_variables)


def test_xla_gives_the_numbers_of_single_operations():
    """With next to no noise: under XLA the same seed draws other numbers (TensorFlow's own choice of algorithm)."""
    x, weights = images(16), []
    for options in ({"run_eagerly": True}, {"jit_compile": True}):
        vae = vae_without_noise()
        vae.compile(keras.optimizers.SGD(1e-3), **options)
        vae.fit(x, batch_size=8, shuffle=False, verbose=0)
        weights.append(vae.get_weights())
    for eager, xla in zip(*weights, strict=True):
        if eager.dtype == np.float32:
            np.testing.assert_allclose(eager, xla, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "options",
    [{"jit_compile": True}, {"steps_per_execution": 3}],
    ids=str,
)
@pytest.mark.slow
def test_same_seed_same_run(options):
    x, runs = images(20), []
    for _ in range(2):
        vae = small_vae(seed=5)
        vae.compile("adam", **{"jit_compile": False, **options})
        history = vae.fit(x, batch_size=4, epochs=2, verbose=0).history
        runs.append((history, vae.get_weights(), vae.sample(3).numpy()))
    (history, weights, sample), (history_again, weights_again, sample_again) = runs
    assert history == history_again
    np.testing.assert_array_equal(sample, sample_again)
    for one, same in zip(weights, weights_again, strict=True):
        np.testing.assert_array_equal(one, same)


@pytest.mark.slow
def test_steps_per_execution_and_eager_do_what_a_step_at_a_time_does():
    x, results = images(20), []
    for options in ({}, {"steps_per_execution": 5}, {"run_eagerly": True}):
        vae = small_vae(seed=5)
        vae.compile(keras.optimizers.SGD(1e-2), **{"jit_compile": False, **options})
        vae.fit(x, batch_size=4, epochs=1, shuffle=False, verbose=0)
        results.append(vae.get_weights())
    for other in results[1:]:
        for one, same in zip(results[0], other, strict=True):
            np.testing.assert_allclose(one, same, rtol=1e-4, atol=1e-5)


def test_another_seed_is_another_run():
    x = images(8)
    values = [VAE(sequential_encoder(), sequential_decoder(), seed=seed) for seed in (1, 2)]
    for vae in values:
        vae.encoder.set_weights(values[0].encoder.get_weights())
        vae.decoder.set_weights(values[0].decoder.get_weights())
    assert np.any(values[0].elbo(x) != values[1].elbo(x))


# Feeding it --------------------------------------------------------------------------------------------------------


def feeds(x):
    y = np.arange(len(x))
    slices = tf.data.Dataset.from_tensor_slices
    return {
        "array": x,
        "tensor": tf.constant(x),
        "float64 array": x.astype("float64"),
        "dictionary": {"image": x},
        "dictionary of x": {"x": x},
        "dictionary with labels": {"image": x, "label": y},
        "dataset of x": slices(x).batch(4),
        "dataset of (x, y)": slices((x, y)).batch(4),
        "dataset of dictionaries": slices({"image": x, "label": y}).batch(4),
        "dataset of (dictionary, y)": slices(({"image": x}, y)).batch(4),
        "dataset of float64": slices(x.astype("float64")).batch(4),
        "dataset of float16": slices(x.astype("float16")).batch(4),
        "dataset of fixed size": slices(x).batch(4, drop_remainder=True),
        "list of batches": tf.data.Dataset.from_generator(
            lambda: (x[i : i + 4] for i in range(0, len(x), 4)),
            output_signature=tf.TensorSpec([None, *IMAGE], tf.float32),
        ),
    }


@pytest.fixture(scope="module")
def feeding():
    vae = vae_without_noise()
    vae.compile(keras.optimizers.SGD(0.0), run_eagerly=True)
    return vae


@pytest.fixture(scope="module")
def feeding_in_graphs():
    vae = vae_without_noise()
    vae.compile(keras.optimizers.SGD(0.0), jit_compile=False)
    return vae


@pytest.mark.parametrize(
    ("name", "eager"),
    slow_except(
        itertools.product(feeds(images(2)), [False, True]),
        ("array", True),
        ("dataset of (dictionary, y)", False),
    ),
)
def test_fit_and_evaluate_take(name, eager, request):
    x, feeding = images(8), request.getfixturevalue("feeding" if eager else "feeding_in_graphs")
    data = feeds(x)[name]
    log_likelihood, kl = by_hand(feeding, x)
    batches = {} if isinstance(data, tf.data.Dataset) else {"batch_size": 4}
    evaluated = feeding.evaluate(data, return_dict=True, verbose=0, **batches)
    np.testing.assert_allclose(evaluated["elbo"], np.mean(log_likelihood - kl), rtol=1e-4)
    history = feeding.fit(data, validation_data=data, verbose=0, **batches).history
    for prefix in ("", "val_"):
        np.testing.assert_allclose(history[f"{prefix}elbo"], [np.mean(log_likelihood - kl)], rtol=1e-4)


def test_fit_takes_labels_and_validation_split(feeding):
    x = images(12)
    history = feeding.fit(x, np.arange(12), validation_split=0.5, verbose=0).history
    log_likelihood, kl = by_hand(feeding, x)
    elbo = log_likelihood - kl
    actual = [history["elbo"][0], history["val_elbo"][0]]
    np.testing.assert_allclose(actual, [elbo[:6].mean(), elbo[6:].mean()], rtol=1e-4)
    evaluated = feeding.evaluate(x, np.arange(12), return_dict=True, verbose=0)
    np.testing.assert_allclose(evaluated["elbo"], elbo.mean(), rtol=1e-4)
    history = feeding.fit(x, validation_data=(x[:3], np.arange(3)), verbose=0).history
    np.testing.assert_allclose(history["val_elbo"], [elbo[:3].mean()], rtol=1e-4)


@pytest.mark.parametrize("labels", [pytest.param(True, marks=pytest.mark.slow), False])
@pytest.mark.slow
def test_sample_weight_weighs_loss_and_metrics(feeding_in_graphs, labels):
    feeding = feeding_in_graphs
    x, weight = images(10), np.random.default_rng(0).uniform(0, 3, size=10).astype("float32")
    y = np.zeros(10) if labels else None
    log_likelihood, kl = by_hand(feeding, x)
    elbo = log_likelihood - kl
    arguments = {"sample_weight": weight, "batch_size": 4, "verbose": 0}
    dataset = tf.data.Dataset.from_tensor_slices((x, np.zeros(10), weight)).batch(4)
    for metrics in (
        feeding.evaluate(dataset, return_dict=True, verbose=0),
        feeding.evaluate(x, y, return_dict=True, **arguments),
        {name: values[0] for name, values in feeding.fit(x, y, shuffle=False, **arguments).history.items()},
    ):
        # As Keras: the loss is a sum of weighted losses over the number of examples, a metric a weighted mean.
        np.testing.assert_allclose(metrics["loss"], np.mean(-elbo * weight), rtol=1e-4)
        np.testing.assert_allclose(metrics["elbo"], np.sum(elbo * weight) / weight.sum(), rtol=1e-4)


def test_validation_data_take_sample_weights(feeding):
    x, weight = images(10), np.random.default_rng(0).uniform(0, 3, size=10).astype("float32")
    log_likelihood, kl = by_hand(feeding, x)
    history = feeding.fit(x, validation_data=(x, np.zeros(10), weight), verbose=0).history
    expected = np.sum((log_likelihood - kl) * weight) / weight.sum()
    np.testing.assert_allclose(history["val_elbo"], [expected], rtol=1e-4)


# Training it -------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_fit_improves_the_elbo_on_real_digits():
    x = (sklearn.datasets.load_digits().images[..., None] / 16).astype("float32")
    keras.utils.set_random_seed(0)
    encoder = keras.Sequential(
        [
            keras.layers.Flatten(),
            keras.layers.Dense(64, activation="tanh"),
            keras.layers.Dense(MultivariateNormalDiag.params_size(4)),
            MultivariateNormalDiag(4),
        ]
    )
    decoder = keras.Sequential(
        [
            keras.layers.Dense(64, activation="tanh"),
            keras.layers.Dense(IndependentBernoulli.params_size((8, 8, 1))),
            IndependentBernoulli((8, 8, 1)),
        ]
    )
    vae = VAE(encoder, decoder, seed=0)
    vae.compile(keras.optimizers.Adam(3e-3), jit_compile=False)
    x_train, x_test = x[:1500], x[1500:]
    before = vae.evaluate(x_test, return_dict=True, verbose=0)["elbo"]
    history = vae.fit(x_train, batch_size=50, epochs=8, validation_data=x_test, verbose=0).history
    # The best that knows only each pixel's mean, without any latent.
    p = np.clip(x_train.mean(axis=0), 1e-3, 1 - 1e-3)
    without_latents = np.mean(np.sum(x_test * np.log(p) + (1 - x_test) * np.log1p(-p), axis=(1, 2, 3)))
    assert before < without_latents < history["val_elbo"][-1]
    assert history["elbo"][-1] > history["elbo"][0]
    assert history["kl"][-1] > 1.0, "the latents carry something"


@pytest.mark.slow
def test_early_stopping_and_checkpoint_follow_val_elbo(tmp_path):
    x = images(16)
    vae = small_vae()
    vae.compile(keras.optimizers.SGD(0.0), jit_compile=False)
    path = tmp_path / "best.keras"
    history = vae.fit(
        x,
        validation_data=x,
        epochs=30,
        verbose=0,
        callbacks=[
            keras.callbacks.EarlyStopping(monitor="val_elbo", mode="max", patience=2, min_delta=1e6),
            keras.callbacks.ModelCheckpoint(path, monitor="val_elbo", mode="max", save_best_only=True),
        ],
    ).history
    assert len(history["loss"]) == 3
    np.testing.assert_array_equal(tfvae.load_model(path).elbo(x, seed=1), vae.elbo(x, seed=1))


def test_networks_own_losses_count_once():
    x = images(8)
    vae = VAE(
        sequential_encoder(kernel_regularizer=keras.regularizers.L2(0.1)),
        sequential_decoder(activity_regularizer=keras.regularizers.L2(0.2)),
        seed=0,
    )
    decoder_kernel, decoder_bias = vae.decoder.weights[:2]
    decoder_kernel.assign(keras.ops.zeros_like(decoder_kernel))
    decoder_bias.assign(keras.ops.ones_like(decoder_bias))
    expected = 0.1 * np.sum(vae.encoder.weights[0].numpy() ** 2) + 0.2 * 24
    vae.elbo(x)
    vae(x)
    vae.compile(keras.optimizers.SGD(0.0), run_eagerly=True)
    evaluated = vae.evaluate(x, batch_size=4, return_dict=True, verbose=0)
    vae.compile(keras.optimizers.SGD(0.0), jit_compile=False)
    fitted = {k: v[-1] for k, v in vae.fit(x, batch_size=4, epochs=2, verbose=0).history.items()}
    for metrics in (evaluated, fitted):
        np.testing.assert_allclose(metrics["loss"] + metrics["elbo"], expected, rtol=1e-4)


def test_training_mode_reaches_the_networks():
    encoder = keras.Sequential(
        [
            keras.layers.Flatten(),
            keras.layers.BatchNormalization(momentum=0.0),
            keras.layers.Dropout(0.5),
            keras.layers.Dense(6),
            MultivariateNormalDiag(D),
        ]
    )
    vae, x = VAE(encoder, sequential_decoder(), seed=0), images(16)
    vae.compile(keras.optimizers.SGD(0.0), run_eagerly=True)
    np.testing.assert_array_equal(vae.elbo(x, seed=1), vae.elbo(x, seed=1))
    vae.evaluate(x, verbose=0)
    moving_mean = encoder.layers[1].moving_mean
    np.testing.assert_array_equal(moving_mean, np.zeros(24))
    vae.fit(x, verbose=0)
    np.testing.assert_allclose(moving_mean, x.reshape(16, 24).mean(axis=0), rtol=1e-5)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
@pytest.mark.slow
def test_mixed_precision_trains(policy, set_policy, tmp_path):
    set_policy(policy)
    x = images(16)
    vae = small_vae()
    vae.compile(keras.optimizers.Adam(0.01), jit_compile=False)
    history = vae.fit(x, batch_size=8, epochs=3, validation_data=x, verbose=0).history
    assert np.isfinite(list(history.values())).all()
    for value in tf.nest.flatten(vae.estimate(x)):
        assert value.dtype == tf.float32
    assert vae.encode(x).dtype == tf.float32
    assert vae.sample(2).dtype == tf.float32
    assert all(v.dtype == "float32" for v in vae.trainable_variables)
    if policy == "mixed_float16":
        assert isinstance(vae.optimizer, keras.optimizers.LossScaleOptimizer)
    vae.save(tmp_path / "vae.keras")
    np.testing.assert_array_equal(tfvae.load_model(tmp_path / "vae.keras").elbo(x, seed=1), vae.elbo(x, seed=1))


MIRRORED = """
import numpy as np, tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
import keras, tfvae
from tfvae.layers import IndependentBernoulli, MultivariateNormalDiag

def train(strategy):
    with strategy.scope():
        keras.utils.set_random_seed(0)
        encoder = keras.Sequential([keras.Input((5,)), keras.layers.Dense(6), MultivariateNormalDiag(3)])
        decoder = keras.Sequential(
            [keras.Input((3,)), keras.layers.Dense(5, kernel_regularizer="l2"), IndependentBernoulli((5,))]
        )
        kernel, bias = encoder.layers[0].get_weights()
        encoder.layers[0].set_weights([kernel * np.repeat([1.0, 0.0], 3), bias + np.repeat([0.0, -50.0], 3)])
        vae = tfvae.models.VAE(encoder, decoder, seed=0)
        vae.compile(keras.optimizers.SGD(1e-2), jit_compile=False)
    x = np.random.default_rng(0).integers(0, 2, (24, 5)).astype("float32")
    history = vae.fit(x, batch_size=8, epochs=2, shuffle=False, verbose=0).history
    evaluated = vae.evaluate(x, batch_size=8, return_dict=True, verbose=0)
    return history, evaluated, [np.asarray(v) for v in vae.trainable_variables]

one = train(tf.distribute.get_strategy())
two = train(tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]))
for a, b in zip(one[2], two[2], strict=True):
    np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
for name in one[0]:
    np.testing.assert_allclose(one[0][name], two[0][name], rtol=1e-4, err_msg=name)
    np.testing.assert_allclose(one[1][name], two[1][name], rtol=1e-4, err_msg=name)
print("equal")
"""


@pytest.mark.slow
def test_two_replicas_train_as_one_does():
    run = subprocess.run([sys.executable, "-c", MIRRORED], capture_output=True, text=True, timeout=300)
    assert run.stdout.strip().endswith("equal"), run.stderr[-3000:]


# Saving it ---------------------------------------------------------------------------------------------------------


def test_training_continues_from_the_file(tmp_path):
    x = images(8)
    vae = small_vae(estimator=SGVB(2, kl="monte_carlo"), beta=0.5)
    vae.compile(keras.optimizers.Adam(0.01), run_eagerly=True)
    vae.fit(x, batch_size=4, shuffle=False, verbose=0)
    vae.beta.assign(0.75)
    vae.save(tmp_path / "vae.keras")
    loaded = tfvae.load_model(tmp_path / "vae.keras")
    assert float(loaded.beta) == 0.75
    assert loaded.initial_beta == 0.5
    assert repr(loaded.estimator) == repr(vae.estimator)
    assert int(loaded.optimizer.iterations) == 2
    for model in (vae, loaded):
        model.seed_generator.state.assign([7, 8])
    histories = [model.fit(x, batch_size=4, shuffle=False, verbose=0).history for model in (vae, loaded)]
    assert histories[0] == histories[1]
    for one, same in zip(vae.trainable_variables, loaded.trainable_variables, strict=True):
        np.testing.assert_array_equal(one, same)


@pytest.mark.parametrize("seed", [0, None])
@pytest.mark.slow
def test_the_file_holds_where_the_random_numbers_stand(seed, tmp_path):
    """Else a loaded model repeats the noise that it was trained with from the start."""
    x, vae = images(4), VAE(sequential_encoder(), sequential_decoder(), seed=seed)
    vae.elbo(x)
    tf.convert_to_tensor(vae(x))
    vae.save(tmp_path / "vae.keras")
    loaded = tfvae.load_model(tmp_path / "vae.keras")
    np.testing.assert_array_equal(vae.elbo(x), loaded.elbo(x))
    np.testing.assert_array_equal(np.asarray(vae(x)), np.asarray(loaded(x)))


def test_weights_file_alone(tmp_path):
    x, vae, other = images(4), small_vae(seed=0), small_vae(seed=1)
    vae.save_weights(tmp_path / "vae.weights.h5")
    other.load_weights(tmp_path / "vae.weights.h5")
    np.testing.assert_array_equal(vae.elbo(x, seed=1), other.elbo(x, seed=1))


def test_config_and_clone():
    x = images(4)
    vae = small_vae(prior=StandardNormal(D), estimator=SGVB(2), beta=0.5, name="named")
    for again in (VAE.from_config(vae.get_config()), keras.models.clone_model(vae)):
        assert again.name == "named"
        assert again.initial_beta == 0.5
        assert again.estimator.num_samples == 2
        again.set_weights(vae.get_weights())
        np.testing.assert_array_equal(again.elbo(x, seed=1), vae.elbo(x, seed=1))


def test_saving_a_model_that_is_not_compiled(tmp_path):
    x, vae = images(4), small_vae()
    vae.save(tmp_path / "vae.keras")
    np.testing.assert_array_equal(tfvae.load_model(tmp_path / "vae.keras").elbo(x, seed=1), vae.elbo(x, seed=1))


# Asking it ---------------------------------------------------------------------------------------------------------


def test_seeds_of_what_users_ask():
    x, vae = images(4), small_vae()
    for ask in (
        lambda seed: vae.sample(6, seed=seed),
        lambda seed: vae.reconstruct(x, seed=seed),
        lambda seed: vae.elbo(x, seed=seed),
        lambda seed: vae.estimate(x, seed=seed).bound,
    ):
        np.testing.assert_array_equal(ask(3), ask(3))
        np.testing.assert_array_equal(ask((1, 2)), ask(tf.constant([1, 2])))
        assert np.any(ask(3) != ask(4))
        assert np.any(ask(None) != ask(None))


def test_reconstruct_is_the_mean_given_one_latent():
    x, vae = images(4), vae_without_noise()
    expected = vae.decode(vae.encode(x).mean()).mean()
    np.testing.assert_allclose(vae.reconstruct(x), expected, rtol=1e-3)
    assert np.all((vae.reconstruct(x) >= 0) & (vae.reconstruct(x) <= 1))


def test_sample_draws_from_the_likelihood_not_its_mean():
    sample = small_vae().sample(50, seed=0).numpy()
    assert set(np.unique(sample)) == {0.0, 1.0}


def test_more_samples_tighten_the_estimate_not_the_bound():
    x, vae = np.repeat(images(1), 400, axis=0), small_vae()
    one, many = (vae.elbo(x, num_samples=n, seed=n).numpy() for n in (1, 25))
    assert many.std() < one.std()
    standard_error = np.hypot(one.std(ddof=1), many.std(ddof=1)) / np.sqrt(400)
    assert abs(one.mean() - many.mean()) < 5 * standard_error


def test_answers_take_numpy_lists_and_tensors():
    vae, x = small_vae(), images(3)
    expected = vae.encode(x).mean()
    np.testing.assert_array_equal(vae.encode(tf.constant(x)).mean(), expected)
    np.testing.assert_array_equal(vae.encode(x.tolist()).mean(), expected)
    np.testing.assert_allclose(vae.encode(x.astype("float64")).mean(), expected, rtol=1e-5)
    assert vae.decode([[0.0, 1.0, 2.0]]).batch_shape == (1,)
    assert vae.decode(np.zeros((2, D), "float64")).batch_shape == (2,)
    assert vae.encode(images(0)).batch_shape == (0,)
    assert vae.elbo(images(0)).shape == (0,)


def test_predict_gives_the_decoders_converted_value():
    vae, x = small_vae(), images(5)
    vae.compile(run_eagerly=True)
    assert vae.predict(x, batch_size=2, verbose=0).shape == (5, *IMAGE)


@pytest.mark.slow
def test_keras_own_export_needs_no_call_first(tmp_path):
    vae = VAE(sequential_encoder(), sequential_decoder(), StandardNormal(D))
    vae.export(str(tmp_path / "served"), verbose=False)
    served = tf.saved_model.load(str(tmp_path / "served"))
    assert served.serve(tf.convert_to_tensor(images(3))).shape == (3, *IMAGE)
