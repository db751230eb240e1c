"""Linear-Gaussian VAEs with any linear encoder, whose numbers the oracle knows."""

import keras
import numpy as np
import tensorflow_probability as tfp

import tfvae
from tfvae import layers


def inverse_softplus(scale):
    return np.log(np.expm1(scale))


def decoder_of(model):
    """p(x|z) of a `LinearGaussian`."""
    size = model.data_size
    decoder = keras.Sequential(
        [
            keras.Input((model.latent_size,)),
            keras.layers.Dense(layers.IndependentNormal.params_size(size)),
            layers.IndependentNormal(size),
        ]
    )
    kernel = np.concatenate([model.weights.T, np.zeros((model.latent_size, size))], axis=1)
    decoder.layers[0].set_weights([kernel, np.concatenate([model.bias, np.full(size, inverse_softplus(model.sigma))])])
    return decoder


def encoder_of(model, layer, gain, offset, raw_scale):
    """A distribution layer whose loc is gain @ x + offset, and whose other parameters are constants."""
    num_raw = len(raw_scale)
    encoder = keras.Sequential(
        [keras.Input((model.data_size,)), keras.layers.Dense(model.latent_size + num_raw), layer(model.latent_size)]
    )
    kernel = np.concatenate([gain.T, np.zeros((model.data_size, num_raw))], axis=1)
    encoder.layers[0].set_weights([kernel, np.concatenate([offset, raw_scale])])
    return encoder


def gaussian_vae(model, gain, offset, scale):
    """q(z|x) = N(gain @ x + offset, scale): a vector for a diagonal scale, a lower triangle `[D, D]` for a full one."""
    if np.ndim(scale) == 1:
        layer, raw = layers.MultivariateNormalDiag, inverse_softplus(scale - 1e-5)
    else:
        raw = np.array(scale)
        raw[np.diag_indices(len(raw))] = inverse_softplus(np.diag(raw) - 1e-5)
        layer, raw = layers.MultivariateNormalTriL, np.asarray(tfp.math.fill_triangular_inverse(raw))
    return tfvae.models.VAE(encoder_of(model, layer, gain, offset, raw), decoder_of(model), seed=0)


def exact_vae(model, scale_factor=1.0, shift=0.0):
    """The encoder is the exact posterior, but for a factor of its scale and a shift of its loc."""
    gain = model.posterior_weights
    tril = np.linalg.cholesky(model.posterior_covariance) * scale_factor
    return gaussian_vae(model, gain, shift - gain @ model.bias, tril)
