"""Evaluations of data with missing values: bits per observed dimension, baselines and imputations."""

import importlib
import json
from pathlib import Path

import keras
import numpy as np
import pytest
import scipy.stats
import tensorflow as tf
from gaussian_vaes import exact_vae
from linear_gaussian import make_linear_gaussian
from small_models import random_bits, small_vae

import tfvae
from tfvae import layers
from tfvae.evaluation import Record, bits_per_dim, impute, independent_log_likelihood

RNG = np.random.default_rng(0)


def with_holes(x, share=0.4, seed=1):
    return np.where(np.random.default_rng(seed).uniform(size=x.shape) < share, np.nan, x).astype("float32")


def test_bits_are_those_of_all_examples_per_observed_value():
    nats, counts = RNG.normal(-30.0, 5.0, 50), RNG.integers(0, 9, 50)
    record = Record("log_marginal", "nats", nats, np.full(50, 0.1), details={"num_observed": counts})
    for levels in (None, 256):
        found = bits_per_dim(record, 9, levels)
        bits = -nats / np.log(2.0) + (8.0 * counts if levels else 0.0)
        assert found.mean == pytest.approx(bits.sum() / counts.sum(), rel=1e-12)
        # Of a ratio of sums, by the delta method.
        error = np.std(bits - found.mean * counts, ddof=1) / counts.mean() / np.sqrt(50)
        assert found.standard_error == pytest.approx(error, rel=1e-12)
        assert found.to_dict()["num_observed"] == counts.mean()
    same = Record("log_marginal", "nats", nats, np.full(50, 0.1), details={"num_observed": np.full(50, 9)})
    complete = Record("log_marginal", "nats", nats, np.full(50, 0.1))
    np.testing.assert_allclose(bits_per_dim(same, 9).per_example, bits_per_dim(complete, 9).per_example, rtol=1e-12)
    none = Record("log_marginal", "nats", nats, nats, details={"num_observed": np.zeros(50)})
    with pytest.raises(ValueError, match="at least one observed value"):
        bits_per_dim(none, 9)


def test_records_count_observed_values():
    x = with_holes(random_bits(7, (4, 2)))
    vae = small_vae(missing="nan")
    counts = (~np.isnan(x)).sum(axis=(1, 2))
    for record in (
        tfvae.evaluation.elbo(vae, x, batch_size=3),
        tfvae.evaluation.log_marginal(vae, x, num_importance_samples=2, batch_size=3),
    ):
        np.testing.assert_array_equal(record.details["num_observed"], counts)
        assert bits_per_dim(record, 8).mean == pytest.approx(-record.per_example.sum() / counts.sum() / np.log(2.0))
    assert "num_observed" not in tfvae.evaluation.elbo(small_vae(), random_bits(3, (4, 2))).details


@pytest.mark.slow
def test_other_estimates_are_those_of_the_observed_values():
    """Of chains, and of posteriors refined for each example, in the linear-Gaussian model."""
    model = make_linear_gaussian(latent_size=2)
    x = model.data(6).astype("float32")
    observed = np.random.default_rng(1).uniform(size=x.shape) < 0.6
    covariance = model.weights @ model.weights.T + model.sigma**2 * np.eye(5)
    exact = [
        scipy.stats.multivariate_normal(model.bias[seen], covariance[np.ix_(seen, seen)]).logpdf(row[seen])
        for row, seen in zip(x, observed, strict=True)
    ]
    vae, data = exact_vae(model, 1.2), {"x": np.where(observed, x, 7.0).astype("float32"), "observed": observed}
    gaps = tfvae.evaluation.inference_gaps(vae, data, num_steps=200)
    for record in (
        tfvae.evaluation.log_marginal_ais(vae, data, num_chains=50, num_steps=100),
        tfvae.evaluation.log_marginal_hmc(vae, data),
        gaps.log_marginal,
    ):
        error = np.sqrt(record.monte_carlo_variance)
        np.testing.assert_array_less(np.abs(record.per_example - exact), 5 * error + 0.01)
        np.testing.assert_array_equal(record.details["num_observed"], observed.sum(axis=1))
    bits = tfvae.evaluation.diagnostics(vae, data).bits_per_dim
    assert bits.to_dict()["num_observed"] == observed.sum(axis=1).mean()
    assert gaps.amortization_gap.mean > 0  # the encoder is that of complete data
    assert abs(gaps.approximation_gap_full.mean) < 0.02


