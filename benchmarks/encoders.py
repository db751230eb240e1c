"""Programs that `benchmarks/inference.py` compares: the encoder of the paper, from an array to two arrays.

A contender is a function of the weights `[(kernel, bias), ...]`, NumPy arrays, with tanh between the layers. It returns
a function from x `[B, 784]` to the mean and the standard deviation of q(z|x), each `[B, D]`. All are NumPy arrays.
"""

import importlib.util
import tempfile

import numpy as np


def keras_network(weights):
    """The layers in Keras."""
    import keras

    layers = [keras.layers.Dense(bias.size, activation="tanh") for _, bias in weights[:-1]]
    network = keras.Sequential([keras.Input(weights[0][0].shape[:1]), *layers, keras.layers.Dense(weights[-1][1].size)])
    network.set_weights([array for layer in weights for array in layer])
    return network


def _vae(weights):
    import keras

    import tfvae

    size, num_pixels = weights[-1][1].size // 2, len(weights[0][0])
    likelihood = tfvae.layers.IndependentBernoulli((num_pixels,))
    decoder = tfvae.networks.mlp(num_pixels, [bias.size for _, bias in weights[:-1]], "tanh")
    return tfvae.models.VAE(
        keras.Sequential([keras_network(weights), tfvae.layers.MultivariateNormalDiag(size)]),
        keras.Sequential([decoder, likelihood]),
    )


def _answer(raw):
    """Converts the outputs of the networks of other libraries to mean and standard deviation."""
    loc, raw_scale = np.split(raw, 2, axis=-1)
    return loc, np.logaddexp(raw_scale, 0.0) + 1e-5


def signature(weights):
    """The SavedModel's signature `encode`, which also draws z."""
    import tensorflow as tf

    import tfvae

    with tempfile.TemporaryDirectory() as folder:
        served = tf.saved_model.load(str(tfvae.export.save(_vae(weights), f"{folder}/1"))).signatures["encode"]

    def run(x):
        answer = served(x=tf.constant(x), seed=tf.constant([0, 1]))
        return answer["loc"].numpy(), answer["scale"].numpy()

    return run


def live(weights):
    """`vae.encode(x)`, which builds a distribution at each call."""
    vae = _vae(weights)

    def run(x):
        posterior = vae.encode(x)
        return posterior.mean().numpy(), posterior.stddev().numpy()

    return run


def compiled(weights):
    """`vae.compiled.encode(x)`, which the documentation recommends for repeated calls."""
    vae = _vae(weights)
    return lambda x: vae.compiled.encode(x)


def live_in_a_function(weights):
    """`vae.encode` in a `tf.function`, which takes a user three lines."""
    import tensorflow as tf

    vae = _vae(weights)

    @tf.function(input_signature=[tf.TensorSpec([None, *vae.event_shape])], autograph=False)
    def encode(x):
        posterior = vae.encode(x)
        return posterior.mean(), posterior.stddev()

    return lambda x: tuple(part.numpy() for part in encode(x))


def _by_hand(weights, jit_compile):
    import tensorflow as tf

    constants = [(tf.Variable(kernel), tf.Variable(bias)) for kernel, bias in weights]

    @tf.function(jit_compile=jit_compile, autograph=False)
    def encode(x):
        for kernel, bias in constants[:-1]:
            x = tf.tanh(x @ kernel + bias)
        loc, raw_scale = tf.split(x @ constants[-1][0] + constants[-1][1], 2, axis=-1)
        return loc, tf.nn.softplus(raw_scale) + 1e-5

    return lambda x: tuple(part.numpy() for part in encode(tf.constant(x)))


def hand_graph(weights):
    """A graph function of TensorFlow."""
    return _by_hand(weights, jit_compile=False)


def hand_xla(weights):
    """A function of TensorFlow with XLA."""
    return _by_hand(weights, jit_compile=True)


def keras_predict(weights):
    """`keras.Model.predict`."""
    network = keras_network(weights)
    return lambda x: _answer(network.predict(x, batch_size=len(x), verbose=0))


def keras_call(weights):
    """A call of the `keras.Model` without compilation."""
    network = keras_network(weights)
    return lambda x: _answer(network(x).numpy())


def _in_torch(weights, compiles):
    import torch
    from torch import nn

    layers = []
    for kernel, bias in weights:
        layer = nn.Linear(*kernel.shape)
        layer.weight.data, layer.bias.data = torch.from_numpy(kernel.T.copy()), torch.from_numpy(bias.copy())
        layers += [layer, nn.Tanh()]
    network = nn.Sequential(*layers[:-1])

    def encode(x):
        loc, raw_scale = network(x).chunk(2, -1)
        return loc, nn.functional.softplus(raw_scale) + 1e-5

    chosen = torch.compile(encode) if compiles else encode

    def run(x):
        with torch.inference_mode():
            return tuple(part.numpy() for part in chosen(torch.from_numpy(x)))

    return run


def torch_eager(weights):
    """PyTorch in eager mode."""
    return _in_torch(weights, compiles=False)


def torch_compile(weights):
    """PyTorch with `torch.compile`."""
    return _in_torch(weights, compiles=True)


def jax_jit(weights):
    """JAX with `jax.jit`."""
    import jax
    from jax import numpy as jnp

    arrays = [(jnp.asarray(kernel), jnp.asarray(bias)) for kernel, bias in weights]

    @jax.jit
    def encode(arrays, x):
        for kernel, bias in arrays[:-1]:
            x = jnp.tanh(x @ kernel + bias)
        loc, raw_scale = jnp.split(x @ arrays[-1][0] + arrays[-1][1], 2, axis=-1)
        return loc, jax.nn.softplus(raw_scale) + 1e-5

    return lambda x: tuple(np.asarray(part) for part in encode(arrays, x))


# Function and required package of each name.
_CONTENDERS = {
    "signature": (signature, "tensorflow"),
    "vae.compiled": (compiled, "tensorflow"),
    "vae.encode": (live, "tensorflow"),
    "vae.encode in a function": (live_in_a_function, "tensorflow"),
    "hand_graph": (hand_graph, "tensorflow"),
    "hand_xla": (hand_xla, "tensorflow"),
    "keras_predict": (keras_predict, "tensorflow"),
    "keras_call": (keras_call, "tensorflow"),
    "torch": (torch_eager, "torch"),
    "torch_compile": (torch_compile, "torch"),
    "jax": (jax_jit, "jax"),
}
NAMES = tuple(_CONTENDERS)


def encoder(name, weights):
    """Returns the function of a contender from x to mean and standard deviation. None if its library is missing."""
    function, needed = _CONTENDERS[name]
    return function(weights) if importlib.util.find_spec(needed) is not None else None
