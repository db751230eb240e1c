"""The classes of `tfp.layers` beyond the first few: equal to TFP's, fitted in every API, extremes, wrong arguments."""

import itertools
import json

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from slow import slow_except

from tfvae import layers, priors

tfd = tfp.distributions
PACKAGE = "tests_tfp_classes"


@keras.saving.register_keras_serializable(package=PACKAGE)
def make_laplace(parameters):
    loc, raw_scale = tf.split(parameters, 2, axis=-1)
    return tfd.Independent(tfd.Laplace(loc, tf.nn.softplus(raw_scale) + 1e-3), 1)


@keras.saving.register_keras_serializable(package=PACKAGE)
def make_normal(parameters):
    return tfd.Independent(tfd.Normal(parameters[..., 0], tf.nn.softplus(parameters[..., 1])), 1)


@keras.saving.register_keras_serializable(package=PACKAGE)
def five_draws(distribution):
    return distribution.sample(5)


@keras.saving.register_keras_serializable(package=PACKAGE)
def log_mean(distribution):
    return distribution.log_mean()


@keras.saving.register_keras_serializable(package=PACKAGE)
class SquaredExponential(keras.layers.Layer):
    """Gives a kernel of its own weights."""

    def build(self, input_shape):
        self.amplitude = self.add_weight(shape=(), initializer="ones", name="amplitude")
        self.length_scale = self.add_weight(shape=(), initializer="zeros", name="length_scale")

    @property
    def kernel(self):
        return tfp.math.psd_kernels.ExponentiatedQuadratic(
            tf.nn.softplus(self.amplitude), tf.nn.softplus(self.length_scale)
        )


class Chain(keras.Model):
    """A subclassed model of layers one after another."""

    def __init__(self, parts):
        super().__init__()
        self.parts = parts

    def call(self, inputs):
        for part in self.parts:
            inputs = part(inputs)
        return inputs


def functional(parts, size):
    outputs = inputs = keras.Input((size,))
    for part in parts:
        outputs = part(outputs)
    return keras.Model(inputs, outputs)


APIS = {
    "sequential": lambda parts, size: keras.Sequential(parts),
    "functional": functional,
    "subclassed": lambda parts, size: Chain(parts),
}


@keras.saving.register_keras_serializable(package=PACKAGE)
def negative_log_likelihood(y, rv_y):
    return -rv_y.log_prob(y)


