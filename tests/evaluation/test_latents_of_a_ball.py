"""Evaluations that walk through latents on the Poincare ball stay in it, and count in units of distance."""

import keras
import numpy as np
import pytest
from small_models import random_bits

import tfvae
from tfvae import evaluation, layers, networks, priors
from tfvae.evaluation import figures
from tfvae.evaluation._chains import can_run_chains

X, C = (4, 2, 1), 0.7


@pytest.fixture(scope="module", params=["normal", "vamp"])
def vae(request):
    keras.utils.set_random_seed(0)
    encoder = keras.Sequential(
        [keras.Input(X), keras.layers.Flatten(), keras.layers.Dense(4), layers.PoincareNormal(2, C)]
    )
    decoder = keras.Sequential(
        [networks.Gyroplane(8, C, "relu"), keras.layers.Dense(8), layers.IndependentBernoulli(X)]
    )
    vamp = priors.VampPrior(encoder, 3, activation="sigmoid")
    prior = priors.PoincareNormal(2, C) if request.param == "normal" else vamp
    return tfvae.models.VAE(encoder, decoder, prior, seed=0)


def test_a_traversal_is_along_a_line_of_the_tangent_space(vae):
    walk = evaluation.latent_traversal(vae, z=np.zeros(2), dimensions=1)
    np.testing.assert_array_equal(walk.z[0, :, 0], 0.0)
    along = walk.z[0, :, 1]
    distances = 2 / np.sqrt(C) * np.arctanh(np.sqrt(C) * along)
    np.testing.assert_allclose(distances, np.linspace(-3, 3, 11), atol=1e-12)
    start = np.array([0.3, -0.4])
    own = 2 * np.arctanh(np.sqrt(C) * 0.5) / np.sqrt(C) * -0.4 / 0.5  # the coordinate of the start itself
    walk = evaluation.latent_traversal(vae, z=start, values=[own])
    np.testing.assert_allclose(walk.z[1, 0], start, rtol=1e-6)
    assert np.all((evaluation.latent_traversal(vae, random_bits(1, X, 0)[0]).z ** 2).sum(axis=-1) < 1 / C)


def test_manifolds_are_drawn_from_points_of_the_ball(vae, monkeypatch):
    seen = []
    decoded = figures._decoded_means
    monkeypatch.setattr(figures, "_decoded_means", lambda vae, z, c: seen.append(z) or decoded(vae, z, c))
    figures.manifold(vae, num_steps=4)
    (z,) = seen
    assert z.shape == (16, 2)
    assert z.dtype == "float32"
    length = np.sqrt(C) * np.linalg.norm(z, axis=-1)
    # The corners of the grid of quantiles of a normal, at 1/8 and 7/8.
    np.testing.assert_allclose((2 / np.sqrt(C) * np.arctanh(length)).max(), np.sqrt(2) * 1.150349, rtol=1e-5)


def test_chains_can_run_in_the_ball(vae):
    assert can_run_chains(vae.prior_of())


@pytest.mark.slow
def test_log_marginal_by_chains_is_that_by_importance_sampling(vae):
    x = random_bits(2, X, 1)
    by_draws = evaluation.log_marginal(vae, x, num_importance_samples=2000)
    by_chains = evaluation.log_marginal_ais(vae, x, num_steps=30)
    np.testing.assert_allclose(by_chains.per_example, by_draws.per_example, atol=0.15)
