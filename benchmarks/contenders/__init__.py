"""The programs that `benchmarks/train.py` compares, one a file, each in its framework's own best style.

A contender is a function from images `[N, *event]` and a `Workload` to a function that trains for a number of epochs
and returns the last epoch's mean bound; or to None where it has no way to do the workload.
"""

import dataclasses
import importlib
import importlib.util
import itertools


@dataclasses.dataclass(frozen=True)
class Workload:
    """What is trained: a VAE with a diagonal normal posterior and Bernoulli pixels, by Adam at 0.001.

    Attributes:
        hidden: units of the encoder's tanh layers, the decoder's reversed; empty for the convolutional network of
            `tfvae.networks` with 32 and 64 channels.
        latent_size: D.
        batch_size: B.
        k: importance samples; with 1 the bound is the ELBO with the analytic KL.
        num_images: N.
    """

    hidden: tuple[int, ...]
    latent_size: int
    batch_size: int
    k: int
    num_images: int

    @property
    def event_shape(self):
        """Of one image."""
        return (784,) if self.hidden else (28, 28, 1)

    @property
    def dense_shapes(self):
        """`[(inputs, outputs), ...]` of the encoder's and of the decoder's dense layers."""
        encoder = (784, *self.hidden, 2 * self.latent_size)
        decoder = (self.latent_size, *self.hidden[::-1], 784)
        return [list(itertools.pairwise(sizes)) for sizes in (encoder, decoder)]


WORKLOADS = {
    "paper": Workload((500,), 20, 100, 1, 60_000),
    "one_sample": Workload((200, 200), 50, 20, 1, 20_000),
    "iwae": Workload((200, 200), 50, 20, 50, 5_000),
    "conv": Workload((), 20, 128, 1, 5_120),
}

# Name: its module, its function, what has to be installed.
_CONTENDERS = {
    "tfvae": ("with_tfvae", "fit", "tensorflow"),
    "hand_xla": ("by_hand", "xla_loop", "tensorflow"),
    "hand_graph": ("by_hand", "graph_loop", "tensorflow"),
    "keras": ("plain_keras", "fit", "tensorflow"),
    "tfp": ("with_tfp", "fit", "tf_keras"),
    "torch": ("with_torch", "eager", "torch"),
    "torch_compile": ("with_torch", "compiled", "torch"),
    "jax": ("with_jax", "scan", "jax"),
    "products_xla": ("products", "xla", "tensorflow"),
    "products_graph": ("products", "graph", "tensorflow"),
}
NAMES = tuple(_CONTENDERS)


def contender(name):
    """The function of that name; None where what it needs is not installed."""
    module, function, needed = _CONTENDERS[name]
    if importlib.util.find_spec(needed) is None:
        return None
    return getattr(importlib.import_module(f"contenders.{module}"), function)
