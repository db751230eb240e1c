"""Monte Carlo EM on a linear-Gaussian model, whose posterior and log p(x) are known."""

import math

import numpy as np
import pytest
from gaussian_vaes import exact_vae
from linear_gaussian import make_linear_gaussian

from tfvae.data import Split
from tfvae.papers.kingma_welling_2013.monte_carlo_em import MonteCarloEM

MODEL = make_linear_gaussian(latent_size=2, data_size=3)


def learner(num_examples, model=MODEL, seed=0):
    data = Split(MODEL.data(num_examples).astype("float32"))
    return MonteCarloEM(exact_vae(model), data, seed=seed), data


@pytest.fixture(scope="module")
def _of_600():
    return learner(600)


@pytest.fixture
def of_600(_of_600):
    """At its first weights and chains; the weights stay."""
    _of_600[0].restart(0.0)
    return _of_600


def test_chains_sample_the_posterior(of_600):
    em, data = of_600
    em.advance(5 * 600 * 120)  # 120 passes
    residual = em.chains.z.numpy() - MODEL.posterior_mean(data.x)  # [N, D]
    root = np.linalg.cholesky(np.linalg.inv(MODEL.posterior_covariance))
    standard = residual @ root
    np.testing.assert_allclose(standard.mean(axis=0), 0.0, atol=5 / 600**0.5)
    np.testing.assert_allclose(np.cov(standard.T), np.eye(2), atol=5 * (2 / 600) ** 0.5)
    assert 0.85 < em.chains.acceptance < 0.95


def test_mean_acceptance_is_right_from_the_first_transition_on(of_600):
    em, _ = of_600
    assert math.isnan(em.chains.acceptance)
    em.chains.step_size.assign(1e-4)  # everything is accepted
    em.advance(5 * 100 * 3)
    np.testing.assert_allclose(em.chains.acceptance, 1.0, atol=0.01)


def test_every_example_has_its_turn(of_600):
    em, _ = of_600  # six minibatches of 100 a pass
    before = em.chains.z.numpy()
    em.advance(5 * 100)
    moved = np.any(em.chains.z.numpy() != before, axis=1)
    assert 60 < moved.sum() <= 100  # a few proposals are refused
    em.advance(5 * 100)
    assert np.any(em.chains.z.numpy() != before, axis=1).sum() > 1.5 * moved.sum()


@pytest.mark.slow
def test_finds_the_maximum_likelihood():
    em, data = learner(1_000, MODEL._replace(bias=MODEL.bias + 1.0, weights=0.5 * MODEL.weights))
    em.restart(0.1)
    # z ~ p(z), for any likelihood: log mean p(x|z).
    z = np.random.default_rng(0).normal(size=(20_000, 1, 2)).astype("float32")

    def log_marginal():
        log_likelihood = em.vae.decode(z).log_prob(data.x[:200]).numpy().astype("float64")  # [S, B]
        return np.mean(np.logaddexp.reduce(log_likelihood, axis=0)) - np.log(len(z))

    expected = MODEL.log_marginal(data.x[:200]).mean()
    assert log_marginal() < expected - 0.3
    em.advance(5 * 1_000 * 150)
    np.testing.assert_allclose(log_marginal(), expected, atol=0.05)


@pytest.mark.slow
def test_goes_on_bit_for_bit(tmp_path):
    em, _ = learner(230, seed=5)
    em.restart(0.02)
    em.advance(5 * 100 * 3)
    em.save(tmp_path)
    em.advance(5 * 100 * 4)
    other, _ = learner(230, seed=5)
    other.restart(0.02)
    other.load(tmp_path)
    other.advance(5 * 100 * 4)
    for a, b in zip(em._variables, other._variables, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())


@pytest.mark.parametrize("rate", [0.01, 0.1])
@pytest.mark.slow
def test_restart_goes_back_to_the_first_weights(rate):
    em, _ = learner(120)
    before = [variable.numpy() for variable in em._variables]
    em.restart(rate)
    em.advance(5 * 100 * 2)
    em.restart(rate)
    changed = [np.any(a != b.numpy()) for a, b in zip(before, em._variables, strict=True)]
    assert sum(changed) <= 1  # the learning rate
