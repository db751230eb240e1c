"""First weights that the data suggest."""

import keras
import numpy as np

from tfvae.data import Split
from tfvae.models import VAE

_LEAST_PROBABILITY = 1e-3
_LEAST_SCALE = 1e-2


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
    layers = [layer for layer in vae.decoder.layers[0].layers if getattr(layer, "bias", None) is not None]
    if isinstance(layers[-1], keras.layers.Conv2D):
        parameters = parameters.mean(axis=(1, 2))  # [parameter, channel], the order of the filters
    layers[-1].bias.assign(parameters.reshape(-1))
