"""Columns of a table in which some numbers are repeated often."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfvae import layers
from tfvae.layers._table_fit import fitted_mixture
from tfvae.tables import Column, Schema

RNG = np.random.default_rng(0)
N = 2000
RENT = np.where(RNG.random(N) < 0.4, 0.0, np.where(RNG.random(N) < 0.2, 512.3, RNG.gamma(4.0, 150.0, N)))
GAIN = np.where(RNG.random(N) < 0.8, 0.0, np.where(RNG.random(N) < 0.3, 7688.0, RNG.integers(3, 300, N)))
COLUMNS = {
    "real": (Column("rent", "real", atoms=(0.0, 512.3)), RENT),
    "positive": (Column("rent", "positive", atoms=(512.3,)), np.where(RENT > 0, RENT, RNG.gamma(9.0, 10.0, N))),
    "bounded": (Column("rent", "bounded", low=0.0, high=5000.0, atoms=(0.0,)), RENT),
    "count": (Column("gain", "count", atoms=(0.0, 7688.0)), GAIN),
}


def adapted(kind):
    column, x = COLUMNS[kind]
    schema = Schema([column])
    layer = layers.TableLikelihood(schema, num_components=3)
    layer.adapt(x[:, np.newaxis].astype("float32"))
    return layer


def parameters(layer, batch_size=3, scale=1.0):
    return (scale * np.random.default_rng(1).normal(size=(batch_size, layer.parameters_size))).astype("float32")


def log_prob(y, points):
    return np.float64(y.log_prob(np.float32(points)[:, np.newaxis, np.newaxis]))  # [points, batch]


@pytest.mark.parametrize("kind", ["real", "positive", "bounded"])
def test_probabilities_of_atoms_and_the_integral_of_the_density_add_up_to_one(kind):
    layer = adapted(kind)
    y = layer(parameters(layer))
    v = np.linspace(-30, 30, 40_001) * float(layer.scale[0]) + float(layer.loc[0])
    edges = np.linspace(0, 5000, 40_001) if kind == "bounded" else np.exp(v) if kind == "positive" else v
    points = (edges[1:] + edges[:-1]) / 2
    integral = np.diff(edges) @ np.exp(log_prob(y, points))
    atoms = np.exp(log_prob(y, layer.columns.atoms[0])).sum(axis=0)
    np.testing.assert_allclose(integral + atoms, 1.0, rtol=2e-3)
    assert (atoms > 0.01).all()


def test_probabilities_of_counts_add_up_to_one_with_atoms():
    layer = adapted("count")
    found = np.exp(log_prob(layer(parameters(layer)), np.arange(200_000.0)))
    np.testing.assert_allclose(found.sum(axis=0), 1.0, rtol=2e-3)
    assert (found[[0, 7688]] > 0.01).all()


@pytest.mark.parametrize("kind", ["real", "count"])
def test_parameters_of_zero_have_the_shares_of_the_atoms(kind):
    layer, x = adapted(kind), np.float32(COLUMNS[kind][1])
    y = layer(parameters(layer, 1, scale=0.0))
    for atom in layer.columns.atoms[0]:
        assert np.exp(log_prob(y, [atom]))[0, 0] == pytest.approx(np.mean(x == atom), rel=0.02)
    assert float(y.mean()[0, 0]) == pytest.approx(x.mean(), rel=0.05)
    drawn = np.asarray(y.sample(4000, seed=3)).ravel()
    for atom in layer.columns.atoms[0]:
        assert np.mean(drawn == atom) == pytest.approx(np.mean(x == atom), abs=0.04)
    # Other draws are within the range of the data, but for one in a thousand.
    assert np.mean((drawn < x.min()) | (drawn > x.max())) < 0.005


@pytest.mark.parametrize("jit_compile", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_gradients_are_finite_for_any_parameters(jit_compile):
    layer = adapted("count")

    def gradient(raw, x):
        with tf.GradientTape() as tape:
            tape.watch(raw)
            found = layer.make_distribution(raw).log_prob(x)
        return found, tape.gradient(found, raw)

    gradient = tf.function(gradient, jit_compile=True) if jit_compile else gradient
    x = np.float32([0, 1, 7688, 7689, 1e6, 1e15])[:, np.newaxis]
    for scale in (1.0, 100.0, 1e5):
        for values in gradient(tf.constant(parameters(layer, 6, scale)), x):
            assert np.isfinite(values).all()


def test_statistics_leave_out_the_atoms():
    layer = adapted("count")
    means = np.float32(layer.start)[3:6]
    others = np.log1p(GAIN[(GAIN > 0) & (GAIN < 7688)])
    v = (others - float(layer.loc[0])) / float(layer.scale[0])
    assert v.min() < means.min() < means.max() < v.max()


def test_the_encoding_has_a_feature_for_each_atom():
    schema = Schema([COLUMNS["real"][0], Column("city", "category", ("a", "b")), COLUMNS["count"][0]])
    encoding = layers.TableEncoding(schema)
    x = np.stack([RENT, RNG.integers(2, size=N), GAIN], axis=1).astype("float32")
    encoding.adapt(x)
    found = np.asarray(encoding(np.float32([[512.3, 1, 0], [0, 0, 12], [np.nan, 1, np.nan]])))
    assert found.shape == (3, encoding.num_features) == (3, 8)
    np.testing.assert_array_equal(found[:, [1, 2]], [[0, 1], [1, 0], [0, 0]])
    np.testing.assert_array_equal(found[:, [3, 4]], [[0, 1], [1, 0], [0, 1]])
    np.testing.assert_array_equal(found[:, [6, 7]], [[1, 0], [0, 0], [0, 0]])
    np.testing.assert_array_equal(found[2, [0, 5]], 0.0)


def test_configuration_keeps_atoms_and_the_number_of_components(tmp_path):
    layer = adapted("real")
    model = keras.Sequential([keras.Input((layer.parameters_size,)), layer])
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.layers[-1].schema == layer.schema
    assert loaded.layers[-1].num_components == 3
    raw = parameters(layer)
    np.testing.assert_array_equal(loaded(raw).log_prob([[512.3]]), layer(raw).log_prob([[512.3]]))
    with pytest.raises(ValueError, match="`num_components`"):
        layers.TableLikelihood(layer.schema, num_components=0)


def test_a_mixture_is_fitted_to_quantiles():
    values = np.concatenate([RNG.normal(-2.0, 0.1, 3000), RNG.normal(1.0, 0.5, 6000)])
    quantiles = np.quantile(values, (np.arange(100) + 0.5) / 100)[np.newaxis]
    logits, means, stddevs = fitted_mixture(quantiles, 2, 0.01)
    np.testing.assert_allclose(np.exp(logits), [[1 / 3, 2 / 3]], atol=0.02)
    np.testing.assert_allclose(means, [[-2.0, 1.0]], atol=0.05)
    np.testing.assert_allclose(stddevs, [[0.1, 0.5]], rtol=0.1)


def test_columns_of_the_same_shape_have_the_same_mixture():
    quantiles = np.sort(RNG.normal(size=(3, 50)), axis=1)
    one = fitted_mixture(quantiles[:1], 3, 0.01)
    for found, alone in zip(fitted_mixture(quantiles[[0, 2, 0, 1]], 3, 0.01), one, strict=True):
        np.testing.assert_array_equal(found[[0, 2]], alone[[0, 0]])
        assert not np.array_equal(found[1], found[3])
