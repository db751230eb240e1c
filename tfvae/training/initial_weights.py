"""Initial weights that depend on the data."""

import keras
import numpy as np

from tfvae._numerics import softplus_inverse
from tfvae.data import Split
from tfvae.layers import NormalizingFlow
from tfvae.layers._adapted import moments
from tfvae.models import VAE

_MIN_PROBABILITY = 1e-3
_MIN_SCALE = 1e-2
# Its softplus is 1.
_UNIT_RAW_SCALE = float(np.log(np.expm1(1.0)))
# Factor on the last kernels of a model that starts as a standard normal.
_KERNEL_FACTOR = 0.1


def start_at_marginals(vae: VAE, split: Split, likelihood: str) -> None:
    """Sets the last bias of the decoder so that p(x|z) starts as the marginal distribution of each pixel.

    Training then starts from the best model without latents instead of a uniform one. A convolution has one bias per
    channel, which is set to the mean over pixels.

    Args:
        vae: Model whose decoder is a network of `tfvae.networks` followed by a distribution layer.
        split: Training data after preprocessing.
        likelihood: "bernoulli" (the bias is a logit) or "normal" (a mean, then a raw scale). Others start as they are.

    References:
        Burda, Grosse & Salakhutdinov, Importance Weighted Autoencoders, 2015, arXiv 1509.00519, whose published code
        starts at the logits of the pixels' means.
    """
    if likelihood not in ("bernoulli", "normal"):
        return
    mean, stddev = _moments(split)
    if likelihood == "bernoulli":
        probability = np.clip(mean, _MIN_PROBABILITY, 1.0 - _MIN_PROBABILITY)
        parameters = np.log(probability / (1.0 - probability))[np.newaxis]
    else:
        scale = np.maximum(stddev, _MIN_SCALE)
        parameters = np.stack([mean, softplus_inverse(scale)])
    layer = _last_with_bias(vae.decoder)
    if isinstance(layer, keras.layers.Conv1D | keras.layers.Conv2D | keras.layers.Conv3D):
        channels = layer.bias.shape[0] // len(parameters)
        if channels != parameters.shape[-1]:  # several axes are channels
            parameters = parameters.reshape(len(parameters), -1, channels)
        spatial = tuple(range(1, parameters.ndim - 1))
        parameters = parameters.mean(axis=spatial)  # [parameter, channel], the order of the filters
    layer.bias.assign(parameters.reshape(-1))


def _moments(split: Split) -> tuple[np.ndarray, np.ndarray]:
    """Returns mean and standard deviation of each value, over the examples in which it is observed."""
    if split.observed is None:
        return split.x.mean(axis=0, dtype=np.float64), split.x.std(axis=0, dtype=np.float64)
    mean, stddev, _, _ = moments({"x": split.x, "observed": split.observed})
    return mean, stddev


def start_at_unit_normal(vae: VAE, *, has_scales: bool = True) -> None:
    """Sets the initial weights of a standardising model so that p(x|z) and q(z|x) are almost standard normal.

    The initial ELBO is then about that of independent normals fitted to the data. With default initial weights it would
    be some nats lower, which takes long to make up on small data sets.

    Args:
        vae: Model whose encoder and decoder each have a network of `tfvae.networks` before a distribution layer with
            locs and raw scales. If z has several parts, only the decoder is changed.
        has_scales: Whether the parameters of p(x|z) are locs and raw scales. If not, they start at about zero.
    """
    decoder = _last_with_bias(vae.decoder)
    layers = [(decoder, 2)]
    if isinstance(vae.latent_shape, tuple):
        encoder = _last_with_bias(vae.encoder)
        layers.append((encoder, encoder.bias.shape[0] / vae.latent_shape[0]))
    for layer, _ in layers:
        layer.kernel.assign(_KERNEL_FACTOR * layer.kernel)
    for layer, num_parameters in layers:
        if layer is decoder and not has_scales:
            layer.bias.assign(np.zeros(layer.bias.shape))
        elif num_parameters == 2:  # a full covariance keeps its default start, which is below one
            layer.bias.assign(np.repeat([0.0, _UNIT_RAW_SCALE], layer.bias.shape[0] // 2))


def start_at_base(encoder: keras.Model, *, seed: int) -> None:
    """Sets the last weights of an encoder so that a posterior that is a flow starts almost as its diagonal normal.

    With default initial weights, transforms would start by bending the posteriors of all x at random.

    Args:
        encoder: Encoder with a network of `tfvae.networks` before a distribution layer. Others than `NormalizingFlow`
            leave it as it is.
        seed: Seed of the parameters at which the transforms start.
    """
    flow = encoder.layers[-1]
    if isinstance(flow, NormalizingFlow):
        start_flow_at_base(_last_with_bias(encoder), flow, seed=seed)


def start_flow_at_base(layer: keras.layers.Layer, flow: NormalizingFlow, *, seed: int) -> None:
    """Sets the weights of the layer that outputs the parameters of a flow. See `start_at_base`."""
    rng, of_base = np.random.default_rng(seed), 2 * flow.event_size
    start = [transform.initial_parameters(flow.event_size, rng) for transform in flow.transforms]
    kernel = np.array(layer.kernel)
    kernel[..., of_base:] *= _KERNEL_FACTOR
    layer.kernel.assign(kernel)
    layer.bias.assign(np.concatenate([np.array(layer.bias)[:of_base], *start]))


def _last_with_bias(network: keras.Model) -> keras.layers.Layer:
    """Returns the layer that outputs the parameters of the distribution."""
    bodies = (layer.layers for layer in network.layers if isinstance(layer, keras.Model))
    with_bias = ([layer for layer in body if getattr(layer, "bias", None) is not None] for body in bodies)
    return next(found for found in with_bias if found)[-1]
