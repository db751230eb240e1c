"""Evaluations of conditional models, held to a linear-Gaussian one with p(z|c) and with p(z)."""

import numpy as np
import pytest
import tensorflow as tf
from conditional_gaussian import MODEL, A, U, exact_vae, log_marginal, sample_data

from tfvae import estimators, evaluation

X, C = sample_data(40)
DATA = {"x": X, "condition": C}


@pytest.fixture(scope="module", params=["p(z|c)", pytest.param("p(z)", marks=pytest.mark.slow)])
def case(request):
    """The model, the mean of its prior per condition, and log p(x|c)."""
    mean = A if request.param == "p(z|c)" else None
    return exact_vae(mean), mean, log_marginal(X, C, mean)


@pytest.fixture(scope="module")
def vae(case):
    return case[0]


def decoded(z, c):
    return z @ MODEL.weights.T + c @ U.T + MODEL.bias


def test_gaps_of_the_exact_posterior_are_zero(case):
    vae, _, expected = case
    gaps = evaluation.inference_gaps(vae, DATA, num_steps=0, num_samples=2, num_importance_samples=2, batch_size=25)
    np.testing.assert_allclose(gaps.log_marginal.per_example, expected, rtol=1e-4)
    np.testing.assert_allclose(gaps.elbo.per_example, expected, rtol=1e-4)
    np.testing.assert_allclose(gaps.amortization_gap.per_example, 0.0, atol=1e-4)


def test_diagnostics_are_given_the_condition(case):
    vae, mean, _ = case
    found = evaluation.diagnostics(vae, DATA, num_samples=3, batch_size=25, num_mixture_examples=30)
    prior_mean = 0.0 if mean is None else C @ mean.T
    at = MODEL._replace(bias=MODEL.bias).posterior_mean(
        X - C @ U.T - (0.0 if mean is None else prior_mean @ MODEL.weights.T)
    )
    np.testing.assert_allclose(found.rate.per_example, MODEL.kl(at, MODEL.posterior_covariance), rtol=1e-3)
    bound = -found.rate.mean - found.distortion.mean
    assert bound == pytest.approx(case[2].mean(), abs=0.5)
    assert 0.0 < found.mutual_information.mean < np.log(30)
    assert found.mutual_information.diagnostics["num_examples_in_mixture"] == 30
    assert (found.to_dict()["aggregated_kl"]["mean"] is None) == (mean is not None)


@pytest.mark.slow
def test_annealed_chains_estimate_log_p_of_x_given_the_condition(case):
    vae, _, expected = case
    few = {"x": X[:5], "condition": C[:5]}
    record = evaluation.log_marginal_ais(vae, few, num_chains=32, num_steps=30, num_leapfrog_steps=3)
    assert (np.abs(record.per_example - expected[:5]) < 5 * np.sqrt(record.monte_carlo_variance)).all()


@pytest.mark.slow
def test_chains_in_both_directions(case):
    vae, mean, _ = case
    both = evaluation.bidirectional_ais(
        vae, num_examples=30, condition=C[0], num_chains=32, num_steps=60, num_leapfrog_steps=3, batch_size=20
    )
    expected = log_marginal(both.x, np.tile(C[0], (30, 1)), mean)
    assert both.lower.mean - 3 * both.lower.standard_error < expected.mean() < both.upper.mean + both.gap.mean
    assert 0.0 <= both.gap.mean < 1.0
    offset = decoded(np.zeros(2) if mean is None else mean @ C[0], C[0])
    spread = np.sqrt(np.diag(MODEL.weights @ MODEL.weights.T) + MODEL.sigma**2)
    assert (np.abs(both.x.mean(axis=0) - offset) < 5 * spread / np.sqrt(30)).all()


@pytest.mark.slow
@pytest.mark.parametrize("start", ["posterior", "prior"])
def test_hamiltonian_chains(case, start):
    vae, _, expected = case
    few = {"x": X[:3], "condition": C[:3]}
    record = evaluation.log_marginal_hmc(vae, few, num_samples=200, num_burnin=100, start=start)
    error = np.sqrt(record.monte_carlo_variance)
    assert (np.abs(record.per_example - expected[:3]) < 5 * error + 0.02).all()


def test_prior_and_posterior_are_those_of_random_conditions(case):
    vae, mean, _ = case
    found = evaluation.prior_vs_posterior(vae, DATA, num_samples=400, num_components=2)
    expected = np.zeros(2) if mean is None else (C @ mean.T).mean(axis=0)
    error = found.z_prior.std(axis=0) / np.sqrt(400) + (
        0.0 if mean is None else (C @ mean.T).std(axis=0) / np.sqrt(400)
    )
    assert (np.abs(found.z_prior.mean(axis=0) - expected) < 5 * error).all()
    assert found.means_mixture.shape == (400, 4)


def test_representation_and_gradients(vae):
    labels = (C[:, 0] > 0).astype(int)
    found = evaluation.representation(vae, DATA, DATA, train_labels=labels, test_labels=labels)
    assert found.linear_probe.num_examples == 40
    noise = evaluation.gradient_variance(vae, DATA, estimators.SGVB(), num_repeats=2)
    assert noise.batch_size == 40
    other = evaluation.gradient_variance(vae, {"x": X, "condition": C + 1.0}, estimators.SGVB(), num_repeats=2)
    assert noise.rows[0].mean_norm != other.rows[0].mean_norm


def test_walks_are_decoded_with_the_condition(vae):
    walk = evaluation.latent_traversal(vae, X[0], [1], values=[-1.0, 2.0], condition=C[0])
    np.testing.assert_allclose(walk.means, decoded(walk.z, C[0]), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(walk.z[0, 0, 0], vae.encode(X[:1], condition=C[:1]).mean()[0, 0], rtol=1e-5)
    way = evaluation.interpolate(vae, X[:3], X[3:6], 4, condition=C[:3])
    np.testing.assert_allclose(way.means, decoded(way.z, C[:3, np.newaxis]), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(way.z[:, -1], vae.encode(X[3:6], condition=C[:3]).mean(), rtol=1e-4, atol=1e-6)
    same = evaluation.interpolate(vae, X[:3], X[3:6], 4, condition=C[0])
    np.testing.assert_allclose(same.means, decoded(same.z, C[0]), rtol=1e-4, atol=1e-5)
    with pytest.raises(ValueError, match="needs a condition"):
        evaluation.latent_traversal(vae, X[0])


@pytest.mark.slow
def test_a_data_set_of_dictionaries(case):
    vae, _, expected = case
    data = tf.data.Dataset.from_tensor_slices(DATA).batch(16)
    found = evaluation.inference_gaps(vae, data, num_steps=0, num_samples=2, num_importance_samples=2)
    np.testing.assert_allclose(found.log_marginal.per_example, expected, rtol=1e-4)
