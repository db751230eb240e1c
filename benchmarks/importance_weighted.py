"""Table 1 of the importance-weighted autoencoder paper, one stochastic layer, at any share of its schedule.

MNIST binarised anew in every pass, 50 latents, two hidden layers of 200 tanh units on each side, batches of 20, Adam
(epsilon 1e-4) with the rate 0.001 * 10^(-i/7) for 3^i passes, i = 0..7 (3,280 in all); `--share 0.1` makes a tenth of
each. One run a number of importance samples K; K = 1 is the VAE. Reported: -log p(x) of the test images, binarised once
by a draw with a fixed seed, from 5,000 importance samples each.

    python benchmarks/importance_weighted.py --num-importance-samples 5 --share 0.1 --folder runs/iwae_5

The run is saved every `--save-every` passes, and the same command goes on from there, to the end of its schedule. The
seconds are those of training, on all cores unless `--threads` says otherwise, summed over all stretches.
"""

import argparse
import json
import math
import time
from pathlib import Path

import keras
import tensorflow as tf

import tfvae
from tfvae import layers, networks
from tfvae.estimators import SGVB, ImportanceWeighted
from tfvae.training.initial_weights import start_at_marginals

LATENT_SIZE, HIDDEN, BATCH_SIZE, STEPS_A_PASS = 50, (200, 200), 20, 3_000
PUBLISHED = {1: 86.76, 5: 85.54, 50: 84.78}  # -log p(x): VAE, IWAE, IWAE (arXiv 1509.00519, table 1)


def build(train, num_importance_samples, share, seed):
    """The model, compiled, and the number of passes of its schedule."""
    keras.utils.set_random_seed(seed)
    likelihood = layers.IndependentBernoulli
    encoder = networks.mlp(layers.MultivariateNormalDiag.params_size(LATENT_SIZE), HIDDEN, "tanh")
    decoder = networks.mlp(likelihood.params_size((28, 28, 1)), HIDDEN, "tanh")
    k = num_importance_samples
    vae = tfvae.models.VAE(
        keras.Sequential([encoder, layers.MultivariateNormalDiag(LATENT_SIZE)]),
        keras.Sequential([decoder, likelihood((28, 28, 1))]),
        # K = 1 is estimator A, as in the paper.
        estimator=SGVB(kl="monte_carlo") if k == 1 else ImportanceWeighted(k),
        seed=seed,
    )
    start_at_marginals(vae, train, "bernoulli")
    passes = [3**i * share for i in range(8)]
    ends = [round(sum(passes[: i + 1]) * STEPS_A_PASS) for i in range(8)]
    rate = keras.optimizers.schedules.PiecewiseConstantDecay(ends[:-1], [1e-3 * 10 ** (-i / 7) for i in range(8)])
    vae.compile(keras.optimizers.Adam(rate, epsilon=1e-4), jit_compile=True, steps_per_execution=100)
    return vae, round(ends[-1] / STEPS_A_PASS)


def train(vae, data, num_passes, folder, save_every):
    """Trains to the end of the schedule, from where the folder has it; returns the record of the run."""
    record_path, weights_path = folder / "record.json", folder / "vae.keras"
    record = {"passes": 0, "seconds": 0.0, "history": []}
    if record_path.exists():
        record = json.loads(record_path.read_text())
        trained = tfvae.load_model(weights_path)
        vae.set_weights(trained.get_weights())
        vae.optimizer.build(vae.trainable_variables)
        for variable, value in zip(vae.optimizer.variables, trained.optimizer.variables, strict=True):
            variable.assign(value)
    while record["passes"] < num_passes:
        stretch = min(save_every, num_passes - record["passes"])
        batches = data.batches(
            BATCH_SIZE, shuffle=True, binarize="dynamic", seed=record["passes"], drop_remainder=True
        ).repeat()
        start = time.perf_counter()
        history = vae.fit(batches, epochs=stretch, steps_per_epoch=STEPS_A_PASS, verbose=0).history
        record["seconds"] += time.perf_counter() - start
        record["passes"] += stretch
        record["history"] += history["elbo"]
        vae.save(weights_path)
        record_path.write_text(json.dumps(record))
        print(f"pass {record['passes']}/{num_passes}: bound {history['elbo'][-1]:.3f}, {record['seconds']:.0f} s")
    return record


def main():
    """Trains and measures one K."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--num-importance-samples", type=int, default=5)
    parser.add_argument("--share", type=float, default=0.1, help="of the paper's schedule")
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--save-every", type=int, default=4, help="passes")
    parser.add_argument("--evaluate", type=int, default=10_000, help="test images")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    tf.config.threading.set_intra_op_parallelism_threads(arguments.threads)
    arguments.folder.mkdir(parents=True, exist_ok=True)
    splits = tfvae.data.load("mnist")
    k = arguments.num_importance_samples
    vae, num_passes = build(splits.train, k, arguments.share, arguments.seed)
    record = train(vae, splits.train, num_passes, arguments.folder, arguments.save_every)
    test = splits.test.binarized(seed=0).take(arguments.evaluate)
    start = time.perf_counter()
    log_marginal = tfvae.evaluation.log_marginal(vae, test, num_importance_samples=5_000)
    result = {
        "num_importance_samples": k,
        "share": arguments.share,
        "passes": record["passes"],
        "training_seconds": round(record["seconds"]),
        "negative_log_likelihood": -log_marginal.mean,
        "standard_error": log_marginal.standard_error,
        "monte_carlo_standard_error": log_marginal.monte_carlo_standard_error,
        "evaluation_seconds": round(time.perf_counter() - start),
        "published_at_full_schedule": PUBLISHED.get(k, math.nan),
    }
    (arguments.folder / "result.json").write_text(json.dumps(result, indent=2))
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
