"""Any TFP distribution class as a layer, and the layers that are no more than such a class."""

import itertools
import json
import math

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from slow import slow_except

from tfvae.layers import (
    BetaBinomial,
    GenericDistribution,
    IndependentBeta,
    IndependentCategorical,
    IndependentContinuousBernoulli,
    IndependentLaplace,
    IndependentNegativeBinomial,
    IndependentStudentT,
    MultivariateNormalDiagPlusLowRank,
)

tfb, tfd = tfp.bijectors, tfp.distributions

# class: event shape, other arguments. Independent axes first, of unequal lengths.
CLASSES = {
    "Bernoulli": ((2, 3), {}),
    "Beta": ((2, 3), {}),
    "Binomial": ((2,), {"fixed": {"total_count": 7.0}}),
    "Categorical": ((2, 3), {"num_classes": 4}),
    "Cauchy": ((), {}),
    "Chi2": ((2,), {}),
    "ContinuousBernoulli": ((3, 1), {}),
    "Dirichlet": ((2, 3), {}),
    "DirichletMultinomial": ((4,), {"fixed": {"total_count": 5.0}}),
    "Exponential": ((2, 3, 1), {}),
    "ExponentiallyModifiedGaussian": ((2,), {}),
    "Gamma": ((2, 3), {}),
    "Geometric": ((2,), {}),
    "Gumbel": ((2,), {}),
    "HalfNormal": ((2,), {}),
    "InverseGamma": ((2,), {}),
    "InverseGaussian": ((2,), {}),
    "JohnsonSU": ((2,), {}),
    "Kumaraswamy": ((2,), {}),
    "Laplace": ((2, 3), {}),
    "LogNormal": ((2, 3), {}),
    "Logistic": ((2, 3), {}),
    "LogitNormal": ((2,), {}),
    "Moyal": ((2,), {}),
    "Multinomial": ((4,), {"fixed": {"total_count": 5.0}}),
    "MultivariateNormalDiag": ((2, 3), {}),
    "MultivariateNormalTriL": ((2, 3), {}),
    "NegativeBinomial": ((2,), {}),
    "Normal": ((2, 3), {}),
    "OneHotCategorical": ((2, 3), {}),
    "Pareto": ((2,), {"fixed": {"scale": 1.0}}),
    "Poisson": ((2, 3), {}),
    "RelaxedBernoulli": ((2,), {}),
    "SinhArcsinh": ((2,), {}),
    "StudentT": ((2, 3), {}),
    "TruncatedNormal": ((2,), {"fixed": {"low": 0.0, "high": 1.0}}),
    "VonMises": ((2,), {}),
    "Weibull": ((2,), {}),
    "WishartTriL": ((3, 3), {"fixed": {"df": 4.0}}),
}


def layer_of(name, **kwargs):
    event_shape, arguments = CLASSES[name]
    return GenericDistribution(getattr(tfd, name), event_shape, **arguments, **kwargs)


def by_hand(name, parameters):
    """The distribution made from `parameter_properties()` here, without the layer's code."""
    cls, (event_shape, arguments) = getattr(tfd, name), CLASSES[name]
    properties = cls.parameter_properties(parameters.dtype, num_classes=arguments.get("num_classes"))
    values, start = dict(arguments.get("fixed", {})), 0
    for key, p in properties.items():
        if key in values or not p.is_preferred:
            continue
        bijector = p.default_constraining_bijector_fn()
        raw_shape = bijector.inverse_event_shape(tf.TensorShape(p.shape_fn(np.array(event_shape, np.int32)))).as_list()
        size = math.prod(raw_shape)
        values[key] = bijector(tf.reshape(parameters[:, start : start + size], [-1, *raw_shape]))
        start += size
    assert start == parameters.shape[-1]
    distribution = cls(**values)
    return tfd.Independent(distribution, len(event_shape) - distribution.event_shape.rank)


def parameters_of(layer, *batch_shape, dtype="float32", seed=0):
    return tf.constant(np.random.default_rng(seed).normal(size=(*batch_shape, layer.parameters_size)), dtype)


