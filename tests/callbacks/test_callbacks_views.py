"""What TensorBoard's pictures and histograms are made of."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from slow import slow_except

import tfvae
from tfvae.callbacks._tensorboard.views import NUM_DRAWS, ModelViews

tfd = tfp.distributions


PRIORS = {
    "standard": lambda: None,
    "diag": lambda: tfd.MultivariateNormalDiag([0.5, -1.0, 2.0], [0.5, 1.0, 3.0]),
    "Independent": lambda: tfd.Independent(tfd.Normal([0.5, -1.0, 2.0], [0.5, 1.0, 3.0]), 1),
    "Sample": lambda: tfd.Sample(tfd.Normal(0.5, 2.0), 3),
}


@pytest.mark.parametrize("prior", slow_except(PRIORS, "standard", "Sample"))
def test_kl_per_dimension_adds_up_to_the_kl(vae, images, prior):
    vae = tfvae.models.VAE(vae.encoder, vae.decoder, PRIORS[prior]())
    kl = ModelViews(vae, seed=0).encode(images).statistics["kl_per_dimension"]
    assert kl.shape == (3,)
    np.testing.assert_allclose(tf.reduce_sum(kl), tf.reduce_mean(vae.estimate(images).kl), rtol=1e-5)


def test_what_has_no_closed_form_is_left_out(vae, images):
    base = vae
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
    views = ModelViews(tfvae.models.VAE(encoder, base.decoder, base.prior), seed=0)
    encoding = views.encode(images)
    assert not encoding.statistics
    assert encoding.z.shape == (NUM_DRAWS, len(images), 3)
    assert views.decode(encoding.z[0]).shape == images.shape
    # A likelihood without a mean shows a draw, always the same one.
    views = ModelViews(tfvae.models.VAE(base.encoder, decoder), seed=0)
    z = np.zeros([2, 3], "float32")
    np.testing.assert_array_equal(views.decode(z), views.decode(z))
    assert views.decode(z).shape == (2, 6, 4, 1)
    np.testing.assert_array_equal(views.samples(2), views.samples(2))
    assert views.samples(2).shape == views.reconstructions(images[:2]).shape == (2, 6, 4, 1)


def test_kl_of_the_marginals_of_a_triangular_posterior(vae, images):
    base, latent = vae, tfvae.layers.MultivariateNormalTriL
    encoder = keras.Sequential(
        [keras.Input((6, 4, 1)), keras.layers.Flatten(), keras.layers.Dense(latent.params_size(3)), latent(3)]
    )
    vae = tfvae.models.VAE(encoder, base.decoder)
    found = ModelViews(vae, seed=0).encode(images).statistics["kl_per_dimension"]
    posterior = vae.encode(images)
    marginal = tfd.kl_divergence(tfd.Normal(posterior.mean(), posterior.stddev()), tfd.Normal(0.0, 1.0))
    np.testing.assert_allclose(found, tf.reduce_mean(marginal, axis=0), rtol=1e-5)


def test_gradient_norm_is_that_of_a_step_not_taken(make_vae, images):
    """SGD's step is the gradient times the learning rate, which is told by what the weights have moved."""
    vae = make_vae(learning_rate=1e-3)
    views = ModelViews(vae, seed=0)
    before = [variable.numpy() for variable in vae.variables]
    norm = float(views.gradient_norm(images))
    assert float(views.gradient_norm(images)) == norm
    for variable, value in zip(vae.variables, before, strict=True):
        np.testing.assert_array_equal(variable.numpy(), value)
    with tf.GradientTape() as tape:
        estimate = vae.estimate(images, training=True, seed=views._seed_step)
        loss = tf.reduce_mean(estimate.surrogate_loss) + sum(vae.losses)
    own = [g.numpy().ravel() for g in tape.gradient(loss, vae.trainable_variables)]
    np.testing.assert_allclose(norm, np.linalg.norm(np.concatenate(own)), rtol=1e-4)


def test_running_means_and_seeds_are_put_back(images):
    encoder = keras.Sequential(
        [
            keras.Input((6, 4, 1)),
            keras.layers.Flatten(),
            keras.layers.BatchNormalization(),
            keras.layers.Dropout(0.5, seed=1),
            keras.layers.Dense(6),
            tfvae.layers.MultivariateNormalDiag(3),
        ]
    )
    decoder = keras.Sequential(
        [keras.Input((3,)), keras.layers.Dense(24), tfvae.layers.IndependentBernoulli((6, 4, 1))]
    )
    vae = tfvae.models.VAE(encoder, decoder, seed=2)
    before = [variable.numpy() for variable in vae.variables]
    views = ModelViews(vae, seed=0)
    views.gradient_norm(images)
    views.encode(images)
    views.graph(images)
    for variable, value in zip(vae.variables, before, strict=True):
        np.testing.assert_array_equal(variable.numpy(), value, err_msg=variable.path)
