"""Trains the three models of pythae's reproductions whose latents or posteriors are unusual, on MNIST.

    python benchmarks/latent_spaces.py --folder build/latent_spaces
    python benchmarks/latent_spaces.py --names poincare --share 0.1

- sphere: von Mises-Fisher posteriors on the sphere of 10 dimensions, 784-256-128 ReLU units, images binarised again in
  every pass, 500 passes, batches of 64.
- poincare: wrapped normals with one scale per image on the Poincare ball of 10 dimensions and curvature -0.7, 600 ReLU
  units, a gyroplane layer first in the decoder, images binarised once, 80 passes, batches of 128. The test images keep
  their gray values, as in pythae's script, so the number is a cross-entropy.
- hamiltonian: the Hamiltonian VAE with 4 leapfrog steps of 0.05 without tempering, 64 dimensions, 300 softplus units,
  static MNIST, 2,000 passes with Adamax, batches of 100.

`--share` is the fraction of the passes. Each model is saved with its progress after every twentieth of them, and an
interrupted call resumes. The table shows -log p(x) of the test images by importance sampling beside pythae's numbers.
"""

import argparse
import dataclasses
import json
import os
import pathlib
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras

import tfvae
from tfvae import data, estimators, evaluation, layers, networks, priors

_SHAPE = (28, 28, 1)
_NUM_STRETCHES = 20
_CURVATURE = 0.7


@dataclasses.dataclass(frozen=True)
class Row:
    """Set-up of a reproduction.

    Attributes:
        passes: Passes over the training images.
        batch_size: Size of the minibatches.
        binarize: See `Split.batches`; None for images that are binary.
        num_importance_samples: K of log p(x).
        pythae: -log p(x) that pythae's documentation reports.
        published: That of the paper or its code.
    """

    passes: int
    batch_size: int
    binarize: str | None
    num_importance_samples: int
    pythae: float
    published: float


ROWS = {
    "sphere": Row(500, 64, "dynamic", 500, 93.13, 93.16),
    "poincare": Row(80, 128, "static", 500, 101.66, 101.47),
    "hamiltonian": Row(2000, 100, None, 1000, 86.21, 86.40),
}


def images(name):
    """Returns training images, and test images as they are measured."""
    splits = data.load("binarized_mnist" if name == "hamiltonian" else "mnist")
    train, test = (part.take(len(part)) for part in (splits.train, splits.test))
    if name == "hamiltonian":
        return train.thresholded(), test.thresholded()
    if name == "sphere":
        return train, test.binarized(seed=0)
    return train, test


def build(name, num_steps, seed):
    """Builds and compiles the model of a row."""
    keras.utils.set_random_seed(seed)
    likelihood, estimator = layers.IndependentBernoulli(_SHAPE), estimators.SGVB()
    size = likelihood.parameters_size
    rate = 1e-3
    if name == "sphere":
        last, prior = layers.VonMisesFisher(11), priors.SphericalUniform(11)
        bodies = networks.mlp(last.parameters_size, (256, 128), "relu"), networks.mlp(size, (128, 256), "relu")
    elif name == "poincare":
        last, prior = layers.PoincareNormal(10, _CURVATURE, isotropic=True), priors.PoincareNormal(10, _CURVATURE)
        encoder = networks.mlp(last.parameters_size, (600,), "relu")
        bodies = encoder, networks.gyroplane_mlp(size, (600,), "relu", _CURVATURE)
        rate = 5e-4
    else:
        last, prior = layers.MultivariateNormalDiag(64), priors.StandardNormal(64)
        bodies = networks.mlp(last.parameters_size, (300,), "softplus"), networks.mlp(size, (300,), "softplus")
        estimator = estimators.HamiltonianELBO(4, step_size=0.05, tempering="none", trainable=False)
        ends = [round(passes / 2000 * num_steps) for passes in (200, 350, 500, 750, 1000)]
        rates = [5e-4 * 10 ** (-i / 5) for i in range(6)]
        rate = keras.optimizers.schedules.PiecewiseConstantDecay(ends, rates)
    vae = tfvae.models.VAE(
        keras.Sequential([keras.Input(_SHAPE), bodies[0], last]),
        keras.Sequential([keras.Input((prior.event_shape[0],)), bodies[1], likelihood]),
        prior=prior,
        estimator=estimator,
        seed=seed,
    )
    vae.compile(keras.optimizers.Adamax(rate) if name == "hamiltonian" else keras.optimizers.Adam(rate))
    return vae


def run(name, arguments):
    """Trains a model in stretches, measures it and returns its numbers."""
    row, folder = ROWS[name], arguments.folder / f"{name}-{arguments.share:g}"
    folder.mkdir(parents=True, exist_ok=True)
    numbers, model, progress = folder / "numbers.json", folder / "vae.keras", folder / "progress.json"
    if numbers.exists():
        return json.loads(numbers.read_text())
    train, test = images(name)
    passes, steps_per_pass = max(1, round(arguments.share * row.passes)), len(train) // row.batch_size
    done = {"passes": 0, "seconds": 0.0}
    if progress.exists() and model.exists():
        done, vae = json.loads(progress.read_text()), tfvae.load_model(model)
    else:
        vae = build(name, passes * steps_per_pass, arguments.seed)
    while done["passes"] < passes:
        stretch = min(max(1, passes // _NUM_STRETCHES), passes - done["passes"])
        seed = arguments.seed if row.binarize == "static" else arguments.seed + done["passes"]
        batches = train.batches(
            row.batch_size, shuffle=True, binarize=row.binarize, seed=seed, drop_remainder=True
        ).repeat()
        start = time.perf_counter()
        found = vae.fit(batches, epochs=stretch, steps_per_epoch=steps_per_pass, verbose=0)
        done = {
            "passes": done["passes"] + stretch,
            "seconds": done["seconds"] + time.perf_counter() - start,
            "elbo": found.history["elbo"][-1],
        }
        vae.save(model)
        progress.write_text(json.dumps(done))
        print(name, done, flush=True)
    test = test.take(arguments.num_test)
    record = evaluation.log_marginal(vae, test.x, num_importance_samples=row.num_importance_samples)
    found = {"marginal": record.to_dict(), "elbo": evaluation.elbo(vae, test.x, num_samples=10).mean, **done}
    if name == "hamiltonian":
        by_steps = evaluation.log_marginal(
            vae, test.x, num_importance_samples=row.num_importance_samples, estimator=vae.estimator
        )
        found["marginal_by_steps"] = by_steps.to_dict()
    numbers.write_text(json.dumps(found))
    return found


def main():
    """Trains what is missing and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=pathlib.Path, default=pathlib.Path("build/latent_spaces"))
    parser.add_argument("--names", nargs="+", choices=list(ROWS), default=list(ROWS))
    parser.add_argument("--share", type=float, default=1.0)
    parser.add_argument("--num-test", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    rows = {name: run(name, arguments) for name in arguments.names}
    print("| row | passes | -log p(x) | by leapfrog steps | -ELBO | pythae | published | training, s |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for name, found in rows.items():
        shown = [f"{-found[key]['mean']:.2f}" if key in found else "" for key in ("marginal", "marginal_by_steps")]
        cells = [name, found["passes"], *shown, f"{-found['elbo']:.2f}", ROWS[name].pythae, ROWS[name].published]
        print("| " + " | ".join(map(str, [*cells, f"{found['seconds']:.0f}"])) + " |")


if __name__ == "__main__":
    main()