def fit(parts, x, y, api="sequential", learning_rate=0.1, steps=200, loss=negative_log_likelihood):
    """The model, after some steps on tenths of the data."""
    keras.utils.set_random_seed(0)  # whatever ran before
    model = APIS[api](parts, x.shape[-1])
    model.compile(keras.optimizers.Adam(learning_rate), loss=loss, jit_compile=False)
    data = tf.data.Dataset.from_tensor_slices((x, y)).batch(len(x) // 10).repeat()
    model.fit(data, steps_per_epoch=steps, shuffle=False, verbose=0)
    return model


# ---- Equal to TFP's


TFP = tfp.layers
RANKS = [(), (3,), (3, 2), (2, 3, 1), (2, 1, 3, 2)]
EQUAL = {
    "one hot": (layers.OneHotCategorical, TFP.OneHotCategorical, (4,), 4),
    "mixture of one hot": (
        layers.CategoricalMixtureOfOneHotCategorical,
        TFP.CategoricalMixtureOfOneHotCategorical,
        (4, 3),
        15,
    ),
    "mixture of tril": (
        layers.MixtureSameFamily,
        TFP.MixtureSameFamily,
        (3, lambda t: TFP.MultivariateNormalTriL.new(t, 2)),
        18,
    ),
    **{f"logistic {s}": (layers.IndependentLogistic, TFP.IndependentLogistic, (s,), 2 * np.prod(s)) for s in RANKS},
    **{f"poisson {s}": (layers.IndependentPoisson, TFP.IndependentPoisson, (s,), np.prod(s)) for s in RANKS},
    **{f"mixture of normal {s}": (layers.MixtureNormal, TFP.MixtureNormal, (3, s), 3 + 6 * np.prod(s)) for s in RANKS},
    **{
        f"mixture of logistic {s}": (layers.MixtureLogistic, TFP.MixtureLogistic, (2, s), 2 + 4 * np.prod(s))
        for s in RANKS
    },
}


def some_parameters(size, *batch_shape, dtype="float64", scale=1.5, seed=0):
    return tf.constant(np.random.default_rng(seed).normal(scale=scale, size=(*batch_shape, int(size))), dtype)


@pytest.mark.parametrize(
    ("name", "dtype"),
    slow_except(
        itertools.product(EQUAL, ["float32", "float64"]),
        *itertools.product(["one hot", "mixture of one hot", "mixture of tril"], ["float64"]),
        *((f"{kind} {shape}", "float64") for kind in ("logistic", "mixture of normal") for shape in RANKS[:4:2]),
        *((f"{kind} {RANKS[3]}", "float32") for kind in ("poisson", "mixture of logistic")),
    ),
)
def test_equal_to_tfp(name, dtype):
    ours, theirs, arguments, size = EQUAL[name]
    parameters = some_parameters(size, 2, 5, dtype=dtype)
    a, b, y = (
        ours.new(parameters, *arguments),
        theirs.new(parameters, *arguments),
        ours(*arguments, dtype=dtype)(parameters),
    )
    assert isinstance(a, type(b))
    if hasattr(b, "distribution"):
        assert isinstance(a.distribution, type(b.distribution))
    assert a.event_shape == b.event_shape == y.event_shape
    assert a.batch_shape == b.batch_shape == y.batch_shape
    assert a.dtype == b.dtype == y.dtype == dtype
    tolerance = {"rtol": 2e-5 if dtype == "float32" else 1e-12, "atol": 1e-6 if dtype == "float32" else 1e-12}
    sample = tf.constant(b.sample(7, seed=(3, 4)).numpy())
    np.testing.assert_allclose(a.sample(7, seed=(3, 4)), sample, **tolerance)
    np.testing.assert_allclose(a.mean(), b.mean(), **tolerance)
    np.testing.assert_allclose(a.variance(), b.variance(), **tolerance)
    for value in (sample, sample[0], sample[0, 0], sample[0, 0, 0]):  # [7, 2, 5, *event] ... [*event]
        np.testing.assert_allclose(a.log_prob(value), b.log_prob(value), **tolerance)
        np.testing.assert_allclose(y.log_prob(value), b.log_prob(value), **tolerance)


def test_component_layers_are_equal_to_functions():
    parameters, x = some_parameters(18, 4), some_parameters(2, 4, seed=1)
    expected = TFP.MixtureSameFamily.new(parameters, 3, lambda t: TFP.MultivariateNormalTriL.new(t, 2)).log_prob(x)
    for component_layer in (
        layers.MultivariateNormalTriL(2, dtype="float64"),
        lambda t: layers.MultivariateNormalTriL.new(t, 2),
        layers.DistributionLambda(lambda t: TFP.MultivariateNormalTriL.new(t, 2), dtype="float64"),
        keras.Sequential([keras.layers.Identity(dtype="float64"), layers.MultivariateNormalTriL(2, dtype="float64")]),
    ):
        y = layers.MixtureSameFamily(3, component_layer, dtype="float64")(parameters)
        np.testing.assert_allclose(y.log_prob(x), expected, rtol=1e-12)


@pytest.mark.parametrize("sample_dtype", [tf.int32, "float64", np.float32])
def test_one_hot_sample_dtype(sample_dtype):
    parameters = some_parameters(4, 6, dtype="float32")
    y = layers.OneHotCategorical(4, sample_dtype=sample_dtype)(parameters)
    theirs = TFP.OneHotCategorical.new(parameters, 4, tf.as_dtype(sample_dtype))
    assert y.sample().dtype == theirs.dtype == tf.as_dtype(sample_dtype)
    np.testing.assert_array_equal(y.sample(9, seed=(1, 2)), theirs.sample(9, seed=(1, 2)))
    np.testing.assert_array_equal(y.mode(), theirs.mode())
    np.testing.assert_array_equal(y.mean(), theirs.mean())
    layer = layers.CategoricalMixtureOfOneHotCategorical(4, 3, sample_dtype=sample_dtype)
    mixture = layer(some_parameters(15, 6, dtype="float32"))
    x = mixture.sample(9)
    assert x.dtype == layer(keras.Input((15,))).dtype == tf.as_dtype(sample_dtype)
    np.testing.assert_array_equal(np.sum(x, axis=-1), 1)
    np.testing.assert_allclose(mixture.log_prob(x), mixture.log_prob(np.asarray(x, "float32")), rtol=1e-6)
    again = type(layer).from_config(json.loads(json.dumps(layer.get_config())))
    assert again.sample_dtype == tf.as_dtype(sample_dtype)


def test_mean_and_log_mean_of_the_mixture_of_one_hot():
    parameters = some_parameters(15, 2, 5)
    weights, probs = np.split(parameters, [3], axis=-1)
    weights = np.exp(weights) / np.exp(weights).sum(-1, keepdims=True)
    probs = np.exp(probs.reshape(2, 5, 3, 4))
    expected = np.einsum("abk,abkd->abd", weights, probs / probs.sum(-1, keepdims=True))
    y = layers.CategoricalMixtureOfOneHotCategorical(4, 3, log_mean, dtype="float64")(parameters)
    np.testing.assert_allclose(y.mean(), expected, rtol=1e-12)
    np.testing.assert_allclose(y.log_mean(), np.log(expected), rtol=1e-12)
    np.testing.assert_allclose(tf.convert_to_tensor(y), np.log(expected), rtol=1e-12)
    theirs = TFP.CategoricalMixtureOfOneHotCategorical.new(parameters, 4, 3)
    np.testing.assert_allclose(y.log_mean(), theirs.log_mean(), rtol=1e-12)
    np.testing.assert_allclose(y.log_prob(np.eye(4)[2]), np.log(expected)[..., 2], rtol=1e-12)


@pytest.mark.slow
def test_log_mean_serves_a_cross_entropy_with_labels(tmp_path):
    model = keras.Sequential(
        [keras.layers.Dense(15), layers.CategoricalMixtureOfOneHotCategorical(4, 3, convert_to_tensor_fn=log_mean)]
    )
    model.compile("sgd", loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True), jit_compile=True)
    x, labels = np.random.default_rng(0).normal(size=(8, 3)).astype("float32"), np.arange(8) % 4
    loss = model.evaluate(x, labels, verbose=0)
    np.testing.assert_allclose(loss, -np.mean(model(x).log_prob(np.eye(4, dtype="float32")[labels])), rtol=1e-5)
    assert model.fit(x, labels, epochs=5, verbose=0).history["loss"][-1] < loss
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    np.testing.assert_array_equal(loaded.predict(x, verbose=0), model.predict(x, verbose=0))