# Of each kind one: every rank, constants, numbers of classes, events of the class's own, parameters of several shapes.
@pytest.mark.parametrize(
    "name",
    slow_except(
        CLASSES,
        "Bernoulli",
        "Beta",
        "Categorical",
        "Cauchy",
        "ContinuousBernoulli",
        "DirichletMultinomial",
        "Exponential",
        "MultivariateNormalTriL",
        "SinhArcsinh",
        "TruncatedNormal",
        "WishartTriL",
    ),
)
def test_parameters_are_those_that_the_class_declares(name):
    layer = layer_of(name)
    parameters = parameters_of(layer, 4)
    y, expected = layer(parameters), by_hand(name, parameters)
    event_shape = CLASSES[name][0]
    assert y.event_shape == event_shape == expected.event_shape
    assert y.batch_shape == (4,)
    assert layer.event_shape == event_shape
    sample = tf.constant(expected.sample(5, seed=(1, 2)).numpy())
    np.testing.assert_allclose(y.sample(5, seed=(1, 2)), sample, rtol=1e-5)
    exact = by_hand(name, tf.cast(parameters, tf.float64))
    x = tf.cast(sample, exact.dtype)
    np.testing.assert_allclose(y.log_prob(sample), exact.log_prob(x), rtol=2e-5, atol=1e-5)
    assert y.log_prob(sample).shape == (5, 4)
    arguments = CLASSES[name][1]
    assert GenericDistribution.params_size(getattr(tfd, name), event_shape, **arguments) == layer.parameters_size
    static = GenericDistribution.new(parameters, name, event_shape, **arguments)
    np.testing.assert_array_equal(static.log_prob(sample), y.log_prob(sample))


@pytest.mark.parametrize(
    "name",
    slow_except(CLASSES, "Gamma", "TruncatedNormal", "Categorical", "Binomial", "MultivariateNormalDiag"),
)
def test_config_and_file(name, tmp_path):
    layer = layer_of(name, seed=1)
    config = json.dumps(layer.get_config())
    again = GenericDistribution.from_config(json.loads(config))
    assert json.dumps(again.get_config()) == config
    parameters = parameters_of(layer, 4)
    x = layer(parameters).sample(seed=(3, 4))
    np.testing.assert_array_equal(again(parameters).log_prob(x), layer(parameters).log_prob(x))
    if name in ("Gamma", "TruncatedNormal", "Categorical"):
        model = keras.Sequential([keras.Input((layer.parameters_size,)), layer])
        model.save(tmp_path / "model.keras")
        loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
        np.testing.assert_array_equal(loaded(parameters).log_prob(x), layer(parameters).log_prob(x))


@pytest.mark.parametrize(
    ("jit_compile", "name"),
    slow_except(
        itertools.product(
            [False, True], ["Gamma", "Dirichlet", "Beta", "StudentT", "MultivariateNormalDiag", "Poisson"]
        ),
        (False, "Poisson"),
    ),
)
def test_fits_with_an_unknown_batch_size(name, jit_compile):
    layer = layer_of(name)
    model = keras.Sequential(
        [keras.Input((3,)), keras.layers.Dense(layer.parameters_size, kernel_initializer="zeros"), layer]
    )
    data = layer_of(name)(tf.ones([1, layer.parameters_size])).sample(64, seed=(1, 2))[:, 0].numpy()
    x = np.ones((64, 3), "float32")
    model.compile(keras.optimizers.SGD(1e-2), loss=lambda y, rv: -rv.log_prob(y), jit_compile=jit_compile)
    history = model.fit(x, data, batch_size=64, epochs=3, verbose=0).history["loss"]
    assert history[-1] < history[0]


