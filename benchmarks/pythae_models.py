"""Compares the training speed of six models of pythae with the same models of tfvae, in turns, in one process.

    python benchmarks/pythae_models.py --output pythae_models.json
    pip install pythae adds the other program.

VAE, beta-VAE, IWAE (K = 10), VAE with a VampPrior (50 pseudo-inputs), VAE with an IAF posterior (two blocks of three
hidden layers of 128 units), which are the defaults of pythae, and VAE with a posterior of five planar transforms. The
transforms of both flows are the same for all x. Both programs train the same networks
(784-500-20-500-784, tanh) with batches of 100 binary images in float32, with Adam, on the CPU. pythae runs its own
trainer, epoch by epoch, without its checkpoints and without the copy of the best model that it keeps. tfvae runs one
`fit`. The table shows images per second (medians) and the median over rounds of the rate of tfvae divided by that of
pythae, with quartiles.
"""

import argparse
import contextlib
import io
import json
import logging
import os
import tempfile
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import torch
from pythae.data.datasets import BaseDataset
from pythae.models import (
    IWAE,
    VAE,
    VAE_IAF,
    VAMP,
    BetaVAE,
    BetaVAEConfig,
    IWAEConfig,
    VAE_IAF_Config,
    VAE_LinNF,
    VAE_LinNF_Config,
    VAEConfig,
    VAMPConfig,
)
from pythae.models.base.base_utils import ModelOutput
from pythae.models.nn import BaseDecoder, BaseEncoder
from pythae.trainers import BaseTrainer, BaseTrainerConfig

import tfvae
from tfvae import estimators, flows, layers, networks, priors

_PIXELS, _HIDDEN, _LATENT, _BATCH = 784, 500, 20, 100
_K, _COMPONENTS, _BETA = 10, 50, 4.0
_BLOCKS, _MADE_UNITS = 2, [128, 128, 128]
_PLANAR = 5
_ARGUMENTS = {"input_dim": (_PIXELS,), "latent_dim": _LATENT, "reconstruction_loss": "bce"}

# Name: pythae's model and its configuration.
_OF_PYTHAE = {
    "vae": (VAE, VAEConfig, {}),
    "beta_vae": (BetaVAE, BetaVAEConfig, {"beta": _BETA}),
    "iwae": (IWAE, IWAEConfig, {"number_samples": _K}),
    "vamp_prior": (VAMP, VAMPConfig, {"number_components": _COMPONENTS}),
    "iaf_posterior": (
        VAE_IAF,
        VAE_IAF_Config,
        {"n_made_blocks": _BLOCKS, "n_hidden_in_made": len(_MADE_UNITS), "hidden_size": _MADE_UNITS[0]},
    ),
    "planar_posterior": (VAE_LinNF, VAE_LinNF_Config, {"flows": ["Planar"] * _PLANAR}),
}


class Encoder(BaseEncoder):
    """Networks of loc and log variance."""

    def __init__(self):
        super().__init__()
        self.hidden = torch.nn.Sequential(torch.nn.Linear(_PIXELS, _HIDDEN), torch.nn.Tanh())
        self.loc, self.log_var = torch.nn.Linear(_HIDDEN, _LATENT), torch.nn.Linear(_HIDDEN, _LATENT)

    def forward(self, x):
        """Parameters of q(z|x)."""
        hidden = self.hidden(x.reshape(len(x), -1))
        return ModelOutput(embedding=self.loc(hidden), log_covariance=self.log_var(hidden))


class Decoder(BaseDecoder):
    """Network of the pixels' probabilities, which the losses of pythae expect."""

    def __init__(self):
        super().__init__()
        self.layers = torch.nn.Sequential(
            torch.nn.Linear(_LATENT, _HIDDEN), torch.nn.Tanh(), torch.nn.Linear(_HIDDEN, _PIXELS), torch.nn.Sigmoid()
        )

    def forward(self, z):
        """Probabilities `[B, 784]`."""
        return ModelOutput(reconstruction=self.layers(z))


class WithWeights(keras.layers.Layer):
    """Appends weights to the outputs of the encoder: the parameters of transforms that do not depend on x."""

    def __init__(self, size):
        super().__init__()
        self.appended = self.add_weight(shape=(size,), initializer=keras.initializers.RandomUniform(-0.1, 0.1))

    def call(self, parameters):
        """Parameters `[B, P + size]`."""
        appended = keras.ops.broadcast_to(self.appended, (keras.ops.shape(parameters)[0], self.appended.shape[0]))
        return keras.ops.concatenate([parameters, appended], axis=-1)


