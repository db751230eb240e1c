"""What TensorBoard's pictures and histograms are made of."""

import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

import tfvae
from tfvae.callbacks._views import ModelViews

tfd = tfp.distributions


def test_kl_per_dimension_adds_up_to_the_kl(vae, images):
    for prior in (
        None,
        tfd.MultivariateNormalDiag([0.5, -1.0, 2.0], [0.5, 1.0, 3.0]),
        tfd.Independent(tfd.Normal([0.5, -1.0, 2.0], [0.5, 1.0, 3.0]), 1),
        tfd.Sample(tfd.Normal(0.5, 2.0), 3),
    ):
        vae = tfvae.models.VAE(vae.encoder, vae.decoder, prior)
        kl = ModelViews(vae, num_samples=1, seed=0).posterior_statistics(images)["kl_per_dimension"]
        assert kl.shape == (3,)
        np.testing.assert_allclose(tf.reduce_sum(kl), tf.reduce_mean(vae.estimate(images).kl), rtol=1e-5)


def test_what_has_no_closed_form_is_left_out(make_vae, images):
    base = make_vae()
    flow = tfvae.layers.DistributionLambda(
        lambda t: tfd.TransformedDistribution(
            tfd.MultivariateNormalDiag(t[..., :3], tf.nn.softplus(t[..., 3:])), tfp.bijectors.Tanh()
        )
    )
    encoder = keras.Sequential([keras.Input((6, 4, 1)), keras.layers.Flatten(), keras.layers.Dense(6), flow])
    likelihood = tfvae.layers.DistributionLambda(
        lambda t: tfd.Independent(tfd.QuantizedDistribution(tfd.Normal(tf.reshape(t, [-1, 6, 4, 1]), 0.1)), 3)
    )
    decoder = keras.Sequential([keras.Input((3,)), keras.layers.Dense(24), likelihood])
    views = ModelViews(tfvae.models.VAE(encoder, base.decoder, base.prior), num_samples=2, seed=0)
    assert not views.posterior_statistics(images)
    assert views.reconstructions(images).shape == images.shape
    # A likelihood without a mean shows a draw, always the same one.
    views = ModelViews(tfvae.models.VAE(base.encoder, decoder), num_samples=2, seed=0)
    np.testing.assert_array_equal(views.samples(), views.samples())
    assert views.samples().shape == (2, 6, 4, 1)