@pytest.mark.parametrize("name", ["Gamma", "Laplace", "Beta", "TruncatedNormal", "Dirichlet"])
def test_float64_stays_float64(name):
    layer = layer_of(name, dtype="float64")
    parameters = parameters_of(layer, 4, dtype="float64")
    y = layer(parameters)
    x = y.sample(seed=(1, 2))
    assert x.dtype == tf.float64
    assert y.log_prob(x).dtype == tf.float64
    single = layer_of(name)(parameters).log_prob(tf.cast(x, tf.float32))
    assert single.dtype == tf.float32
    np.testing.assert_allclose(y.log_prob(x), single, rtol=1e-3, atol=1e-3)


def test_positive_parameters_have_a_floor_and_still_learn():
    layer = GenericDistribution(tfd.Gamma, (2,))
    raw = tf.fill([1, layer.parameters_size], -200.0)
    with tf.GradientTape() as tape:
        tape.watch(raw)
        y = layer(raw)
        log_prob = y.log_prob([0.5, 0.2])
    np.testing.assert_allclose(y.distribution.concentration, [[1e-5, 1e-5]], rtol=2e-2)
    gradient = tape.gradient(log_prob, raw)
    assert np.isfinite(gradient).all()
    assert np.all(np.asarray(gradient)[0, :2] != 0.0)


def test_a_constant_array_is_kept_in_the_config():
    layer = GenericDistribution(tfd.Normal, (3,), fixed={"scale": np.array([0.5, 1.0, 2.0])})
    assert layer.parameters_size == 3
    again = GenericDistribution.from_config(json.loads(json.dumps(layer.get_config())))
    for made in (layer, again):
        np.testing.assert_allclose(made(np.zeros((1, 3), "float32")).stddev(), [[0.5, 1.0, 2.0]])


class Shifted(tfd.Normal):
    def _log_prob(self, x):
        return super()._log_prob(x - 1.0)


def test_a_class_of_ones_own_works_and_is_refused_when_saved(tmp_path):
    layer = GenericDistribution(Shifted, (2,))
    model = keras.Sequential([keras.Input((4,)), layer])
    clone = keras.models.clone_model(model)
    parameters = parameters_of(layer, 3)
    expected = tfd.Independent(tfd.Normal(parameters[:, :2], tf.nn.softplus(parameters[:, 2:])), 1).log_prob(
        [-1.0, -2.0]
    )
    np.testing.assert_allclose(clone(parameters).log_prob([0.0, -1.0]), expected, rtol=1e-5)
    with pytest.raises(ValueError, match="DistributionLambda"):
        model.save(tmp_path / "model.keras")


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"distribution_class": tfd.BetaBinomial, "event_shape": (2,)}, ValueError, "fixed={'total_count': ...}"),
        ({"distribution_class": tfd.Categorical, "event_shape": (2,)}, ValueError, "num_classes"),
        ({"distribution_class": tfd.Mixture}, ValueError, "DistributionLambda"),
        ({"distribution_class": tfd.JointDistributionSequential}, ValueError, "DistributionLambda"),
        ({"distribution_class": "NoSuchDistribution"}, ValueError, "NoSuchDistribution"),
        ({"distribution_class": tf.Tensor}, TypeError, "tfd.Gamma"),
        ({"distribution_class": tfd.Gamma, "fixed": {"rat": 1.0}}, ValueError, "log_rate"),
        ({"distribution_class": tfd.MultivariateNormalDiag, "event_shape": ()}, ValueError, "event"),
        ({"distribution_class": tfd.Dirichlet, "event_shape": ()}, ValueError, "event"),
        ({"distribution_class": tfd.Gamma, "event_shape": (2, None)}, ValueError, "event shape"),
    ],
)
def test_what_cannot_be_made_is_one_clear_error(arguments, error, words):
    with pytest.raises(error) as caught:
        GenericDistribution(**arguments)
    assert words in str(caught.value)
    assert len(str(caught.value)) < 600


# The declared classes, written out ---------------------------------------------------------------------------------


def softplus(x):
    return np.log1p(np.exp(x))


def raw(size, seed=0):
    return np.random.default_rng(seed).normal(size=(4, size))


def lgamma(x):
    return np.vectorize(math.lgamma)(x)