def with_pythae(name, x):
    """Returns a function that trains for a number of epochs with pythae's trainer."""
    model, config, arguments = _OF_PYTHAE[name]
    made = model(config(**_ARGUMENTS, **arguments), encoder=Encoder(), decoder=Decoder())
    trainer = BaseTrainer(
        made,
        BaseDataset(torch.from_numpy(x), torch.zeros(len(x))),
        training_config=BaseTrainerConfig(
            output_dir=tempfile.mkdtemp(), per_device_train_batch_size=_BATCH, learning_rate=1e-3, no_cuda=True
        ),
    )
    trainer.prepare_training()
    epochs_made = iter(range(1, 2**31))

    def run(epochs):
        for _ in range(epochs):
            with contextlib.redirect_stderr(io.StringIO()):  # its progress bar
                loss = trainer.train_step(next(epochs_made))
        return -loss

    return run


def with_tfvae(name, x):
    """Returns a function that trains for a number of epochs with `fit`."""
    posterior, likelihood = layers.MultivariateNormalDiag(_LATENT), layers.IndependentBernoulli((_PIXELS,))
    if name == "iaf_posterior":
        # The networks of pythae have no context.
        orders = ["right-to-left" if i % 2 else "left-to-right" for i in range(_BLOCKS)]
        steps = [flows.InverseAutoregressive(_MADE_UNITS, activation="relu", input_order=order) for order in orders]
        posterior = layers.NormalizingFlow(_LATENT, steps)
    size, before = posterior.parameters_size, []
    if name == "planar_posterior":
        posterior = layers.NormalizingFlow(_LATENT, [flows.Planar() for _ in range(_PLANAR)])
        before = [WithWeights(posterior.parameters_size - size)]
    encoder = keras.Sequential([keras.Input((_PIXELS,)), networks.mlp(size, (_HIDDEN,), "tanh"), *before, posterior])
    vae = tfvae.models.VAE(
        encoder,
        keras.Sequential([networks.mlp(_PIXELS, (_HIDDEN,), "tanh"), likelihood]),
        prior=priors.VampPrior(encoder, _COMPONENTS, activation="sigmoid") if name == "vamp_prior" else None,
        estimator=estimators.ImportanceWeighted(_K) if name == "iwae" else estimators.SGVB(),
        beta=_BETA if name == "beta_vae" else 1.0,
    )
    vae.compile(keras.optimizers.Adam(1e-3))
    return lambda epochs: -vae.fit(x, batch_size=_BATCH, epochs=epochs, verbose=0).history["loss"][-1]


def compare(name, arguments):
    """Trains one model with both programs in turns."""
    x = (np.random.default_rng(0).uniform(size=(arguments.images, _PIXELS)) < 0.2).astype("float32")
    keras.utils.set_random_seed(0)
    runs = {"tfvae": with_tfvae(name, x), "pythae": with_pythae(name, x)}
    rates, objectives = {other: [] for other in runs}, {}
    for run in runs.values():
        run(1)
    for repetition in range(arguments.repetitions):
        for other in list(runs) if repetition % 2 else reversed(list(runs)):
            start = time.perf_counter()
            objectives[other] = float(runs[other](arguments.epochs))
            rates[other].append(arguments.epochs * len(x) / (time.perf_counter() - start))
    low, median, high = np.percentile(np.array(rates["tfvae"]) / rates["pythae"], [25, 50, 75])
    print(
        f"{name:<14} tfvae {np.median(rates['tfvae']):8.0f} /s   pythae {np.median(rates['pythae']):8.0f} /s   "
        f"{median:5.2f} ({low:.2f}, {high:.2f})   objective {objectives['tfvae']:.1f}, {objectives['pythae']:.1f}",
        flush=True,
    )
    return {
        "model": name,
        "images_per_second": {other: float(np.median(values)) for other, values in rates.items()},
        "tfvae_by_pythae": {"median": float(median), "quartiles": [float(low), float(high)]},
        "objective": objectives,
    }


def main():
    """Compares, prints a table and writes JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", choices=list(_OF_PYTHAE), default=list(_OF_PYTHAE))
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--epochs", type=int, default=1, help="number of epochs in a turn")
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--output", default=None)
    arguments = parser.parse_args()
    logging.disable(logging.INFO)  # pythae reports each model
    rows = [compare(name, arguments) for name in arguments.models]
    if arguments.output:
        with open(arguments.output, "w") as file:
            json.dump({"arguments": vars(arguments), "rows": rows}, file, indent=2)


if __name__ == "__main__":
    main()