@pytest.mark.parametrize("layer", [layers.CategoricalMixtureOfOneHotCategorical(2, 3), layers.MixtureNormal(2, (2, 1))])
def test_mixture_keeps_static_shapes_in_a_graph(layer):
    seen = []

    @tf.function(input_signature=[tf.TensorSpec([None, 4, layer.parameters_size], tf.float32)])
    def value(parameters):
        y = layer(parameters)
        seen.append((y.components_distribution.batch_shape, y.batch_shape, y.event_shape, y.mean().shape))
        return tf.convert_to_tensor(y)

    assert value(np.zeros((0, 4, layer.parameters_size), "float32")).shape == (0, 4, *layer.event_shape)
    components, batch, event, mean = seen[0]
    assert components.as_list() == [None, 4, layer.num_components]
    assert batch.as_list() == [None, 4]
    assert event.as_list() == list(layer.event_shape)
    assert mean.as_list()[1:] == [4, *layer.event_shape]


def test_mixture_of_known_shape_is_tfps_own_and_can_be_a_prior():
    mixture = layers.MixtureNormal.new(some_parameters(15, dtype="float32"), 3, (2,))
    assert type(mixture) is tfd.MixtureSameFamily
    prior = priors.Fixed(mixture)
    again = priors.Fixed.from_config(json.loads(json.dumps(prior.get_config())))
    x = some_parameters(2, 6, dtype="float32")
    np.testing.assert_allclose(again(x), mixture.log_prob(x), rtol=1e-6)


# ---- Several draws


MADE = {
    "one hot": (layers.OneHotCategorical, (3,)),
    "mixture of one hot": (layers.CategoricalMixtureOfOneHotCategorical, (3, 2)),
    "logistic": (layers.IndependentLogistic, ((3,),)),
    "poisson": (layers.IndependentPoisson, ((3,),)),
    "mixture of normal": (layers.MixtureNormal, (2, (3,))),
    "mixture of logistic": (layers.MixtureLogistic, (2, (3,))),
    "mixture of tril": (layers.MixtureSameFamily, (2, layers.MultivariateNormalTriL(3))),
}


@pytest.mark.parametrize("name", slow_except(MADE, "mixture of one hot"))
def test_several_draws(name):
    cls, arguments = MADE[name]
    layer = cls(*arguments, convert_to_tensor_fn=lambda s: s.sample(5))
    model = functional([keras.layers.Dense(layer.parameters_size), layer], 2)
    assert model.output_shape == (5, None, 3)
    model.compile("sgd", loss=negative_log_likelihood, run_eagerly=True)
    x, y = np.ones((4, 2), "float32"), np.eye(3, dtype="float32")[[0, 2, 1, 1]]
    np.testing.assert_allclose(model.evaluate(x, y, verbose=0), -np.mean(model(x).log_prob(y)), rtol=1e-5)
    draws = np.asarray(model(np.ones((40, 2), "float32")))
    assert draws.shape == (5, 40, 3)
    assert np.any(draws[0] != draws[1])


def test_several_draws_by_a_registered_function_are_saved(tmp_path):
    model = functional([keras.layers.Dense(6), layers.IndependentLogistic(3, five_draws)], 2)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    assert loaded.output_shape == (5, None, 3)
    assert loaded.layers[-1].get_config() == model.layers[-1].get_config()


# ---- The documented examples


def standard_errors(inputs, information):
    """Of the maximum-likelihood weights and bias, from the Fisher information of each example."""
    design = np.concatenate([inputs, np.ones((len(inputs), 1))], axis=1)
    return np.sqrt(np.diag(np.linalg.inv(design.T @ (design * information[:, None]))))


def two_classes(n=4000):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, 2))
    probs = 1 / (1 + np.exp(-(0.3142 + 1.6180 * x[:, 0] - 2.7183 * x[:, 1])))
    return x.astype("float32"), np.eye(2, dtype="float32")[(rng.uniform(size=n) < probs).astype(int)], probs


@pytest.mark.parametrize("api", slow_except(APIS, "sequential"))
def test_one_hot_categorical_finds_the_weights(api):
    x, y, probs = two_classes()
    parts = [
        keras.layers.Dense(layers.OneHotCategorical.params_size(2) - 1),
        keras.layers.Lambda(lambda t: tf.pad(t, [[0, 0], [1, 0]])),
        layers.OneHotCategorical(2),
    ]
    model = fit(parts, x, y, api)
    kernel, bias = parts[0].get_weights()
    error = np.abs(np.append(kernel, bias) - [1.6180, -2.7183, 0.3142])
    assert np.all(error < 5 * standard_errors(x, probs * (1 - probs)))
    assert np.all(error[:2] < 0.15 * np.array([1.6180, 2.7183]))
    assert isinstance(model(x), tfd.Distribution)


@pytest.mark.parametrize("api", list(APIS))
@pytest.mark.slow
def test_mixture_of_one_hot_reaches_the_likelihood_of_the_truth(api):
    x, y, probs = two_classes()
    size = layers.CategoricalMixtureOfOneHotCategorical.params_size(2, 2)
    parts = [keras.layers.Dense(size), layers.CategoricalMixtureOfOneHotCategorical(2, 2)]
    model = fit(parts, x, y, api)
    truth = np.mean(np.where(y[:, 1] == 1, np.log(probs), np.log1p(-probs)))
    # The truth is one of its models, so the best of them is no worse on these data.
    assert np.mean(model(x).log_prob(y)) > truth - 0.002


