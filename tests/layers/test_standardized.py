"""Data in any unit: what `Standardization` and `Standardized` compute, measure, refuse and keep."""

import warnings

import keras
import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

import tfvae
from tfvae import layers
from tfvae.export.signatures import Signatures

RNG = np.random.default_rng(0)
# Units and offsets of columns as people have them, each exact in float32 to what a test asks.
MEAN = np.array([3e-7, -5e4, 293.0, 2e12], "float32")
SCALE = np.array([1e-9, 2e5, 0.5, 3e11], "float32")
X = (MEAN + SCALE * RNG.normal(size=(400, 4))).astype("float32")


def adapted(cls=layers.IndependentNormal, x=X, **kwargs):
    layer = layers.Standardized(cls(x.shape[1:]), **kwargs)
    layer.adapt(x)
    return layer


def test_log_prob_and_moments_are_in_the_datas_units():
    layer = adapted()
    raw = RNG.normal(size=(5, 8)).astype("float32")
    y = layer(raw)
    loc, scale = np.float64(layer.loc), np.float64(layer.scale)
    mean = loc + scale * raw[:, :4]
    stddev = scale * np.log1p(np.exp(np.float64(raw[:, 4:])))
    expected = scipy.stats.norm.logpdf(np.float64(X[:5]), mean, stddev).sum(axis=-1)
    np.testing.assert_allclose(y.log_prob(X[:5]), expected, rtol=2e-5)
    np.testing.assert_allclose(y.mean(), mean, rtol=1e-6)
    np.testing.assert_allclose(y.mode(), mean, rtol=1e-6)
    np.testing.assert_allclose(y.stddev(), stddev, rtol=1e-5)
    entropy = scipy.stats.norm.entropy(mean, stddev).sum(axis=-1)
    np.testing.assert_allclose(y.entropy(), entropy, rtol=1e-5)


@pytest.mark.parametrize("cls", [layers.IndependentStudentT, layers.IndependentLogistic])
def test_any_continuous_layer_can_be_standardized(cls):
    layer = adapted(cls)
    raw = RNG.normal(size=(5, layer.parameters_size)).astype("float32")
    u = ((np.float64(X[:5]) - layer.loc) / layer.scale).astype("float32")
    expected = np.asarray(cls.new(raw, (4,)).log_prob(u)) - np.log(np.float64(layer.scale)).sum()
    np.testing.assert_allclose(layer(raw).log_prob(X[:5]), expected, rtol=1e-5)


def test_adapt_measures_arrays_and_datasets_alike():
    dataset = tf.data.Dataset.from_tensor_slices((X, np.zeros(len(X)))).batch(37)
    for data in (X, dataset, np.float64(X)):
        for layer in (layers.Standardization(), layers.Standardized(layers.IndependentNormal(4))):
            layer.adapt(data)
            np.testing.assert_allclose(layer.loc, X.mean(axis=0, dtype="float64"), rtol=1e-6)
            np.testing.assert_allclose(layer.scale, X.std(axis=0, dtype="float64"), rtol=1e-5)
            assert not layer.trainable_variables


def test_standardization_gives_unit_size_under_any_policy():
    for policy in ("float32", "mixed_float16"):
        layer = layers.Standardization(dtype=policy)
        layer.adapt(X)
        y = keras.Sequential([layer])(X)  # 2e12 overflows in float16
        assert y.dtype == tf.float32
        np.testing.assert_allclose(np.float64(y).std(axis=0), 1.0, rtol=1e-3)


def test_constant_and_coarse_values_are_named():
    x = np.array(RNG.normal(size=(50, 2, 3)), "float32")
    x[:, 1, 0] = 0.1
    x[:, 0, 2] = 1.7e9 + 256 * np.arange(50)
    layer = layers.Standardized(layers.IndependentNormal((2, 3)))
    with pytest.warns(UserWarning, match="values of an example") as caught:
        layer.adapt(x)
    said = [str(warning.message) for warning in caught]
    assert len(said) == 2
    assert said[0].startswith("1 of 6 values of an example (index (1, 0)) is the same")
    assert said[1].startswith("1 of 6 values of an example (index (0, 2)) is so far from zero")
    assert float(layer.loc[1, 0]) == pytest.approx(0.1)
    y = layer(RNG.normal(size=(3, 12)).astype("float32"))
    # A constant gets no learned parameters, all others do.
    np.testing.assert_allclose(y.mean()[:, 1, 0], 0.1, rtol=1e-6)
    np.testing.assert_allclose(y.stddev()[:, 1, 0], 1.0, rtol=1e-6)
    assert np.ptp(y.mean(), axis=0).ravel()[[0, 1, 2, 4, 5]].min() > 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        adapted()  # of other units nothing is said


