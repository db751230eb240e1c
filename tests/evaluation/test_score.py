"""Scores of unusual examples: log p(x) of the oracle, terms that add up, and values that a model excludes."""

import keras
import numpy as np
import pytest
from gaussian_vaes import exact_vae
from linear_gaussian import make_linear_gaussian
from small_models import random_bits, small_vae

import tfvae
from tfvae import evaluation, layers, tables

MODEL = make_linear_gaussian()
X = MODEL.data(400, seed=1).astype("float32")
USUAL = MODEL.data(300, seed=2).astype("float32")
FEW = {"num_importance_samples": 200}


@pytest.fixture(scope="module")
def gaussian():
    return exact_vae(MODEL, scale_factor=1.3)


@pytest.fixture(scope="module")
def scores(gaussian):
    return evaluation.score(gaussian, X, reference=USUAL, **FEW)


def test_log_marginal_is_that_of_the_oracle_within_its_standard_error(scores):
    z = (scores.log_marginal - MODEL.log_marginal(X)) / scores.standard_error
    assert abs(z.mean()) < 4 / np.sqrt(len(X))
    assert 0.85 < z.std() < 1.15
    assert not scores.is_unreliable.any()


@pytest.mark.slow
def test_terms_are_those_of_the_oracle(gaussian):
    vae = exact_vae(MODEL)  # whose weights are equal, so that only the draws of z vary
    found = evaluation.score(vae, X[:50], reference=USUAL, num_importance_samples=2000)
    usual = evaluation.score_reference(vae, USUAL, num_importance_samples=2000)
    loc, covariance = MODEL.posterior_mean(X[:50]), MODEL.posterior_covariance
    spread = np.einsum("xd,de,xe->x", MODEL.weights, covariance, MODEL.weights)
    residual = X[:50] - MODEL.bias - loc @ MODEL.weights.T
    expected = 0.5 * ((residual**2 + spread) / MODEL.sigma**2 + np.log(2 * np.pi * MODEL.sigma**2))
    np.testing.assert_allclose(found.contributions + usual.usual, expected, atol=0.3)
    kl = found.contribution_of_latents + usual.usual_of_latents
    np.testing.assert_allclose(kl, MODEL.kl(loc, covariance), atol=0.5)
    assert abs(np.mean(kl - MODEL.kl(loc, covariance))) < 0.05


def test_contributions_add_up_to_the_surprise(gaussian, scores):
    usual = evaluation.score_reference(gaussian, USUAL, **FEW)
    total = scores.contributions.sum(axis=1) + scores.contribution_of_latents
    np.testing.assert_allclose(total, scores.surprise, rtol=1e-6, atol=1e-6)
    mean = usual.usual.sum() + usual.usual_of_latents
    np.testing.assert_allclose(-scores.log_marginal - mean, scores.surprise, rtol=1e-5, atol=1e-4)
    assert abs(usual.surprise.mean()) < 1e-4


def test_quantiles_count_reference_examples(gaussian, scores):
    usual = evaluation.score_reference(gaussian, USUAL, **FEW)
    expected = [(usual.surprise >= value).mean() for value in scores.surprise]
    np.testing.assert_allclose(scores.quantile, expected, atol=1e-12)
    again = evaluation.score(gaussian, USUAL, reference=usual, **FEW)
    np.testing.assert_allclose(np.sort(again.quantile), np.arange(1, 301) / 300)
    assert again.is_unusual(0.05).sum() == 15
    with pytest.raises(ValueError, match="from 0 to 1"):
        scores.is_unusual(1.5)