@pytest.mark.parametrize("api", list(APIS))
@pytest.mark.slow
def test_independent_poisson_finds_the_weights(api):
    rng = np.random.default_rng(1)
    x = rng.uniform(size=(2000, 3)).astype("float32")
    weights = np.array([0.9, -1.4, 0.5, 1.2])
    rate = np.exp(x @ weights[:3] + weights[3])
    y = rng.poisson(rate)[:, None].astype("float32")
    parts = [keras.layers.Dense(layers.IndependentPoisson.params_size(1)), layers.IndependentPoisson(1)]
    fit(parts, x, y, api)
    kernel, bias = parts[0].get_weights()
    errors = standard_errors(x, rate)
    assert np.all(np.abs(np.append(kernel, bias) - weights) < 5 * errors)
    assert np.all(5 * errors < 0.5), "the tolerance tells these weights from others"


@pytest.mark.parametrize("api", list(APIS))
@pytest.mark.slow
def test_independent_logistic_finds_the_weights(api):
    rng = np.random.default_rng(2)
    x = rng.normal(size=(2000, 2)).astype("float32")
    weights, scale = np.array([0.8, -0.5, 0.3]), 0.4
    y = (rng.logistic(x @ weights[:2] + weights[2], scale))[:, None].astype("float32")
    parts = [keras.layers.Dense(layers.IndependentLogistic.params_size(1)), layers.IndependentLogistic(1)]
    model = fit(parts, x, y, api, learning_rate=0.03)
    kernel, bias = parts[0].get_weights()
    errors = standard_errors(x, np.full(len(x), 1 / (3 * scale**2)))
    assert np.all(np.abs(np.append(kernel[:, 0], bias[0]) - weights) < 5 * errors)
    np.testing.assert_allclose(np.mean(model(x).distribution.scale), scale, rtol=0.15)


def cardioid(n=1000):
    rng = np.random.default_rng(3)
    t = rng.uniform(-np.pi, np.pi, size=(n, 1))
    r = 2 * (1 - np.cos(t))
    x, y = (r * f(t) + rng.normal(scale=0.1, size=(n, 1)) for f in (np.sin, np.cos))
    return x.astype("float32"), y.astype("float32")


MIXTURES = {
    "same family": lambda: (
        layers.MixtureSameFamily.params_size(5, layers.IndependentNormal.params_size(1)),
        layers.MixtureSameFamily(5, layers.IndependentNormal(1)),
    ),
    "normal": lambda: (layers.MixtureNormal.params_size(5, 1), layers.MixtureNormal(5, 1)),
    "logistic": lambda: (layers.MixtureLogistic.params_size(5, 1), layers.MixtureLogistic(5, 1)),
}


@pytest.mark.parametrize(
    ("name", "api"), [*(("same family", api) for api in APIS), ("normal", "functional"), ("logistic", "subclassed")]
)
@pytest.mark.slow
def test_mixture_density_network_on_a_cardioid(name, api):
    keras.utils.set_random_seed(0)
    x, y = cardioid()
    size, layer = MIXTURES[name]()
    parts = [keras.layers.Dense(12, activation="relu"), keras.layers.Dense(size), layer]
    model = fit(parts, x, y, api, learning_rate=0.02)
    # At most x there are two branches of y, which one normal has to cover, even the best one for each stretch of x.
    stretches = np.array_split(y[np.argsort(x[:, 0])], 20)
    of_one_normal = np.mean([0.5 * np.log(2 * np.pi * np.e * np.var(stretch)) for stretch in stretches])
    assert -np.mean(model(x).log_prob(y)) < of_one_normal - 0.5


# ---- Extreme parameters


@pytest.mark.parametrize(
    ("name", "extreme", "dtype"),
    slow_except(
        itertools.product(MADE, [-1e4, -200.0, 200.0, 1e4], ["float32", "float64"]),
        # What is finite in one precision and far out is so nearer to zero and in the other.
        *itertools.product(MADE, [-1e4, 1e4], ["float32"]),
        ("mixture of tril", -200.0, "float64"),
        ("logistic", 200.0, "float64"),
    ),
)
def test_extreme_parameters_are_finite_and_learn(name, extreme, dtype):
    cls, arguments = MADE[name]
    layer = cls(*arguments)
    rng = np.random.default_rng(0)
    parameters = tf.constant(rng.normal(size=(layer.parameters_size, layer.parameters_size)), dtype)
    parameters = tf.linalg.set_diag(parameters, tf.fill([layer.parameters_size], tf.constant(extreme, dtype)))
    x = np.eye(3)[rng.integers(3, size=layer.parameters_size)]
    with tf.GradientTape() as tape:
        tape.watch(parameters)
        y = layer(parameters)
        log_prob = y.log_prob(x)
    gradient = tape.gradient(log_prob, parameters)
    assert np.isfinite(log_prob).all()
    assert np.isfinite(gradient).all()
    assert np.all(np.any(np.asarray(gradient) != 0.0, axis=1))
    assert np.isfinite(y.sample(3, seed=(1, 2))).all()
    assert np.isfinite(y.mean()).all()


def test_log_mean_is_finite_where_the_mean_underflows():
    parameters = tf.constant([[0.0, 0.0, -1e4, 0.0, -2e4, 0.0]])
    with tf.GradientTape() as tape:
        tape.watch(parameters)
        y = layers.CategoricalMixtureOfOneHotCategorical(2, 2)(parameters)
        value = y.log_mean()
    np.testing.assert_allclose(value, [[-1e4 - np.log(2), 0.0]], rtol=1e-6)
    np.testing.assert_allclose(y.mean(), [[0.0, 1.0]])
    assert np.isfinite(tape.gradient(value, parameters)).all()