@pytest.mark.slow
def test_levels_are_found_among_observed_values():
    """Zeros in the place of missing values are not on the grid of the others."""
    x = 0.5 + RNG.integers(0, 9, (40, 5)).astype("float32")
    vae = exact_vae(make_linear_gaussian())
    record = tfvae.evaluation.elbo(vae, {"x": x, "observed": RNG.uniform(size=x.shape) < 0.5})
    assert record.diagnostics["density_of_levels"] == 9


def test_baselines_are_scipys_of_the_observed_values():
    train, test = (with_holes(RNG.normal([3.0, -1.0, 0.0], [2.0, 0.1, 1.0], (n, 3)), seed=n) for n in (60, 20))
    found = independent_log_likelihood(train, test, "normal")
    train, test = train.astype("float64"), test.astype("float64")
    expected = scipy.stats.norm.logpdf(test, np.nanmean(train, axis=0), np.nanstd(train, axis=0))
    np.testing.assert_allclose(found.per_example, np.nansum(expected, axis=1), rtol=1e-9, atol=1e-9)
    train, test = (with_holes(random_bits(n, (3,)), seed=n) for n in (60, 20))
    found = independent_log_likelihood(train, test, "bernoulli")
    ones, counts = np.nansum(train, axis=0), (~np.isnan(train)).sum(axis=0)
    each = np.where(test == 1, np.log((ones + 0.5) / (counts + 1)), np.log((counts - ones + 0.5) / (counts + 1)))
    np.testing.assert_allclose(found.per_example, np.where(np.isnan(test), 0.0, each).sum(axis=1), rtol=1e-6)


@pytest.fixture(scope="module")
def vae():
    return small_vae(missing="nan")


def test_imputation_depends_on_neither_chunks_nor_the_form_of_the_data(vae):
    x = with_holes(random_bits(9, (4, 2)))
    whole = impute(vae, x, num_samples=3, num_importance_samples=10, batch_size=4, seed=5)
    data = {"x": np.nan_to_num(x), "observed": ~np.isnan(x)}
    for other, settings in (
        (x, {"chunk_size": 3}),
        (data, {}),
        (tf.data.Dataset.from_tensor_slices(data).batch(4), {}),
        (tf.data.Dataset.from_tensor_slices(x).batch(4), {"chunk_size": 1}),
    ):
        found = impute(vae, other, num_samples=3, num_importance_samples=10, batch_size=4, seed=5, **settings)
        np.testing.assert_allclose(found.mean, whole.mean, rtol=1e-5, atol=1e-6)
        np.testing.assert_array_equal(found.samples, whole.samples)
        np.testing.assert_allclose(found.effective_sample_size, whole.effective_sample_size, rtol=1e-5)
    assert whole.mean.dtype == whole.samples.dtype == np.float32
    assert whole.samples.shape == (3, 9, 4, 2)
    about = json.loads(json.dumps(whole.to_dict()))
    assert (about["num_missing"], about["num_values"]) == (np.isnan(x).sum(), 72)
    assert (about["num_samples"], about["num_importance_samples"]) == (3, 10)
    assert about["effective_sample_size_min"] <= about["effective_sample_size_median"] <= 10
    assert repr(whole) == f"Imputation({np.isnan(x).sum()} of 72 values of 9 examples)"
    assert impute(vae, x, num_samples=0, num_importance_samples=10, batch_size=4, seed=5).samples.shape == (0, 9, 4, 2)


