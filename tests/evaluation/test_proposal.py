"""Estimates of log p(x) and of the bound from the draws of an estimator, on a model whose log p(x) is known."""

import numpy as np
import pytest
from gaussian_vaes import exact_vae
from linear_gaussian import make_linear_gaussian

from tfvae import evaluation
from tfvae.estimators import SGVB, HamiltonianELBO

MODEL = make_linear_gaussian()
X = MODEL.data(6).astype("float32")
EXACT = MODEL.log_marginal(X)
STEP = {"step_size": 0.3, "temperature": 1.3}


@pytest.fixture(scope="module")
def vae():
    """Its posterior is shifted and too wide."""
    return exact_vae(MODEL, scale_factor=2.0, shift=0.4)


@pytest.fixture(scope="module")
def estimator():
    return HamiltonianELBO(1, **STEP)


def test_log_marginal_of_moved_draws(vae, estimator):
    moved = evaluation.log_marginal(vae, X, num_importance_samples=400, seed=1, estimator=estimator)
    errors = np.sqrt(moved.monte_carlo_variance)
    assert errors.max() < 0.2
    np.testing.assert_array_less(np.abs(moved.per_example - EXACT), 5 * errors)
    assert moved.diagnostics["proposal"] == repr(estimator)
    arguments = {"num_importance_samples": 400, "seed": 1, "chunk_size": 93, "batch_size": 4}
    in_chunks = evaluation.log_marginal(vae, X, estimator=estimator, **arguments)
    np.testing.assert_allclose(in_chunks.per_example, moved.per_example, rtol=1e-5)


@pytest.mark.slow
def test_few_moved_draws_are_a_tighter_bound(vae, estimator):
    many = np.repeat(X, 40, axis=0)
    few = [evaluation.log_marginal(vae, many, num_importance_samples=3, estimator=each) for each in (None, estimator)]
    assert few[0].mean + 0.5 < few[1].mean < EXACT.mean()
    assert "proposal" not in few[0].diagnostics


@pytest.mark.slow
def test_the_bound_of_moved_draws(vae, estimator):
    plain, moved = (evaluation.elbo(vae, X, num_samples=200, estimator=each) for each in (None, estimator))
    assert moved.mean > plain.mean + 0.3
    assert moved.mean < EXACT.mean()
    assert moved.diagnostics["proposal"] == repr(estimator)
    mean = np.mean(
        vae.estimate(X, estimator=HamiltonianELBO(1, step_size=0.3, temperature=1.3, num_samples=200), seed=3).bound
    )
    error = np.hypot(moved.to_dict()["monte_carlo_standard_error"], plain.to_dict()["monte_carlo_standard_error"])
    assert abs(moved.mean - mean) < 5 * error
    np.testing.assert_allclose(moved.details["log_likelihood"] - moved.details["kl"], moved.per_example, rtol=1e-5)


@pytest.mark.parametrize("measure", [evaluation.log_marginal, evaluation.elbo])
def test_estimators_without_draws_of_their_own(vae, measure):
    with pytest.raises(ValueError, match=r"must have a proposal of its own, such as Ham.*Received: estimator=SGVB\(\)"):
        measure(vae, X, estimator=SGVB())
    with pytest.raises(TypeError, match="must be an object, not a class"):
        measure(vae, X, estimator=HamiltonianELBO)
