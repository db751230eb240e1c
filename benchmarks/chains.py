"""Compares Markov chains of `tfvae.evaluation` with the checkout of another commit, for `benchmarks/evaluation.py`.

    python benchmarks/chains.py ais

prints a line of JSON: the seconds of the first and of the next call of annealed importance sampling ("ais") or of
Hamiltonian Monte Carlo ("hmc") of 50 images in this process, and the estimates.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np


def measure(which):
    """Times the first and the next call of one estimator in this process; returns a dictionary for JSON."""
    import keras

    import tfvae

    keras.utils.set_random_seed(0)
    posterior, likelihood = tfvae.layers.MultivariateNormalDiag, tfvae.layers.IndependentBernoulli
    encoder = tfvae.networks.mlp(posterior.params_size(2), (500,), "tanh")
    decoder = tfvae.networks.mlp(likelihood.params_size((64,)), (500,), "tanh")
    vae = tfvae.models.VAE(keras.Sequential([encoder, posterior(2)]), keras.Sequential([decoder, likelihood((64,))]))
    x = (np.random.default_rng(0).uniform(size=(50, 64)) < 0.2).astype("float32")
    vae(x[:1])
    seconds = []
    for _ in range(2):
        begun = time.perf_counter()
        if which == "ais":
            record = tfvae.evaluation.log_marginal_ais(vae, x, num_steps=500)
        else:
            record = tfvae.evaluation.log_marginal_hmc(vae, x, num_samples=200, num_burnin=200)
        seconds.append(time.perf_counter() - begun)
    return {"seconds": seconds, "per_example": record.per_example.tolist()}


def turn(which, before, repetition):
    """Measures this build and the one in the folder `before`, each in a fresh process, in an order that alternates.

    Returns:
        `seconds` [2, 2] of this build and the other, of the first and the next call, and whether the estimates are
        equal.
    """
    here = Path(__file__).resolve()
    pair = {}
    for folder in (here.parents[1], before) if repetition % 2 else (before, here.parents[1]):
        environment = {**os.environ, "PYTHONPATH": str(folder)}
        command = [sys.executable, str(here), which]
        output = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=True)
        pair["before" if folder == before else "now"] = json.loads(output.stdout.splitlines()[-1])
    is_equal = pair["now"]["per_example"] == pair["before"]["per_example"]
    return {"seconds": [pair["now"]["seconds"], pair["before"]["seconds"]], "is_equal": is_equal}


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1])))
