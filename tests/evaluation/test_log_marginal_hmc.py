"""Log p(x) from posterior samples, against the closed form."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from test_records import linear_gaussian_vae

import tfvae
from tfvae import layers
from tfvae.evaluation import log_marginal_hmc
from tfvae.evaluation.log_marginal_hmc import _effective_sample_size


@pytest.fixture(scope="module")
def measured():
    vae, x, log_px = linear_gaussian_vae(posterior_scale=2.5)  # a poor encoder, which only starts the chains
    settings = {"num_samples": 150, "num_burnin": 100, "num_chains": 4}
    x, log_px = x[:8], log_px[:8]
    return vae, x, log_px, settings, log_marginal_hmc(vae, x, batch_size=4, **settings)


def test_mean_is_log_p_within_its_error(measured):
    _, _, log_px, _, record = measured
    assert 0.0 < record.monte_carlo_standard_error < 0.03
    assert abs(record.mean - log_px.mean()) < 5 * record.monte_carlo_standard_error
    errors = (record.per_example - log_px) / np.sqrt(record.monte_carlo_variance)
    assert np.abs(errors).max() < 5
    found = json.loads(json.dumps(record.to_dict(), allow_nan=False))
    assert found["num_examples"] == 8
    assert 0.6 < found["acceptance_min"] <= found["acceptance_mean"] <= 1.0
    assert 1.0 <= found["effective_sample_size_min"] <= found["effective_sample_size_median"] <= 600


@pytest.mark.slow
def test_chains_that_start_from_the_prior_need_no_encoder(measured):
    _, x, log_px, settings, _ = measured
    vae, _, _ = linear_gaussian_vae(posterior_scale=1e-3)  # an encoder that is no start
    record = log_marginal_hmc(vae, x, start="prior", **settings)
    errors = (record.per_example - log_px) / np.sqrt(record.monte_carlo_variance)
    assert np.abs(errors).max() < 5
    with pytest.raises(ValueError, match="Received: start='encoder'"):
        log_marginal_hmc(vae, x, start="encoder")


def test_tensorflow_warns_of_no_cast_and_of_others_again(caplog):
    caplog.set_level("WARNING", logger="tensorflow")  # whatever the command line has set before
    ratios = tf.random.stateless_normal([20, 2, 3], [1, 2])
    found = tf.function(_effective_sample_size)(ratios)  # it would warn of it while tracing
    assert not caplog.records
    np.testing.assert_allclose(found, tfp.mcmc.effective_sample_size(ratios), rtol=1e-4)
    tf.cast(tf.constant(1j, tf.complex64), tf.float32)
    assert "complex" in caplog.text


@pytest.mark.slow
def test_seed(measured):
    vae, x, _, settings, record = measured
    again = log_marginal_hmc(vae, x[:4], batch_size=4, **settings)
    np.testing.assert_array_equal(again.per_example, record.per_example[:4])


def test_many_dimensions_warn():
    encoder = keras.Sequential([keras.layers.Dense(22), layers.MultivariateNormalDiag(11)])
    decoder = keras.Sequential([keras.layers.Dense(4), layers.IndependentBernoulli(4)])
    vae = tfvae.models.VAE(encoder, decoder)
    with (
        pytest.warns(UserWarning, match="unreliable in more than 10 dimensions.*Received: latent_size=11"),
        pytest.raises(ValueError, match="no examples"),
    ):
        log_marginal_hmc(vae, np.zeros([0, 4], "float32"))


def test_weights_that_are_not_finite_are_an_error(measured):
    vae, x, _, settings, _ = measured
    before = vae.get_weights()
    vae.decoder.layers[0].bias.assign(vae.decoder.layers[0].bias * np.nan)
    with pytest.raises(ValueError, match=r"not finite for 4 of the 4 examples.*NaN or infinite values"):
        log_marginal_hmc(vae, x[:4], batch_size=4, **settings)
    vae.set_weights(before)


def test_discrete_latents_are_refused():
    encoder = keras.Sequential([keras.layers.Dense(3), layers.OneHotCategorical(3)])
    decoder = keras.Sequential([keras.layers.Dense(4), layers.IndependentBernoulli(4)])
    prior = tfvae.priors.Fixed(layers.OneHotCategorical.new(np.zeros(3, "float32"), 3))
    vae = tfvae.models.VAE(encoder, decoder, prior=prior, estimator=tfvae.estimators.VIMCO())
    with pytest.raises(ValueError, match="needs continuous latents"):
        log_marginal_hmc(vae, np.eye(4, dtype="float32"))


@pytest.mark.parametrize("name", ["num_samples", "num_burnin", "num_chains", "max_tree_depth"])
def test_counts(name):
    vae, x, _ = linear_gaussian_vae()
    with pytest.raises(ValueError, match=f"`{name}` must be an integer of at least .. Received: {name}=0"):
        log_marginal_hmc(vae, x, **{name: 0})