def test_laplace():
    parameters, x = raw(12), raw(6, 1).reshape(4, 2, 3)
    loc, scale = parameters[:, :6].reshape(4, 2, 3), softplus(parameters[:, 6:]).reshape(4, 2, 3)
    expected = np.sum(-np.abs(x - loc) / scale - np.log(2 * scale), axis=(1, 2))
    y = IndependentLaplace((2, 3), dtype="float64")(parameters)
    np.testing.assert_allclose(y.log_prob(x), expected, rtol=1e-10)
    np.testing.assert_allclose(y.stddev(), np.sqrt(2) * scale, rtol=1e-10)


def test_student_t_has_a_mean_and_a_variance_whatever_the_parameters():
    parameters, x = 3 * raw(9), raw(3, 1)
    df, loc, scale = 2 + softplus(parameters[:, :3]), parameters[:, 3:6], softplus(parameters[:, 6:])
    z = (x - loc) / scale
    normalizer = lgamma((df + 1) / 2) - lgamma(df / 2) - 0.5 * np.log(df * np.pi) - np.log(scale)
    y = IndependentStudentT((3,), dtype="float64")(parameters)
    np.testing.assert_allclose(y.log_prob(x), np.sum(normalizer - (df + 1) / 2 * np.log1p(z**2 / df), -1), rtol=1e-9)
    np.testing.assert_allclose(y.mean(), loc)
    np.testing.assert_allclose(y.variance(), scale**2 * df / (df - 2), rtol=1e-9)


def test_continuous_bernoulli_is_a_density():
    logits = np.array([[-3.0, 0.0], [1e-4, 5.0]])
    y = IndependentContinuousBernoulli((2,), dtype="float64")(logits)
    grid = (np.arange(20_000) + 0.5) / 20_000
    for row in range(2):
        for column in range(2):
            alone = IndependentContinuousBernoulli((), dtype="float64")(logits[row, column : column + 1])
            np.testing.assert_allclose(np.mean(np.exp(alone.log_prob(grid))), 1.0, rtol=1e-6)
    # Density C exp(logit x) up to a constant: between two values only the exponent differs.
    a, b = np.array([0.3, 0.8]), np.array([0.9, 0.1])
    np.testing.assert_allclose(y.log_prob(a) - y.log_prob(b), np.sum(logits * (a - b), axis=-1), rtol=1e-9)


def test_beta():
    parameters, x = raw(6), np.random.default_rng(1).uniform(0.05, 0.95, size=(4, 3))
    a, b = softplus(parameters[:, :3]), softplus(parameters[:, 3:])
    log_beta = lgamma(a) + lgamma(b) - lgamma(a + b)
    y = IndependentBeta((3,), dtype="float64")(parameters)
    np.testing.assert_allclose(
        y.log_prob(x), np.sum((a - 1) * np.log(x) + (b - 1) * np.log1p(-x) - log_beta, -1), rtol=1e-9
    )
    np.testing.assert_allclose(y.mean(), a / (a + b), rtol=1e-10)


@pytest.mark.slow
def test_negative_binomial():
    parameters, x = raw(6), np.array([[0, 1, 7]] * 4, float)
    count, logits = softplus(parameters[:, :3]), parameters[:, 3:]
    p = 1 / (1 + np.exp(-logits))
    log_prob = lgamma(count + x) - lgamma(x + 1) - lgamma(count) + count * np.log1p(-p) + x * np.log(p)
    y = IndependentNegativeBinomial((3,))(parameters)
    np.testing.assert_allclose(y.log_prob(x), np.sum(log_prob, -1), rtol=1e-8)
    mean = count * np.exp(logits)
    np.testing.assert_allclose(y.mean(), mean, rtol=1e-9)
    np.testing.assert_allclose(y.variance(), mean + mean**2 / count, rtol=1e-9)
    compiled = tf.function(
        lambda t: IndependentNegativeBinomial.new(t, (3,)).sample(20_000, seed=(1, 2)), jit_compile=True
    )
    for sample in (y.sample(20_000, seed=(1, 2)).numpy(), compiled(tf.constant(parameters)).numpy()):
        standard_error = sample.std(axis=0, ddof=1) / np.sqrt(20_000)
        assert np.all(np.abs(sample.mean(axis=0) - mean) < 5 * standard_error)


