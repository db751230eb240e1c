"""First weights that the data suggest."""

import keras
import numpy as np

from tfvae.data import Split
from tfvae.models import VAE

_LEAST_PROBABILITY = 1e-3
_LEAST_SCALE = 1e-2
# Softplus of it is 1.
_UNIT_RAW_SCALE = float(np.log(np.expm1(1.0)))
# Share of the usual size that the last kernels have where a model starts as a standard normal.
_SMALL = 0.1


def start_at_marginals(vae: VAE, split: Split, likelihood: str) -> None:
    """Sets the decoder's last bias so that p(x|z), before it depends on z, is each pixel's own distribution.

    Training then starts from the best model without latents, not from even odds. A convolution, whose bias is one
    number a channel, gets the mean over pixels.

    Args:
        vae: a model whose decoder is a body of `tfvae.networks`, then a distribution layer.
        split: the training data as the likelihood models them.
        likelihood: "bernoulli" (the bias is a logit) or "normal" (a mean, then a raw scale).

    References:
        Burda, Grosse & Salakhutdinov, Importance Weighted Autoencoders, 2015, arXiv 1509.00519, whose published code
        starts at the logits of the pixels' means.
    """
    x = split.x
    mean = x.mean(axis=0, dtype=np.float64)
    if likelihood == "bernoulli":
        probability = np.clip(mean, _LEAST_PROBABILITY, 1.0 - _LEAST_PROBABILITY)
        parameters = np.log(probability / (1.0 - probability))[np.newaxis]
    else:
        scale = np.maximum(x.std(axis=0, dtype=np.float64), _LEAST_SCALE)
        parameters = np.stack([mean, scale + np.log(-np.expm1(-scale))])  # the inverse of softplus
    layer = _last_with_bias(vae.decoder)
    if isinstance(layer, keras.layers.Conv2D):
        parameters = parameters.mean(axis=(1, 2))  # [parameter, channel], the order of the filters
    layer.bias.assign(parameters.reshape(-1))


def start_at_unit_normal(vae: VAE) -> None:
    """Makes p(x|z) and q(z|x) almost standard normals, whatever z and x are, for a model that standardises its data.

    Then the first ELBO is about that of independent normals fitted to the values, and training only adds to it; with
    weights of the usual size it would start some nats below, which few examples take long to make up for.

    Args:
        vae: a model whose encoder and decoder each hold a body of `tfvae.networks` before a distribution layer of locs
            and raw scales.
    """
    decoder, encoder = _last_with_bias(vae.decoder), _last_with_bias(vae.encoder)
    for layer in (decoder, encoder):
        layer.kernel.assign(_SMALL * layer.kernel)
    for layer, num_parameters in ((decoder, 2), (encoder, encoder.bias.shape[0] / vae.latent_shape[0])):
        if num_parameters == 2:  # a full covariance stays at the usual start, smaller than one
            layer.bias.assign(np.repeat([0.0, _UNIT_RAW_SCALE], layer.bias.shape[0] // 2))


def _last_with_bias(network: keras.Sequential) -> keras.layers.Layer:
    """The layer that emits the parameters of the distribution."""
    body = next(layer for layer in network.layers if isinstance(layer, keras.Sequential))
    return [layer for layer in body.layers if getattr(layer, "bias", None) is not None][-1]