@pytest.mark.parametrize("log_rate", [50.0, 200.0, 1e30])
def test_poisson_limits_its_rate_and_still_learns(log_rate):
    parameters = tf.constant([[log_rate, 39.0]], tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(parameters)
        y = layers.IndependentPoisson(2, dtype="float64")(parameters)
        log_prob = y.log_prob([[3.0, 3.0]])
    np.testing.assert_allclose(y.mean(), [[np.exp(40.0), np.exp(39.0)]], rtol=1e-12)
    np.testing.assert_allclose(log_prob, [3 * (40 + 39) - np.exp(40.0) - np.exp(39.0) - 2 * np.log(6)], rtol=1e-12)
    np.testing.assert_allclose(tape.gradient(log_prob, parameters), [[3 - np.exp(40.0), 3 - np.exp(39.0)]], rtol=1e-12)


def test_logistic_scale_floor():
    y = layers.IndependentLogistic(2, dtype="float64")(tf.constant([[0.0, 0.0, -50.0, -9.0]], tf.float64))
    np.testing.assert_allclose(y.distribution.scale, [[1e-5, np.log1p(np.exp(-9.0))]], rtol=1e-9)


# ---- Mixtures of any layer


def test_weights_of_the_component_layer_train_and_are_saved(tmp_path):
    component_layer = keras.Sequential([keras.layers.Dense(4), layers.IndependentNormal(2)])
    layer = layers.MixtureSameFamily(3, component_layer)
    model = functional([keras.layers.Dense(layers.MixtureSameFamily.params_size(3, 5)), layer], 2)
    assert len(model.trainable_weights) == 4
    model.compile("sgd", loss=negative_log_likelihood, run_eagerly=True)
    before = model.get_weights()
    x = np.random.default_rng(0).normal(size=(8, 2)).astype("float32")
    model.fit(x, x, verbose=0)
    assert all(np.any(old != new) for old, new in zip(before, model.get_weights(), strict=True))
    path = tmp_path / "model.keras"
    model.save(path)
    loaded = keras.saving.load_model(path, safe_mode=True)
    np.testing.assert_array_equal(loaded(x).log_prob(x), model(x).log_prob(x))
    clone = keras.models.clone_model(model)
    clone.set_weights(model.get_weights())
    np.testing.assert_array_equal(clone(x).log_prob(x), model(x).log_prob(x))


def test_component_function_that_is_registered_is_saved(tmp_path):
    model = functional([keras.layers.Dense(3 * (1 + 4)), layers.MixtureSameFamily(3, make_laplace)], 2)
    assert model.layers[-1].parameters_size is None
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    x = np.random.default_rng(0).normal(size=(8, 2)).astype("float32")
    np.testing.assert_array_equal(loaded(x).log_prob(x), model(x).log_prob(x))
    made = model(x).components_distribution.distribution
    assert isinstance(made, tfd.Laplace)
    lambda_model = functional([layers.MixtureSameFamily(1, lambda t: make_laplace(t))], 3)
    with pytest.raises(ValueError, match="register_keras_serializable"):
        lambda_model.save(tmp_path / "lambda.keras")


def test_wrong_mixtures_are_one_clear_error():
    parameters = np.zeros((4, 18), "float32")
    with pytest.raises(TypeError, match="`component_layer` must be a layer or a function"):
        layers.MixtureSameFamily(3, "normal")
    with pytest.raises(ValueError, match="activity_regularizer"):
        layers.MixtureSameFamily(3, layers.IndependentNormal(2, activity_regularizer="l2"))
    with pytest.raises(TypeError, match=r"must return a tfd\.Distribution"):
        layers.MixtureSameFamily(3, lambda t: t)(parameters)
    with pytest.raises(ValueError, match=r"batch shape \(4, 3\)"):
        layers.MixtureSameFamily(3, lambda t: tfd.Independent(tfd.Normal(t, 1.0), 2))(parameters)
    with pytest.raises(ValueError, match=r"4 \* \(1 \+ component_params_size\)"):
        layers.MixtureSameFamily(4, make_laplace)(parameters)
    with pytest.raises(ValueError, match="needs 15 parameters"):
        layers.MixtureSameFamily(3, layers.IndependentNormal(2))(parameters)
    for number in (0, -1, 2.5, None):
        with pytest.raises(ValueError, match="num_components"):
            layers.MixtureNormal(number, 2)
        with pytest.raises(ValueError, match="num_components"):
            layers.MixtureNormal.params_size(number, 2)


def test_validate_args_reaches_the_distributions():
    parameters = some_parameters(15, 4, dtype="float32")
    for cls, arguments in ((layers.CategoricalMixtureOfOneHotCategorical, (4, 3)), (layers.MixtureNormal, (3, (2,)))):
        y = cls(*arguments, validate_args=True)(parameters)
        assert y.validate_args
        assert y.components_distribution.validate_args
        assert np.isfinite(y.log_prob(y.sample(3))).all()
    with pytest.raises(tf.errors.InvalidArgumentError):
        layers.OneHotCategorical(4, validate_args=True)(parameters[:, :4]).log_prob([0.5, 0.5, 0.5, 0.5])


# ---- A variable in place of an input


def unconditional(*shape, **kwargs):
    initializer = layers.BlockwiseInitializer(["zeros", keras.initializers.Constant(np.log(np.expm1(1.0)))], [1, 1])
    return keras.Sequential(
        [layers.VariableLayer((*shape, 2), initializer=initializer), layers.DistributionLambda(make_normal, **kwargs)]
    )


@pytest.mark.parametrize("jit_compile", [False, True])
@pytest.mark.slow
def test_variable_layer_learns_mean_and_variance(jit_compile):
    model = unconditional(3)
    y = np.random.default_rng(0).normal([1.0, -2.0, 0.5], [0.5, 2.0, 1.0], size=(200, 3)).astype("float32")
    model.compile(keras.optimizers.Adam(0.1), loss=negative_log_likelihood, jit_compile=jit_compile)
    data = tf.data.Dataset.from_tensors((np.zeros((200, 0)), y)).repeat()
    model.fit(data, steps_per_epoch=300, shuffle=False, verbose=0)
    learned = model(np.zeros((1, 0)))
    assert learned.batch_shape == ()
    assert learned.event_shape == (3,)
    np.testing.assert_allclose(learned.mean(), y.mean(0), atol=1e-3)
    np.testing.assert_allclose(learned.variance(), y.var(0), rtol=1e-3)


@pytest.mark.parametrize("inputs", [tf.zeros([]), np.float32(0.0), np.zeros((1, 0)), np.zeros((5, 3))])
def test_variable_layer_ignores_its_input(inputs):
    y = unconditional(3, 4)(inputs)
    assert y.batch_shape == (3,)
    assert y.event_shape == (4,)
    np.testing.assert_array_equal(y.mean(), np.zeros((3, 4)))
    np.testing.assert_allclose(y.stddev(), np.ones((3, 4)), rtol=1e-6)


def test_variable_layer_before_data_whose_last_axis_has_length_one():
    y = np.random.default_rng(0).normal(size=(50, 2, 1)).astype("float32")
    model = keras.Sequential(
        [
            layers.VariableLayer(4),
            layers.IndependentNormal((2, 1), convert_to_tensor_fn=lambda distribution: distribution.sample(1)),
        ]
    )
    model.compile("sgd", loss=negative_log_likelihood, run_eagerly=True)
    expected = -np.mean(tfd.Normal(0.0, np.log(2.0)).log_prob(y).numpy().sum((1, 2)))
    np.testing.assert_allclose(model.evaluate(np.zeros((50, 0)), y, verbose=0), expected, rtol=1e-5)


def test_variable_layer_trains_without_being_built_and_under_a_tape():
    layer = layers.VariableLayer(3, activation="softplus", regularizer=keras.regularizers.L2(0.5), initializer="ones")
    assert len(layer.trainable_weights) == 1
    assert layers.VariableLayer(3, trainable=False).trainable_weights == []
    with tf.GradientTape() as tape:
        value = layer(tf.zeros([]))
        loss = tf.reduce_sum(value) + sum(layer.losses)
    np.testing.assert_allclose(value, np.full(3, np.log1p(np.e)), rtol=1e-6)
    (gradient,) = tape.gradient(loss, layer.trainable_weights)
    np.testing.assert_allclose(gradient, np.full(3, 1 / (1 + np.exp(-1.0)) + 1.0), rtol=1e-6)


def test_variable_layer_constraint_holds_after_a_step():
    model = keras.Sequential([layers.VariableLayer(2, initializer="ones", constraint="non_neg")])
    model.compile(keras.optimizers.SGD(10.0), loss=lambda y, prediction: keras.ops.sum(prediction), run_eagerly=True)
    model.fit(np.zeros((1, 1)), np.zeros((1, 2)), verbose=0)
    np.testing.assert_array_equal(model.layers[0].constant, [0.0, 0.0])


@pytest.mark.parametrize("dtype", ["float32", "float64", tf.float64])
def test_variable_layer_dtype_and_symbolic_shape(dtype):
    layer = layers.VariableLayer((2, 5), dtype=dtype)
    assert layer(tf.zeros([])).dtype == tf.as_dtype(dtype)
    symbolic = layer(keras.Input((7,)))
    assert symbolic.shape == (2, 5)
    assert symbolic.dtype == tf.as_dtype(dtype).name


def test_variables_and_processes_stay_float32_under_mixed_precision(set_policy):
    set_policy("mixed_float16")
    model = unconditional(3)
    assert model(tf.zeros([])).dtype == tf.float32
    assert model.layers[0](tf.zeros([])).dtype == tf.float32
    assert functional(model.layers, 1).layers[1].output.dtype == "float32"
    process = functional([keras.layers.Dense(1), gaussian_process(dtype="float32")], 1)
    assert process.output.dtype == "float32"
    assert process(np.zeros((3, 1), "float32")).variational_loss(np.zeros((3, 1))).dtype == tf.float32


def test_variable_layer_is_saved(tmp_path):
    layer = layers.VariableLayer(
        (3,), "float64", "softplus", layers.BlockwiseInitializer(["ones", "zeros"], [1, 2]), "l2", "non_neg", name="v"
    )
    config = json.dumps(layer.get_config())
    again = layers.VariableLayer.from_config(json.loads(config))
    assert json.dumps(again.get_config()) == config
    np.testing.assert_array_equal(again(tf.zeros([])), layer(tf.zeros([])))
    model = unconditional(3)
    model(tf.zeros([]))
    model.layers[0].constant.assign(np.arange(6.0).reshape(3, 2))
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    np.testing.assert_array_equal(loaded(tf.zeros([])).mean(), [0.0, 2.0, 4.0])


@pytest.mark.parametrize("shape", [None, (2, None), -1, np.zeros((2, 2), int), "3", 2.5])
def test_variable_layer_needs_a_known_shape(shape):
    with pytest.raises(ValueError, match="shape of a VariableLayer"):
        layers.VariableLayer(shape)


def test_variable_layer_takes_any_spelling_of_a_shape():
    for shape in (3, (3,), [3], np.int64(3), np.array([3]), tf.TensorShape([3]), tf.constant([3])):
        assert layers.VariableLayer(shape)(tf.zeros([])).shape == (3,)


# ---- Blocks


def test_blockwise_initializer_makes_its_blocks():
    initializer = layers.BlockwiseInitializer(["zeros", keras.initializers.Constant(0.5), "glorot_uniform"], [1, 2, 4])
    value = np.asarray(initializer((200, 7), dtype="float64"))
    assert value.dtype == np.float64
    np.testing.assert_array_equal(value[:, :3], np.tile([0.0, 0.5, 0.5], (200, 1)))
    limit = np.sqrt(6 / (200 + 4))  # of a block as it is, not of the whole weight
    assert 0.9 * limit < np.abs(value[:, 3:]).max() <= limit
    assert initializer((7,)).dtype == keras.config.floatx()
    theirs = TFP.BlockwiseInitializer(["zeros", "ones"], [2, 3])([4, 5])
    np.testing.assert_array_equal(layers.BlockwiseInitializer(["zeros", "ones"], [2, 3])([4, 5]), theirs)


def test_blockwise_initializer_through_json_and_in_a_layer():
    initializer = layers.BlockwiseInitializer(["zeros", keras.initializers.RandomNormal(seed=3)], np.array([1, 2]))
    config = json.dumps(keras.initializers.serialize(initializer))
    again = keras.initializers.get(json.loads(config))
    assert isinstance(again, layers.BlockwiseInitializer)
    assert json.dumps(keras.initializers.serialize(again)) == config
    np.testing.assert_array_equal(again((4, 3)), initializer((4, 3)))
    dense = keras.layers.Dense(3, kernel_initializer=initializer)
    dense.build((None, 4))
    np.testing.assert_array_equal(dense.kernel, initializer((4, 3)))


def test_blockwise_initializer_refuses_sizes_that_do_not_fit():
    with pytest.raises(ValueError, match="one size"):
        layers.BlockwiseInitializer(["zeros"], [1, 2])
    with pytest.raises(ValueError, match=r"last axis of 3.*\(4, 5\)"):
        layers.BlockwiseInitializer(["zeros", "ones"], [1, 2])((4, 5))


# ---- A Gaussian process


def gaussian_process(number=7, dtype="float64", event_shape=(1,), noise=-3.0, **kwargs):
    points = np.linspace(-1.0, 1.0, number)[:, None]
    return layers.VariationalGaussianProcess(
        number,
        SquaredExponential(dtype=dtype),
        event_shape,
        inducing_index_points_initializer=keras.initializers.Constant(points),
        unconstrained_observation_noise_variance_initializer=keras.initializers.Constant(noise),
        **kwargs,
    )


def a_function(n=80):
    rng = np.random.default_rng(0)
    x = rng.uniform(-1.0, 1.0, size=(n, 1))
    return x, np.sin(5 * x) + 0.3 * x + 0.1 * rng.normal(size=(n, 1))


def test_gaussian_process_is_tfps_and_the_closed_form():
    layer = gaussian_process(event_shape=(2,))
    x, _ = a_function(5)
    y = np.random.default_rng(1).normal(size=(5, 2))
    layer.build(x.shape)
    rng = np.random.default_rng(2)
    layer.variational_inducing_observations_loc.assign(rng.normal(size=(2, 7)))
    layer.variational_inducing_observations_scale.assign(np.tril(rng.normal(size=(2, 7, 7))) + 3 * np.eye(7))
    layer.constant_mean.assign(0.7)
    ours = layer(x)
    loc, scale = (
        np.asarray(w)
        for w in (layer.variational_inducing_observations_loc, layer.variational_inducing_observations_scale)
    )
    points = np.asarray(layer.inducing_index_points)
    noise = np.log1p(np.exp(-3.0))
    theirs = TFP.VariationalGaussianProcess.new(
        x, layer.kernel_provider, (2,), points, lambda _: tf.constant(0.7, tf.float64), loc, scale, noise
    )
    assert ours.event_shape == theirs.event_shape == (5, 2)
    assert ours.batch_shape == theirs.batch_shape == ()
    for method, *arguments in (("mean",), ("log_prob", y), ("variational_loss", y), ("sample", 3)):
        kwargs = {"seed": (1, 2)} if method == "sample" else {}
        a, b = (getattr(d, method)(*arguments, **kwargs) for d in (ours, theirs))
        np.testing.assert_allclose(a, b, rtol=1e-9)
    np.testing.assert_allclose(
        ours.variational_loss(y, kl_weight=0.25), theirs.variational_loss(y, kl_weight=0.25), rtol=1e-9
    )
    amplitude, length_scale = np.log1p(np.e), np.log(2.0)

    def kernel(a, b):
        return amplitude**2 * np.exp(-0.5 * ((a - b.T) / length_scale) ** 2)

    z = points[0]
    prior = kernel(z, z) + 1e-6 * np.eye(7)
    weights = kernel(x, z) @ np.linalg.inv(prior)
    np.testing.assert_allclose(ours.mean(), 0.7 + weights @ (loc - 0.7).T, rtol=1e-5)
    for i in range(2):
        kl = 0.5 * (
            np.trace(np.linalg.solve(prior, scale[i] @ scale[i].T))
            + (loc[i] - 0.7) @ np.linalg.solve(prior, loc[i] - 0.7)
            - 7
            + np.linalg.slogdet(prior)[1]
            - np.linalg.slogdet(scale[i] @ scale[i].T)[1]
        )
        np.testing.assert_allclose(ours.surrogate_posterior_kl_divergence_prior()[i], kl, rtol=1e-5)


@pytest.mark.slow
def test_gaussian_process_beats_the_constant():
    x, y = (a.astype("float32") for a in a_function())
    layer = gaussian_process(
        dtype="float32",
        convert_to_tensor_fn="mean",
        variational_inducing_observations_scale_initializer=keras.initializers.Constant(0.1 * np.eye(7)),
    )
    loss = lambda y, rv: rv.variational_loss(y, kl_weight=0.1)  # noqa: E731
    model = fit([layer], x, y, "functional", learning_rate=0.05, loss=loss)
    assert np.mean((model.predict(x, verbose=0) - y) ** 2) < 0.1 * np.var(y)
    assert len(model.trainable_weights) == 7
    assert float(layer.kernel_provider.length_scale) != 0.0, "the kernel trains with it"
    assert model(x[:3]).event_shape == (3, 1)


@pytest.mark.parametrize("jit_compile", [False, pytest.param(True, marks=pytest.mark.slow)])
@pytest.mark.slow
def test_gaussian_process_in_a_graph_gives_the_eager_numbers(jit_compile):
    layer = gaussian_process()
    x, y = a_function(5)

    def loss_and_gradients(x, y):
        with tf.GradientTape() as tape:
            loss = layer(x).variational_loss(y, kl_weight=0.5)
        return loss, tape.gradient(loss, [weight.value for weight in layer.trainable_weights])

    expected = loss_and_gradients(tf.constant(x), tf.constant(y))
    signature = [tf.TensorSpec([None, 1], tf.float64)] * 2
    compiled = tf.function(loss_and_gradients, input_signature=signature, jit_compile=jit_compile)(x, y)
    for a, b in zip(tf.nest.flatten(compiled), tf.nest.flatten(expected), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-9)
    assert all(np.any(gradient != 0.0) for gradient in expected[1])
    assert layer(keras.Input((1,))).shape == (None, 1)


def test_gaussian_process_takes_data_of_another_dtype():
    x, y = a_function(5)
    layer = gaussian_process()
    double = layer(x).variational_loss(y)
    assert double.dtype == tf.float64
    np.testing.assert_allclose(layer(x.astype("float32")).variational_loss(y.astype("float32")), double, rtol=1e-4)
    assert layer(x[:0]).sample().shape == (0, 1)


@keras.saving.register_keras_serializable(package=PACKAGE)
def falling_mean(index_points):
    return -2.0 * index_points[..., 0]


@keras.saving.register_keras_serializable(package=PACKAGE)
class LinearMean(keras.layers.Layer):
    def build(self, input_shape):
        self.slope = self.add_weight(shape=(input_shape[-1],), initializer="ones", name="slope")

    def call(self, inputs):
        return tf.linalg.matvec(inputs, self.slope)


@pytest.mark.parametrize("mean_fn", [None, falling_mean, LinearMean])
@pytest.mark.slow
def test_gaussian_process_is_saved(mean_fn, tmp_path):
    mean_fn = mean_fn() if mean_fn is LinearMean else mean_fn
    model = keras.Sequential([gaussian_process(dtype="float32", mean_fn=mean_fn, jitter=1e-5, event_shape=(2,))])
    x = a_function(6)[0].astype("float32")
    model(x)
    assert len(model.trainable_weights) == (6 if mean_fn is falling_mean else 7)
    for i, weight in enumerate(model.trainable_weights):
        weight.assign(weight + 0.01 * (1 + i))
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    for method in ("mean", "stddev"):
        np.testing.assert_array_equal(getattr(loaded(x), method)(), getattr(model(x), method)())
    assert loaded.layers[0].jitter == 1e-5
    config = json.dumps(model.layers[0].get_config())
    again = layers.VariationalGaussianProcess.from_config(json.loads(config))
    assert json.dumps(again.get_config()) == config


def test_gaussian_process_mean_function_is_the_mean_far_away():
    far = np.array([[40.0], [50.0]])
    np.testing.assert_allclose(gaussian_process(mean_fn=falling_mean)(far).mean(), -2.0 * far, rtol=1e-6)


def test_gaussian_process_refuses_what_it_cannot_use(tmp_path):
    with pytest.raises(TypeError, match="`kernel_provider` must be a Keras layer"):
        layers.VariationalGaussianProcess(3, tfp.math.psd_kernels.ExponentiatedQuadratic())
    with pytest.raises(ValueError, match="at least one axis"):
        gaussian_process(event_shape=())
    with pytest.raises(ValueError, match="must be known"):
        gaussian_process()(keras.Input((None,)))
    lambda_model = keras.Sequential([gaussian_process(dtype="float32", mean_fn=lambda index_points: 0.0)])
    lambda_model(np.zeros((2, 1), "float32"))
    with pytest.raises(ValueError, match="register_keras_serializable"):
        lambda_model.save(tmp_path / "lambda.keras")
