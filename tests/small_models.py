"""Small models of images and vectors, with weights that are not special."""

import keras
import numpy as np

import tfvae


def small_vae(**parts) -> tfvae.models.VAE:
    """x `[B, 4, 2]` in [0, 1], two latents; with other parts of a VAE, by their names."""
    keras.utils.set_random_seed(1)
    posterior, likelihood = tfvae.layers.MultivariateNormalDiag, tfvae.layers.IndependentBernoulli
    encoder = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(posterior.params_size(2)), posterior(2)])
    decoder = keras.Sequential([keras.layers.Dense(likelihood.params_size((4, 2))), likelihood((4, 2))])
    vae = tfvae.models.VAE(encoder, decoder, seed=7, **parts)
    vae.build((None, 4, 2))
    rng = np.random.default_rng(2)
    for variable in vae.trainable_variables:
        variable.assign(rng.normal(size=variable.shape))
    return vae
