"""Evaluations of a model whose latents are the log-odds of sticks."""

import keras
import numpy as np
import pytest

from tfvae import evaluation
from tfvae.data import Split
from tfvae.layers import IndependentBernoulli, KumaraswamySticks, MultivariateNormalDiag, StickBreaking
from tfvae.models import VAE
from tfvae.priors import StandardNormal
from tfvae.priors import StickBreaking as StickBreakingPrior

NUM_STICKS = 3


@pytest.fixture(scope="module")
def vae():
    keras.utils.set_random_seed(0)
    size = 2 * NUM_STICKS
    encoder = keras.Sequential([keras.Input((4,)), keras.layers.Dense(size), KumaraswamySticks(NUM_STICKS)])
    decoder = keras.Sequential(
        [keras.Input((NUM_STICKS,)), StickBreaking(), keras.layers.Dense(4), IndependentBernoulli(4)]
    )
    return VAE(encoder, decoder, StickBreakingPrior(NUM_STICKS, alpha0=2.0), seed=0)


def bits(num=60):
    return np.random.default_rng(0).integers(2, size=(num, 4)).astype("float32")


def make_sharp(vae):
    """The first share has all mass where the first bit is 1, and the second one where it is 0."""
    # Medians of the fractions, then their widths.
    kernel, bias = np.zeros((4, 6), "float32"), np.array([-20, 20, 20, 0, 0, 0], "float32")
    kernel[0, 0] = 40.0
    vae.encoder.layers[0].set_weights([kernel, bias])


def test_effective_dimensions_of_known_shares(vae):
    x = bits()
    make_sharp(vae)
    found = evaluation.effective_dimensions(vae, x, num_samples=20)
    part = x[:, 0].mean()
    expected = np.array([part, 1 - part, 0, 0])
    np.testing.assert_allclose(found.mean_shares, expected, atol=0.1)
    np.testing.assert_allclose(found.mean_shares.sum(), 1.0, rtol=1e-5)
    entropy = -np.sum(found.mean_shares * np.log(found.mean_shares + 1e-30))
    np.testing.assert_allclose(found.perplexity, np.exp(entropy), rtol=1e-4)
    assert found.per_example < found.perplexity
    assert evaluation.effective_dimensions(vae, x, coverage=0.8).num_covering == 2
    assert found.to_dict()["coverage"] == 0.99


def test_representation_is_that_of_the_shares(vae):
    """Log-odds far out differ between draws, while the shares tell the first bit."""
    make_sharp(vae)
    x = bits()
    split = Split(x, x[:, 0].astype("int64"))
    found = evaluation.representation(vae, split, split, k=3, num_samples=20)
    assert found.nearest_neighbors.mean > 0.9


def test_diagnostics_and_active_units(vae):
    vae.encoder.layers[0].set_weights([np.random.default_rng(1).normal(size=(4, 6)), np.zeros(6)])
    x = bits(20)
    found = evaluation.diagnostics(vae, x, num_samples=2)
    assert found.kl_per_dimension.note.startswith("closed form; the sum")
    np.testing.assert_allclose(found.kl_per_dimension.mean.sum(), found.rate.mean, rtol=1e-4)
    assert found.active_units.num_active == evaluation.active_units(vae, x).num_active == NUM_STICKS


@pytest.mark.slow
def test_markov_chains_need_no_bijector(vae):
    vae.encoder.layers[0].set_weights([np.random.default_rng(1).normal(size=(4, 6)), np.zeros(6)])
    x = bits(4)
    reference = evaluation.log_marginal(vae, x, num_importance_samples=5000)
    chains = evaluation.log_marginal_ais(vae, x, num_chains=20)
    np.testing.assert_allclose(chains.per_example, reference.per_example, atol=0.2)


def test_models_without_shares_are_an_error():
    encoder = keras.Sequential([keras.Input((4,)), keras.layers.Dense(4), MultivariateNormalDiag(2)])
    decoder = keras.Sequential([keras.Input((2,)), keras.layers.Dense(4), IndependentBernoulli(4)])
    with pytest.raises(ValueError, match=r"needs a model whose latents are sticks.*StandardNormal"):
        evaluation.effective_dimensions(VAE(encoder, decoder, StandardNormal(2)), bits())
