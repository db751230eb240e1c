"""A linear-Gaussian model with a condition: p(z|c) = N(A c, I) or N(0, I), p(x|z,c) = N(W z + U c + b, sigma^2 I)."""

import keras
import numpy as np
import tensorflow_probability as tfp
from gaussian_vaes import inverse_softplus
from linear_gaussian import make_linear_gaussian

import tfvae
from tfvae import layers

MODEL = make_linear_gaussian(latent_size=2, data_size=4)
NUM_CONDITIONS = 3  # numbers in a condition
A = np.array([[1.0, -0.5, 0.3], [0.2, 0.7, -1.1]])  # [D, C]
U = np.random.default_rng(5).normal(size=(MODEL.data_size, NUM_CONDITIONS))  # [X, C]


def linear(inputs, weights, bias, layer):
    """The distribution layer of parameters that are linear in concatenated inputs of the given sizes."""
    symbolic = {name: keras.Input((size,), name=name) for name, size in inputs.items()}
    dense = keras.layers.Dense(len(bias))
    network = keras.Model(symbolic, layer(dense(keras.layers.Concatenate()(list(symbolic.values())))))
    dense.set_weights([weights, bias])
    return network


def with_constants(weights, bias, constants):
    """A kernel and bias whose last outputs are constants."""
    kernel = np.concatenate([weights.T, np.zeros((weights.shape[1], len(constants)))], axis=1)
    return kernel, np.concatenate([bias, constants])


def exact_vae(prior_mean=A):
    """The exact posterior as the encoder. Without a mean of the prior, it is p(z)."""
    mean = np.zeros_like(A) if prior_mean is None else prior_mean
    gain, size, width = MODEL.posterior_weights, MODEL.latent_size, MODEL.data_size
    raw = np.linalg.cholesky(MODEL.posterior_covariance)
    raw[np.diag_indices(size)] = inverse_softplus(np.diag(raw) - 1e-5)
    raw = np.asarray(tfp.math.fill_triangular_inverse(raw))
    # E[z|x,c] = A c + G (x - b - U c - W A c)
    of_posterior = np.concatenate([gain, mean - gain @ (U + MODEL.weights @ mean)], axis=1)
    encoder = linear(
        {"x": width, "condition": NUM_CONDITIONS},
        *with_constants(of_posterior, -gain @ MODEL.bias, raw),
        layers.MultivariateNormalTriL(size),
    )
    scale = np.full(width, inverse_softplus(MODEL.sigma))
    decoder = linear(
        {"z": size, "condition": NUM_CONDITIONS},
        *with_constants(np.concatenate([MODEL.weights, U], axis=1), MODEL.bias, scale),
        layers.IndependentNormal(width),
    )
    if prior_mean is None:
        return tfvae.models.VAE(encoder, decoder, seed=0)
    network = keras.Sequential(
        [keras.Input((NUM_CONDITIONS,)), keras.layers.Dense(2 * size), layers.MultivariateNormalDiag(size)]
    )
    ones = np.full(size, inverse_softplus(1.0 - 1e-5))
    network.layers[0].set_weights(with_constants(mean, np.zeros(size), ones))
    return tfvae.models.VAE(encoder, decoder, tfvae.priors.Conditional(network), seed=0)


def log_marginal(x, c, prior_mean=A):
    """log p(x|c) [B]."""
    mean = 0.0 if prior_mean is None else c @ prior_mean.T @ MODEL.weights.T
    return MODEL.log_marginal(x - c @ U.T - mean)


def sample_data(num_examples):
    """Examples and their conditions."""
    rng = np.random.default_rng(1)
    x, c = rng.normal(size=(num_examples, MODEL.data_size)), rng.normal(size=(num_examples, NUM_CONDITIONS))
    return x.astype("float32"), c.astype("float32")
