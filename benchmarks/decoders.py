"""Programs that `benchmarks/inference.py` compares: the decoder of the paper, from an array to an array.

A contender is a function of the weights `[(kernel, bias), ...]`, NumPy arrays, with tanh between the layers. It returns
a function from z `[B, D]` to a tuple with the mean of p(x|z) `[B, 784]`, a NumPy array.
"""

import importlib.util
import tempfile

from encoders import keras_network


def _vae(weights):
    import keras

    import tfvae

    size, num_pixels = len(weights[0][0]), weights[-1][1].size
    encoder = tfvae.networks.mlp(2 * size, [bias.size for _, bias in weights[:-1]], "tanh")
    return tfvae.models.VAE(
        keras.Sequential([keras.Input((num_pixels,)), encoder, tfvae.layers.MultivariateNormalDiag(size)]),
        keras.Sequential([keras_network(weights), tfvae.layers.IndependentBernoulli((num_pixels,))]),
    )


def signature(weights):
    """The SavedModel's signature `decode`, which also draws x."""
    import tensorflow as tf

    import tfvae

    with tempfile.TemporaryDirectory() as folder:
        served = tf.saved_model.load(str(tfvae.export.save(_vae(weights), f"{folder}/1"))).signatures["decode"]
    return lambda z: (served(z=tf.constant(z), seed=tf.constant([0, 1]))["mean"].numpy(),)


def compiled(weights):
    """`vae.compiled.decode(z)`, which the documentation recommends for repeated calls."""
    vae = _vae(weights)
    return lambda z: (vae.compiled.decode(z),)


def torch_eager(weights):
    """PyTorch in eager mode."""
    import torch
    from torch import nn

    layers = []
    for kernel, bias in weights:
        layer = nn.Linear(*kernel.shape)
        layer.weight.data, layer.bias.data = torch.from_numpy(kernel.T.copy()), torch.from_numpy(bias.copy())
        layers += [layer, nn.Tanh()]
    network = nn.Sequential(*layers[:-1], nn.Sigmoid())

    def decode(z):
        with torch.inference_mode():
            return (network(torch.from_numpy(z)).numpy(),)

    return decode


# Function and required package of each name.
_CONTENDERS = {
    "signature": (signature, "tensorflow"),
    "vae.compiled": (compiled, "tensorflow"),
    "torch": (torch_eager, "torch"),
}
NAMES = tuple(_CONTENDERS)


def decoder(name, weights):
    """Returns the function of a contender from z to the mean of x. None if its library is missing."""
    function, needed = _CONTENDERS[name]
    return function(weights) if importlib.util.find_spec(needed) is not None else None
