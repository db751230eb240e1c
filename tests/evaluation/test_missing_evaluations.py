"""Evaluations of data with missing values: those of the observed values, whose marginals are known."""

import math

import numpy as np
import pytest
from gaussian_vaes import gaussian_vae
from linear_gaussian import make_linear_gaussian

from tfvae import evaluation

MODEL = make_linear_gaussian(latent_size=2, data_size=4, sigma=0.9)
X = MODEL.data(20, seed=3).astype("float32")
OBSERVED = np.random.default_rng(1).random(X.shape) < 0.7
DATA = {"x": X, "observed": OBSERVED}


def log_marginal_of_observed():
    found = []
    for x, seen in zip(X, OBSERVED, strict=True):
        part = MODEL._replace(weights=MODEL.weights[seen], bias=MODEL.bias[seen])
        found.append(part.log_marginal(x[np.newaxis, seen])[0] if seen.any() else 0.0)
    return np.array(found)


@pytest.fixture(scope="module")
def vae():
    return gaussian_vae(MODEL, 0.8 * MODEL.posterior_weights, np.array([0.1, -0.2]), np.array([0.9, 0.9]))


@pytest.mark.filterwarnings("ignore:log_marginal is unreliable")
def test_gaps_are_those_of_the_observed_values(vae):
    gaps = evaluation.inference_gaps(vae, DATA, num_steps=30, num_samples=4, num_importance_samples=500)
    error = np.sqrt(gaps.log_marginal.monte_carlo_variance)
    assert (np.abs(gaps.log_marginal.per_example - log_marginal_of_observed()) < 5 * error + 1e-3).all()
    assert (gaps.elbo_refined_full.mean - gaps.elbo.mean) > 0.1


def test_diagnostics_are_those_of_the_observed_values(vae):
    found = evaluation.diagnostics(vae, DATA, num_samples=50)
    expected = evaluation.elbo(vae, DATA, num_samples=50, seed=4)
    bound = -found.rate.mean - found.distortion.mean
    assert bound == pytest.approx(expected.mean, abs=6 * expected.monte_carlo_standard_error)
    assert found.bits_per_dim.mean == pytest.approx(-bound / math.log(2) / OBSERVED.sum(axis=1).mean(), rel=1e-5)


@pytest.mark.slow
def test_annealed_chains_are_those_of_the_observed_values(vae):
    record = evaluation.log_marginal_ais(vae, DATA, num_chains=32, num_steps=30, num_leapfrog_steps=3)
    error = np.sqrt(record.monte_carlo_variance)
    assert (np.abs(record.per_example - log_marginal_of_observed()) < 5 * error + 1e-3).all()