def test_statistics_are_kept_in_files_and_exports(tmp_path):
    standardization = layers.Standardization()
    standardization.adapt(X)
    likelihood = adapted()
    encoder = keras.Sequential([standardization, tfvae.networks.mlp(4, (5,)), layers.MultivariateNormalDiag(2)])
    vae = tfvae.models.VAE(encoder, keras.Sequential([tfvae.networks.mlp(8, (5,)), likelihood]), seed=0)
    before = vae.elbo(X[:7], num_samples=3, seed=1)
    vae.save(tmp_path / "vae.keras")
    loaded = tfvae.load_model(tmp_path / "vae.keras")
    np.testing.assert_array_equal(loaded.elbo(X[:7], num_samples=3, seed=1), before)
    exported = Signatures(vae, (4,), ["likelihood"])
    z = RNG.normal(size=(3, 2)).astype("float32")
    np.testing.assert_allclose(exported.likelihood(z=tf.constant(z))["mean"], vae.decode(z).mean(), rtol=1e-5)
    names = {variable.name.split(":")[0].rsplit("/", 1)[-1] for variable in exported.model_variables}
    assert {"loc", "scale"} <= names  # variables of the export, not constants of its graph


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: layers.IndependentPoisson(3), ValueError, "continuous values.*IndependentPoisson"),
        (lambda: layers.IndependentBernoulli(3), ValueError, "continuous values"),
        (lambda: layers.DiscretizedLogisticMixture((2, 2, 1), 2), ValueError, "continuous values"),
        (lambda: layers.DistributionLambda(lambda t: t), ValueError, "must have a known event shape"),
        (lambda: keras.layers.Dense(3), TypeError, "must be a distribution layer"),
    ],
)
def test_what_has_no_unit_is_refused(make, error, message):
    with pytest.raises(error, match=message):
        layers.Standardized(make())


def test_data_of_another_shape_or_none_are_refused():
    layer = layers.Standardized(layers.IndependentNormal(4))
    with pytest.raises(ValueError, match=r"shape \(4,\)\. Received: shape=\(3,\)"):
        layer.adapt(X[:, :3])
    with pytest.raises(ValueError, match="at least one example"):
        layer.adapt(X[:0])


def test_adapt_leaves_out_missing_values(monkeypatch):
    monkeypatch.setattr("tfvae.layers._adapted._CHUNK_SIZE", 37)
    x = np.where(RNG.uniform(size=X.shape) < 0.6, np.nan, X)
    masked = {"x": np.nan_to_num(x, nan=7.0), "observed": ~np.isnan(x)}
    dataset = tf.data.Dataset.from_tensor_slices(masked).batch(50)
    for data in (x, masked, dataset, dataset.map(lambda batch: (batch, 0))):
        layer = layers.Standardization()
        layer.adapt(data)
        np.testing.assert_allclose(layer.loc, np.nanmean(x, axis=0, dtype="float64"), rtol=1e-6)
        np.testing.assert_allclose(layer.scale, np.nanstd(x, axis=0, dtype="float64"), rtol=1e-5)


def test_a_value_that_is_never_observed_is_a_warning():
    x = np.array([[1.0, np.nan, 2.0], [3.0, np.nan, np.nan]], "float32")
    layer = layers.Standardization()
    with pytest.warns(UserWarning, match="values of an example") as caught:
        layer.adapt(x)
    messages = [str(warning.message) for warning in caught]
    assert messages[0].startswith("1 of 3 values of an example (index 1) is missing in all examples.")
    assert messages[1].startswith("1 of 3 values of an example (index 2) is the same in all examples")
    np.testing.assert_array_equal(layer.loc, [2.0, 0.0, 2.0])
    np.testing.assert_array_equal(layer.scale, 1.0)


def test_an_encoder_sees_zeros_after_standardization_in_the_place_of_missing_values():
    standardization = layers.Standardization()
    standardization.adapt(X)
    dense = keras.layers.Dense(4)
    encoder = keras.Sequential([keras.Input((4,)), standardization, dense, layers.MultivariateNormalDiag(2)])
    decoder = keras.Sequential([keras.layers.Dense(8), layers.IndependentNormal(4)])
    vae = tfvae.models.VAE(encoder, decoder, missing="nan", seed=0)
    observed = RNG.uniform(size=(5, 4)) < 0.5
    standardized = np.where(observed, (X[:5] - standardization.loc) / standardization.scale, 0.0)
    found = vae.encode(np.where(observed, X[:5], np.nan)).mean()
    np.testing.assert_allclose(found, dense(standardized)[:, :2], rtol=1e-5, atol=1e-6)
