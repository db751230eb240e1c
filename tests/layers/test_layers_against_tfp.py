"""The layers that TFP has too: the same parameters, distributions and samples; and what extreme parameters do."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

import tfvae
from tfvae.layers import IndependentBernoulli, IndependentNormal, MultivariateNormalDiag, MultivariateNormalTriL

tfd = tfp.distributions

CASES = {
    "tril": (MultivariateNormalTriL, tfp.layers.MultivariateNormalTriL, 4, 14),
    "bernoulli": (IndependentBernoulli, tfp.layers.IndependentBernoulli, (2, 3, 1), 6),
    "normal": (IndependentNormal, tfp.layers.IndependentNormal, (3, 2), 12),
    "normal scalar": (IndependentNormal, tfp.layers.IndependentNormal, (), 2),
    "bernoulli scalar": (IndependentBernoulli, tfp.layers.IndependentBernoulli, (), 1),
}


@pytest.fixture(params=list(CASES))
def case(request):
    return CASES[request.param]


def parameters_of(size, dtype, scale=2.0):
    return tf.constant(np.random.default_rng(0).normal(scale=scale, size=(2, 5, size)), dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_equal_to_tfp(case, dtype):
    ours, theirs, event_shape, size = case
    parameters = parameters_of(size, dtype)
    a, b = ours.new(parameters, event_shape), theirs.new(parameters, event_shape)
    layer = ours(event_shape, seed=1, dtype=dtype)
    assert layer.parameters_size == size == int(theirs.params_size(event_shape))
    assert a.event_shape == b.event_shape
    assert a.batch_shape == b.batch_shape
    assert a.dtype == b.dtype == layer(parameters).dtype == dtype
    # A copy, else TFP finds the noise behind its own sample in a cache instead of solving for it.
    sample = tf.constant(b.sample(7, seed=(3, 4)).numpy())
    tolerance = {"rtol": 1e-6 if dtype == "float32" else 1e-12, "atol": 1e-6 if dtype == "float32" else 1e-12}
    np.testing.assert_allclose(a.sample(7, seed=(3, 4)), sample, **tolerance)
    np.testing.assert_allclose(a.mean(), b.mean(), **tolerance)
    np.testing.assert_allclose(a.variance(), b.variance(), **tolerance)
    np.testing.assert_allclose(a.log_prob(sample), b.log_prob(sample), **tolerance)
    np.testing.assert_allclose(layer(parameters).log_prob(sample), b.log_prob(sample), **tolerance)
    if not isinstance(a.distribution if hasattr(a, "distribution") else a, tfd.Bernoulli):
        np.testing.assert_allclose(a.stddev(), b.stddev(), **tolerance)


def test_same_spelling_of_the_distribution_as_tfp(case):
    ours, theirs, event_shape, size = case
    parameters = parameters_of(size, "float32")
    assert isinstance(ours.new(parameters, event_shape), type(theirs.new(parameters, event_shape)))


def test_bernoulli_sample_dtype():
    parameters = parameters_of(6, "float32")
    for dtype in (tf.int32, tf.float32, "float64"):
        layer = IndependentBernoulli((2, 3, 1), sample_dtype=dtype)
        theirs = tfp.layers.IndependentBernoulli.new(parameters, (2, 3, 1), tf.as_dtype(dtype))
        assert layer(parameters).sample(seed=(1, 2)).dtype == theirs.dtype
        np.testing.assert_array_equal(layer(parameters).sample(seed=(1, 2)), theirs.sample(seed=(1, 2)))
        assert layer(keras.Input((6,))).dtype == theirs.dtype.name


def test_bernoulli_of_gray_values_is_the_cross_entropy():
    logits = parameters_of(6, "float64")
    x = np.random.default_rng(1).uniform(size=(2, 5, 6))
    p = 1 / (1 + np.exp(-logits.numpy()))
    expected = np.sum(x * np.log(p) + (1 - x) * np.log1p(-p), axis=-1)
    actual = IndependentBernoulli((2, 3, 1), dtype="float64")(logits).log_prob(x.reshape(2, 5, 2, 3, 1))
    np.testing.assert_allclose(actual, expected, rtol=1e-12)


def test_diag_is_written_out():
    parameters = parameters_of(6, "float64")
    y = MultivariateNormalDiag(3, dtype="float64")(parameters)
    loc, scale = parameters.numpy()[..., :3], np.log1p(np.exp(parameters.numpy()[..., 3:])) + 1e-5
    z = np.random.default_rng(1).normal(size=(2, 5, 3))
    expected = np.sum(-0.5 * ((z - loc) / scale) ** 2 - np.log(scale) - 0.5 * np.log(2 * np.pi), axis=-1)
    np.testing.assert_allclose(y.log_prob(z), expected, rtol=1e-12)
    np.testing.assert_allclose(y.mean(), loc)
    np.testing.assert_allclose(y.stddev(), scale)


def test_tril_is_written_out():
    parameters = parameters_of(9, "float64")
    loc, raw = parameters[..., :3], parameters[..., 3:]
    tril = tfp.math.fill_triangular(raw).numpy()
    i = np.arange(3)
    tril[..., i, i] = np.log1p(np.exp(tril[..., i, i])) + 1e-5
    y = MultivariateNormalTriL(3, dtype="float64")(parameters)
    np.testing.assert_allclose(y.mean(), loc)
    np.testing.assert_allclose(y.covariance(), tril @ np.swapaxes(tril, -1, -2), rtol=1e-10, atol=1e-12)
    assert np.all(np.triu(np.asarray(y.scale_tril), 1) == 0.0)


def raw_scales(layer, size):
    """The positions, among the parameters, of raw scales (for a triangle: of its diagonal)."""
    if isinstance(layer, MultivariateNormalTriL):
        n = layer.event_size
        order = tfp.math.fill_triangular(tf.range(n, size)).numpy()
        return np.diagonal(order)
    return np.arange(size // 2, size)


@pytest.mark.parametrize(
    "layer",
    [MultivariateNormalDiag(3), MultivariateNormalTriL(3), IndependentNormal((3,))],
    ids=["diag", "tril", "normal"],
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("extreme", [-200.0, -1e4, -30.0, 200.0])
def test_extreme_raw_scale_is_finite_and_still_learns(layer, dtype, extreme):
    size = layer.parameters_size
    positions = raw_scales(layer, size)
    raw = np.zeros((2, size))
    raw[:, positions] = extreme
    parameters = tf.constant(raw, dtype)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(parameters)
        y = layer(parameters)
        log_prob = y.log_prob(tf.constant(0.3, dtype) * tf.ones([2, 3], dtype))
    gradient = tape.gradient(log_prob, parameters)
    assert np.all(np.asarray(y.stddev()) >= 0.999e-5)
    assert np.isfinite(log_prob).all()
    assert np.isfinite(gradient).all()
    assert np.isfinite(y.sample(3, seed=(1, 2))).all()
    others = np.setdiff1d(np.arange(3), positions)
    assert np.all(np.asarray(gradient)[:, others] != 0.0), "the locations learn at any scale"
    # softplus(raw) + floor, as TFP's triangle has it, is flat to the last bit below about -100 in float32.
    if extreme >= -30.0 or isinstance(layer, IndependentNormal):
        assert np.all(np.asarray(gradient)[:, positions] != 0.0), "and so do the scales"


@pytest.mark.parametrize("logit", [-200.0, 200.0, -1e30, 1e30])
def test_extreme_logits_are_finite_and_learn(logit):
    parameters = tf.constant(logit, shape=(2, 6))
    x = tf.fill([2, 2, 3, 1], 0.0 if logit > 0 else 1.0)
    with tf.GradientTape() as tape:
        tape.watch(parameters)
        log_prob = IndependentBernoulli((2, 3, 1))(parameters).log_prob(x)
    np.testing.assert_allclose(log_prob, -6 * abs(logit), rtol=1e-6)
    np.testing.assert_allclose(tape.gradient(log_prob, parameters), -np.sign(logit), rtol=1e-6)


def test_scale_floor_is_where_the_docstrings_say():
    low = tf.constant([[0.0, -50.0]])
    np.testing.assert_allclose(MultivariateNormalDiag(1)(low).stddev(), [[1e-5]], rtol=1e-5)
    np.testing.assert_allclose(MultivariateNormalTriL(1)(low).stddev(), [[1e-5]], rtol=1e-5)
    np.testing.assert_allclose(IndependentNormal((1,))(low).stddev(), [[1e-5]], rtol=1e-5)
    above = tf.constant([[0.0, -9.0], [0.0, 3.0]])
    theirs = tfp.layers.IndependentNormal.new(above, (1,))
    np.testing.assert_array_equal(IndependentNormal((1,))(above).stddev(), theirs.stddev())
    assert tfvae._numerics.SCALE_FLOOR == 1e-5
