"""`convert_to_tensor_fn`: every spelling that users of `tfp.layers` have, and what a saved model keeps of it."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae.layers import DistributionLambda, IndependentBernoulli, IndependentNormal, MultivariateNormalDiag

tfd = tfp.distributions
PACKAGE = "tests_conversion"


@keras.saving.register_keras_serializable(package=PACKAGE)
def twice_the_mean(distribution):
    return 2.0 * distribution.mean()


@keras.saving.register_keras_serializable(package=PACKAGE)
def two_samples(distribution, seed=None):
    return distribution.sample(2, seed=seed)


@keras.saving.register_keras_serializable(package=PACKAGE)
def make_gamma(inputs):
    return tfd.Independent(tfd.Gamma(tf.nn.softplus(inputs) + 0.5, 1.0), 1)


def not_registered(distribution):
    return distribution.mean()


@pytest.fixture
def logits():
    return np.random.default_rng(0).normal(size=(4, 6)).astype("float32")


def sigmoid(logits):
    return (1 / (1 + np.exp(-logits))).reshape(4, 2, 3)


SPELLINGS = {
    "mean by name": ("mean", sigmoid),
    "mean by method": (tfd.Distribution.mean, sigmoid),
    "mean by the class's method": (tfd.Bernoulli.mean, sigmoid),
    "mode by name": ("mode", lambda logits: (logits > 0).reshape(4, 2, 3)),
    "mode by method": (tfd.Distribution.mode, lambda logits: (logits > 0).reshape(4, 2, 3)),
    "logits by name": ("logits", lambda logits: logits.reshape(4, 2, 3)),
    "logits by property": (tfd.Bernoulli.logits, lambda logits: logits.reshape(4, 2, 3)),
    "function": (twice_the_mean, lambda logits: 2 * sigmoid(logits)),
    "lambda": (lambda distribution: distribution.mean() + 1.0, lambda logits: sigmoid(logits) + 1),
}


@pytest.mark.parametrize("name", list(SPELLINGS))
def test_spellings(name, logits):
    fn, expected = SPELLINGS[name]
    layer = IndependentBernoulli((2, 3), fn)
    np.testing.assert_allclose(layer(logits), expected(logits), rtol=1e-5)
    inputs = keras.Input((6,))
    model = keras.Model(inputs, IndependentBernoulli((2, 3), fn)(inputs))
    assert model.output_shape == (None, 2, 3)
    np.testing.assert_allclose(model.predict(logits, verbose=0), expected(logits), rtol=1e-5)


@pytest.mark.parametrize("name", [name for name in SPELLINGS if name != "lambda"])
def test_spellings_survive_config_and_file(name, logits, tmp_path):
    fn, expected = SPELLINGS[name]
    config = json.dumps(IndependentBernoulli((2, 3), fn).get_config())
    again = IndependentBernoulli.from_config(json.loads(config))
    assert json.dumps(again.get_config()) == config
    np.testing.assert_allclose(again(logits), expected(logits), rtol=1e-5)
    inputs = keras.Input((6,))
    keras.Model(inputs, IndependentBernoulli((2, 3), fn)(inputs)).save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    np.testing.assert_allclose(loaded(logits), expected(logits), rtol=1e-5)


@pytest.mark.parametrize("fn", ["sample", tfd.Distribution.sample, tfd.Bernoulli.sample])
def test_sample_takes_the_layers_seed(fn, logits):
    layers = [IndependentBernoulli((2, 3), fn, seed=3), IndependentBernoulli((2, 3), seed=3)]
    first, second = ([np.asarray(layer(logits)) for _ in range(8)] for layer in layers)
    np.testing.assert_array_equal(first, second)
    assert len({value.tobytes() for value in first}) > 1


def test_function_with_a_seed_gets_the_layers(logits):
    values = [np.asarray(IndependentNormal((3,), two_samples, seed=seed)(logits)) for seed in (1, 1, 2)]
    assert values[0].shape == (2, 4, 3)
    np.testing.assert_array_equal(values[0], values[1])
    assert np.any(values[0] != values[2])
    inputs = keras.Input((6,))
    assert IndependentNormal((3,), two_samples)(inputs).shape == (2, None, 3)


def test_property_of_the_outer_distribution():
    parameters = np.random.default_rng(0).normal(size=(4, 6)).astype("float32")
    np.testing.assert_array_equal(MultivariateNormalDiag(3, "loc")(parameters), parameters[:, :3])
    np.testing.assert_array_equal(IndependentNormal((3,), tfd.Normal.loc)(parameters), parameters[:, :3])
    assert MultivariateNormalDiag(3, tfd.MultivariateNormalDiag.stddev)(parameters).shape == (4, 3)


def test_distribution_lambda_converts_as_it_is_told():
    parameters = np.random.default_rng(0).normal(size=(4, 3)).astype("float32")
    layer = DistributionLambda(make_gamma, "mean")
    np.testing.assert_allclose(layer(parameters), np.log1p(np.exp(parameters)) + 0.5, rtol=1e-5)
    lambda_layer = DistributionLambda(lambda t: tfd.Normal(t, 1.0), lambda d: d.loc * 3.0)
    np.testing.assert_allclose(lambda_layer(parameters), parameters * 3.0, rtol=1e-6)
    with_keywords = DistributionLambda(make_distribution_fn=make_gamma, convert_to_tensor_fn=tfd.Distribution.mean)
    np.testing.assert_array_equal(with_keywords(parameters), layer(parameters))


@pytest.mark.parametrize("fn", ["no_such_method", "", "_name", "__class__", None, 3, ["mean"]])
def test_what_is_no_conversion_is_refused(fn):
    with pytest.raises(ValueError, match="convert_to_tensor_fn") as caught:
        IndependentBernoulli((2,), fn)
    assert repr(fn) in str(caught.value)


def test_name_that_this_distribution_lacks_is_an_error_that_names_it(logits):
    with pytest.raises((AttributeError, ValueError, TypeError), match="concentration"):
        tf.convert_to_tensor(IndependentBernoulli((2, 3), "concentration")(logits))


@pytest.mark.parametrize("fn", [lambda distribution: distribution.mean(), not_registered])
def test_unregistered_function_is_refused_at_save_with_the_way_out(fn, tmp_path):
    inputs = keras.Input((6,))
    model = keras.Model(inputs, IndependentBernoulli((2, 3), fn)(inputs))
    path = tmp_path / "model.keras"
    with pytest.raises(ValueError, match="register_keras_serializable") as caught:
        model.save(path)
    assert "convert_to_tensor_fn" in str(caught.value)
    assert "def" in str(caught.value)


def test_lambda_that_makes_distributions_is_refused_at_save_with_the_way_out(tmp_path):
    inputs = keras.Input((6,))
    model = keras.Model(inputs, DistributionLambda(lambda t: tfd.Normal(t, 1.0))(inputs))
    with pytest.raises(ValueError, match="register_keras_serializable") as caught:
        model.save(tmp_path / "model.keras")
    assert "make_distribution_fn" in str(caught.value)
