"""What an encoder gets of a row of a table."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfvae
from tfvae import layers
from tfvae.tables import Column, Schema

SCHEMA = Schema(
    [
        Column("mass", "positive"),
        Column("colour", "category", ("red", "green", "blue")),
        Column("note", "ignored"),
        Column("visits", "count"),
        Column("grade", "ordinal", ("a", "b", "c", "d")),
        Column("income", "real"),
        Column("alive", "boolean", ("no", "yes")),
    ]
)
RNG = np.random.default_rng(0)
N = 300
X = np.stack(
    [
        np.exp(RNG.normal(-9, 2, N)),
        RNG.integers(3, size=N),
        RNG.poisson(5, N),
        RNG.integers(4, size=N),
        RNG.normal(1e5, 1e4, N),
        RNG.integers(2, size=N),
    ],
    axis=1,
).astype("float32")


def adapted(**kwargs):
    layer = layers.TableEncoding(SCHEMA, **kwargs)
    layer.adapt(X)
    return layer


def standardized(x):
    return (x - x.mean()) / x.std()


def test_features_are_standardised_numbers_and_one_hot_categories():
    layer = adapted()
    x = np.float64(X)
    numbers = [standardized(t) for t in (np.log(x[:, 0]), np.log1p(x[:, 2]), x[:, 3], x[:, 4], x[:, 5])]
    expected = np.column_stack([numbers[0], np.eye(3)[X[:, 1].astype(int)], *numbers[1:]])
    found = layer(X)
    assert found.dtype == tf.float32
    assert layer.num_features == found.shape[1] == 8
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(tf.function(layer, jit_compile=True)(X[:5]), found[:5], rtol=1e-5, atol=1e-6)
    assert layer(keras.Input((6,))).shape == (None, 8)
    assert not layer.trainable_variables


def test_missing_values_are_zeros():
    layer = adapted()
    places = np.array([0, 1, 1, 1, 2, 3, 4, 5])  # the columns of the features
    observed = RNG.uniform(size=X.shape) < 0.5
    found = layer(np.where(observed, X, np.nan))
    np.testing.assert_array_equal(found, np.where(observed[:, places], layer(X), 0.0))


def test_values_beyond_the_limits_are_finite():
    row = np.array([[0.0, 7.0, -3.0, 9.0, 1e38, 2.0], [-1.0, -1.0, 0.0, 0.0, -1e38, 0.5]], "float32")
    found = np.asarray(adapted()(row))
    assert np.isfinite(found).all()
    np.testing.assert_array_equal(found[:, 1:4], 0.0)  # no category


@pytest.mark.parametrize("policy", ["mixed_float16", "float64"])
def test_dtype_is_that_of_data(policy):
    layer = adapted(dtype=policy)
    expected = "float64" if policy == "float64" else "float32"
    assert keras.Sequential([layer])(X).dtype == expected
    np.testing.assert_allclose(layer(X), adapted()(X), rtol=1e-3, atol=1e-4)


def test_configuration_and_weights_are_kept(tmp_path):
    layer = adapted()
    again = layers.TableEncoding.from_config(json.loads(json.dumps(layer.get_config())))
    assert again.schema == SCHEMA
    model = keras.Sequential([keras.Input((6,)), layer])
    model.save(tmp_path / "model.keras")
    np.testing.assert_array_equal(keras.saving.load_model(tmp_path / "model.keras")(X), layer(X))


def test_rows_of_another_length_are_refused():
    with pytest.raises(ValueError, match="6 used columns"):
        layers.TableEncoding(SCHEMA)(X[:, 1:])


def test_an_encoder_sees_zeros_in_the_place_of_missing_values():
    encoding, likelihood = adapted(), layers.TableLikelihood(SCHEMA)
    dense = keras.layers.Dense(4)
    encoder = keras.Sequential([keras.Input((6,)), encoding, dense, layers.MultivariateNormalDiag(2)])
    decoder = keras.Sequential([keras.layers.Dense(likelihood.parameters_size), likelihood])
    vae = tfvae.models.VAE(encoder, decoder, seed=0)
    observed = RNG.uniform(size=(5, 6)) < 0.5
    expected = dense(encoding(np.where(observed, X[:5], np.nan)))[:, :2]
    found = vae.encode({"x": np.where(observed, X[:5], 0.0).astype("float32"), "observed": observed}).mean()
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
