"""Active units by themselves."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from gaussian_vaes import decoder_of, gaussian_vae
from linear_gaussian import make_linear_gaussian

import tfvae
from tfvae import layers
from tfvae.evaluation import active_units, diagnostics

tfb, tfd = tfp.bijectors, tfp.distributions

MODEL = make_linear_gaussian(latent_size=3, data_size=4, sigma=0.9)
DATA = MODEL.data(23, seed=5).astype("float32")
GAIN = np.array([[0.3, -0.1, 0.2, 0.05], [0.0, 0.0, 0.0, 0.0], [-0.2, 0.4, 0.0, 0.1]])  # unit 1 ignores x


def test_they_are_those_of_the_diagnostics():
    vae = gaussian_vae(MODEL, GAIN, np.array([0.2, -0.3, 0.1]), np.array([0.4, 0.95, 0.6]))
    units, expected = active_units(vae, DATA, batch_size=10), diagnostics(vae, DATA, batch_size=10).active_units
    np.testing.assert_allclose(units.variance, np.diag(np.cov(DATA @ GAIN.T, rowvar=False)), rtol=1e-4, atol=1e-10)
    np.testing.assert_array_equal(units.active, [True, False, True])
    np.testing.assert_allclose(units.variance, expected.variance, rtol=1e-6, atol=1e-12)
    np.testing.assert_allclose(units.standard_error, expected.standard_error, rtol=1e-6, atol=1e-12)
    with pytest.raises(ValueError, match="at least 2"):
        active_units(vae, DATA[:1])


def test_a_posterior_that_does_not_know_its_mean_has_none():
    squashed = layers.DistributionLambda(
        lambda raw: tfd.TransformedDistribution(tfd.MultivariateNormalDiag(raw, tf.ones_like(raw)), tfb.Tanh())
    )
    encoder = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3), squashed])
    vae = tfvae.models.VAE(encoder, decoder_of(MODEL), prior=tfvae.priors.StandardNormal(3))
    assert active_units(vae, DATA) is None