@pytest.mark.slow
@pytest.mark.parametrize("chunk_size", [7, 200])
def test_chunks_do_not_matter(gaussian, scores, chunk_size):
    found = evaluation.score(gaussian, X, reference=USUAL, chunk_size=chunk_size, **FEW)
    np.testing.assert_allclose(found.log_marginal, scores.log_marginal, rtol=1e-5)
    np.testing.assert_allclose(found.contributions, scores.contributions, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(found.pareto_k, scores.pareto_k, atol=1e-2)


@pytest.mark.slow
def test_an_unusual_value_is_found():
    x = X[:20].copy()
    x[:, 2] += 30.0
    narrow = evaluation.score(exact_vae(MODEL._replace(weights=MODEL.weights * [[1], [1], [0.01], [1], [1]])), x,
                              reference=USUAL, **FEW)  # fmt: skip
    assert (narrow.largest(1)[0] == 2).all()
    assert (narrow.quantile == 0).all()


@pytest.mark.slow
def test_examples_with_few_observed_values_are_not_unusual(gaussian):
    holes = np.random.default_rng(0).uniform(size=X.shape) < 0.6
    holes[:, 0] = False
    found = evaluation.score(gaussian, {"x": X, "observed": ~holes}, reference=USUAL, **FEW)
    assert found.log_marginal.mean() > evaluation.score(gaussian, X, reference=USUAL, **FEW).log_marginal.mean() + 2
    assert (found.contributions[holes] == 0).all()
    assert found.is_unusual(0.05).mean() < 0.1


@pytest.mark.slow
def test_pixels_and_the_whole_of_values_that_depend_on_each_other():
    x = random_bits(30, (4, 2))
    found = evaluation.score(small_vae(), x, reference=x, num_importance_samples=50)
    assert found.contributions.shape == (30, 4, 2)
    posterior, likelihood = layers.MultivariateNormalDiag, layers.MultivariateNormalTriL
    encoder = keras.Sequential([keras.Input((3,)), keras.layers.Dense(posterior.params_size(2)), posterior(2)])
    decoder = keras.Sequential([keras.Input((2,)), keras.layers.Dense(likelihood.params_size(3)), likelihood(3)])
    x = np.random.default_rng(0).normal(size=(30, 3)).astype("float32")
    found = evaluation.score(tfvae.models.VAE(encoder, decoder), x, reference=x, num_importance_samples=50)
    assert found.contributions.shape == (30, 1)
    total = found.contributions.sum(axis=1) + found.contribution_of_latents
    np.testing.assert_allclose(total, found.surprise, rtol=1e-5, atol=1e-5)


@pytest.fixture(scope="module")
def table():
    schema = tables.Schema([tables.Column("height", "positive"), tables.Column("colour", "category", ("a", "b", "c"))])
    encoding, likelihood = layers.TableEncoding(schema), layers.TableLikelihood(schema)
    rows = np.array([[1.5, 0], [1.7, 2], [1.6, 1], [1.4, 0]] * 5, "float32")
    for layer in (encoding, likelihood):
        layer.adapt(rows)
    posterior = layers.MultivariateNormalDiag
    encoder = keras.Sequential(
        [keras.Input((2,)), encoding, keras.layers.Dense(posterior.params_size(2)), posterior(2)]
    )
    size = layers.TableLikelihood.params_size(schema)
    decoder = keras.Sequential([keras.Input((2,)), keras.layers.Dense(size, "relu"), likelihood])
    return tfvae.models.VAE(encoder, decoder, missing="nan", seed=0), rows


def test_values_that_the_likelihood_excludes(table):
    vae, rows = table
    bad = np.array([[-1.0, 0], [1.5, 7], [1e30, 1], [1.5, 1]], "float32")
    found = evaluation.score(vae, bad, reference=rows, num_importance_samples=30)
    np.testing.assert_array_equal(np.isneginf(found.log_marginal), [True, True, False, False])
    np.testing.assert_array_equal(found.quantile[:3], 0.0)
    np.testing.assert_array_equal(found.largest(1)[0][:3, 0], [0, 1, 0])
    assert np.isnan(found.standard_error[0])
    assert not np.isnan(found.surprise).any()
    assert not np.isnan(found.contributions).any()
    with pytest.raises(ValueError, match="all reference examples"):
        evaluation.score(vae, bad, reference=bad[:2], num_importance_samples=30)


@pytest.mark.slow
def test_weights_that_are_not_finite_are_reported(table):
    vae, rows = table
    vae = tfvae.models.VAE(vae.encoder, vae.decoder, missing="nan")
    kernel = vae.encoder.layers[1].kernel
    before = kernel.numpy()
    kernel.assign(np.full(before.shape, np.nan))
    with pytest.raises(evaluation.NotFiniteError, match="training diverged"):
        evaluation.score(vae, rows, reference=rows, num_importance_samples=3)
    kernel.assign(before)