def test_categorical():
    logits = raw(2 * 3 * 4)
    y = IndependentCategorical((2, 3), 4, dtype="float64")(logits)
    log_p = logits.reshape(4, 2, 3, 4)
    log_p = log_p - np.log(np.sum(np.exp(log_p), -1, keepdims=True))
    x = np.random.default_rng(1).integers(0, 4, size=(4, 2, 3))
    expected = np.sum(np.take_along_axis(log_p, x[..., None], -1), axis=(1, 2, 3))
    for dtype in ("int32", "float32", "float64"):
        np.testing.assert_allclose(y.log_prob(x.astype(dtype)), expected, rtol=1e-10)
    assert y.dtype == tf.int32
    assert IndependentCategorical.params_size((2, 3), 4) == 24


def test_beta_binomial():
    parameters, n = raw(6), 7
    a, b = softplus(parameters[:, :3]), softplus(parameters[:, 3:])
    x = np.array([[0, 3, 7]] * 4, float)

    def log_beta(a, b):
        return lgamma(a) + lgamma(b) - lgamma(a + b)

    choose = lgamma(n + 1.0) - lgamma(x + 1) - lgamma(n - x + 1)
    y = BetaBinomial((3,), n, dtype="float64")(parameters)
    np.testing.assert_allclose(
        y.log_prob(x), np.sum(choose + log_beta(x + a, n - x + b) - log_beta(a, b), -1), rtol=1e-8
    )
    np.testing.assert_allclose(y.mean(), n * a / (a + b), rtol=1e-9)
    total = np.sum(
        np.exp([BetaBinomial((), n, dtype="float64")(parameters[:, [0, 3]]).log_prob(float(k)) for k in range(n + 1)]),
        axis=0,
    )
    np.testing.assert_allclose(total, 1.0, rtol=1e-9)
    assert BetaBinomial((3,), n).support == (0.0, 7.0)


@pytest.mark.parametrize("rank", [1, 2])
def test_low_rank(rank):
    d = 4
    parameters = raw(d * (2 + rank))
    loc, scale = parameters[:, :d], softplus(parameters[:, d : 2 * d]) + 1e-5
    factor = parameters[:, 2 * d :].reshape(4, d, rank)
    s = scale[:, :, None] * np.eye(d) + factor @ np.swapaxes(factor, -1, -2)
    covariance = s @ np.swapaxes(s, -1, -2)
    y = MultivariateNormalDiagPlusLowRank(d, rank, dtype="float64")(parameters)
    np.testing.assert_allclose(y.covariance(), covariance, rtol=1e-9)
    x = raw(d, 1)
    quadratic = np.einsum("bi,bij,bj->b", x - loc, np.linalg.inv(covariance), x - loc)
    expected = -0.5 * (quadratic + np.linalg.slogdet(covariance)[1] + d * np.log(2 * np.pi))
    np.testing.assert_allclose(y.log_prob(x), expected, rtol=1e-7)
    theirs = tfd.MultivariateNormalDiagPlusLowRank(loc, scale, scale_perturb_factor=factor)
    np.testing.assert_allclose(y.sample(3, seed=(1, 2)), theirs.sample(3, seed=(1, 2)), rtol=1e-9)
    kl = 0.5 * (np.trace(covariance, axis1=1, axis2=2) + np.sum(loc**2, -1) - d - np.linalg.slogdet(covariance)[1])
    zero = tf.constant(0.0, tf.float64)
    for prior in (tfd.MultivariateNormalDiag(tf.zeros(d, tf.float64)), tfd.Sample(tfd.Normal(zero, zero + 1), d)):
        np.testing.assert_allclose(tfd.kl_divergence(y, prior), kl, rtol=1e-8)