def test_conditional_models_impute_given_the_condition():
    """The decoder ignores z, so that the mean is known."""
    x, c = keras.Input((3,), name="x"), keras.Input((2,), name="condition")
    encoder = keras.Model(x, layers.MultivariateNormalDiag(2)(keras.layers.Dense(4)(x)))
    z = keras.Input((2,), name="z")
    kernel = np.array([[1.0, 2.0, 3.0, 0.0, 0.0, 0.0], [-1.0, 0.0, 1.0, 0.0, 0.0, 0.0]], "float32")
    of_c = keras.layers.Dense(6, use_bias=False)
    likelihood = layers.IndependentNormal(3)(of_c(c) + 0.0 * keras.layers.Dense(6)(z))
    decoder = keras.Model({"z": z, "condition": c}, likelihood)
    of_c.set_weights([kernel])
    vae = tfvae.models.VAE(encoder, decoder, missing="nan", seed=0)
    data, condition = with_holes(RNG.normal(size=(6, 3))), np.eye(2, dtype="float32")[[0, 1, 0, 1, 0, 1]]
    found = impute(vae, {"x": data, "condition": condition}, num_importance_samples=20, batch_size=4)
    np.testing.assert_allclose(found.mean, np.where(np.isnan(data), (condition @ kernel)[:, :3], data), rtol=1e-5)


@pytest.mark.slow
def test_imputation_in_float64(set_policy):
    set_policy("float64")
    x = with_holes(random_bits(3, (4, 2))).astype("float64")
    found = impute(small_vae(missing="nan"), x, num_importance_samples=5)
    assert found.mean.dtype == found.samples.dtype == np.float64


@pytest.mark.parametrize("name", ["num_samples", "num_importance_samples", "batch_size", "chunk_size"])
def test_impossible_counts(vae, name):
    with pytest.raises(ValueError, match=f"`{name}`"):
        impute(vae, with_holes(random_bits(3, (4, 2))), **{name: -1})


@pytest.mark.slow
def test_masks_are_better_than_zeros_in_the_place_of_missing_pixels():
    """Digits with half of their pixels missing: log p of the observed pixels of other digits, by models alike."""
    splits = tfvae.data.load("digits")
    train, test = (splits.all[name].thresholded().x for name in ("train", "test"))
    masks = [np.random.default_rng(seed).uniform(size=x.shape) < 0.5 for seed, x in enumerate((train, test))]
    records = []
    for data in ({"x": train, "observed": masks[0]}, np.where(masks[0], train, 0.0).astype("float32")):
        keras.utils.set_random_seed(0)
        dense = keras.layers.Dense
        encoder = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), dense(64, "tanh"), dense(16)])
        encoder.add(layers.MultivariateNormalDiag(8))
        decoder = keras.Sequential([dense(64, "tanh"), dense(64), layers.IndependentBernoulli((8, 8, 1))])
        vae = tfvae.models.VAE(encoder, decoder, seed=0)
        vae.compile(keras.optimizers.Adam(1e-3))
        vae.fit(data, batch_size=50, epochs=20, verbose=0)
        held_out = {"x": test, "observed": masks[1]}
        records.append(tfvae.evaluation.log_marginal(vae, held_out, num_importance_samples=100).per_example)
    difference = records[0] - records[1]
    assert difference.mean() > 5 * difference.std(ddof=1) / np.sqrt(len(difference))


@pytest.mark.slow
def test_the_benchmark_of_imputation(tmp_path, monkeypatch):
    """One draw of one table, a quarter of the steps: far better than means of columns. A second call only reads."""
    monkeypatch.syspath_prepend(Path(tfvae.__file__).parents[1] / "benchmarks")
    imputation = importlib.import_module("imputation")
    output = tmp_path / "out.json"
    monkeypatch.setattr("sys.argv", ["", "--draws", "1234", "--steps", "1000", "--output", str(output)])
    imputation.main()
    found = json.loads(output.read_text())["results"]["breast-cancer"]["1234"]["errors"]
    assert 0.2 < found["VAE"] < 0.45
    assert 0.3 < found["IterativeImputer"] < 0.36
    monkeypatch.delattr(imputation, "measure")
    imputation.main()


def test_the_benchmark_of_imputation_removes_half_of_the_cells(monkeypatch):
    monkeypatch.syspath_prepend(Path(tfvae.__file__).parents[1] / "benchmarks")
    imputation = importlib.import_module("imputation")
    x = imputation.standardized("breast-cancer", None)
    np.testing.assert_allclose(x.std(axis=0), 1.0)
    first, second = (imputation.mask_of(x.shape, draw) for draw in (1234, 1235))
    assert first.sum() == x.size // 2
    assert 0.4 < np.mean(first == second) < 0.6
