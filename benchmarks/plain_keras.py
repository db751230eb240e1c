"""Compares tfvae with a plain Keras 3 VAE of the same shape on MNIST: test ELBO and training speed.

Both are trained in one run, on the same batches, with Adam. The plain VAE is that of Keras tutorials: a dense encoder
with two heads, a Sampling layer, a closed-form KL and a cross-entropy. The same function measures both on the same
binarised test images.

    python benchmarks/plain_keras.py --epochs 10 --output plain_keras.json
"""

import argparse
import json
import time

import keras
import numpy as np
import tensorflow as tf

import tfvae
from tfvae.training import RunConfig, build_vae
from tfvae.training.resolve import resolve

LATENT_SIZE, HIDDEN, BATCH_SIZE = 20, 500, 100


class PlainVAE(keras.Model):
    """VAE written with Keras only."""

    def __init__(self):
        super().__init__()
        self.body = keras.layers.Dense(HIDDEN, activation="tanh")
        self.loc = keras.layers.Dense(LATENT_SIZE)
        self.log_var = keras.layers.Dense(LATENT_SIZE)
        self.decoder = keras.Sequential([keras.layers.Dense(HIDDEN, activation="tanh"), keras.layers.Dense(784)])
        self.seed_generator = keras.random.SeedGenerator(0)
        self.loss_tracker = keras.metrics.Mean(name="loss")

    def negative_elbo(self, x):
        """-ELBO of each example `[B]`, with one draw."""
        x = keras.ops.reshape(x, (-1, 784))
        hidden = self.body(x)
        loc, log_var = self.loc(hidden), self.log_var(hidden)
        noise = keras.random.normal(keras.ops.shape(loc), seed=self.seed_generator)
        logits = self.decoder(loc + keras.ops.exp(0.5 * log_var) * noise)
        cross_entropy = keras.ops.sum(keras.ops.relu(logits) - logits * x + keras.ops.softplus(-abs(logits)), axis=-1)
        kl = 0.5 * keras.ops.sum(keras.ops.exp(log_var) + loc**2 - 1.0 - log_var, axis=-1)
        return cross_entropy + kl

    def train_step(self, data):
        with tf.GradientTape() as tape:
            loss = keras.ops.mean(self.negative_elbo(data))
        variables = self.trainable_variables
        self.optimizer.apply(tape.gradient(loss, variables), variables)
        self.loss_tracker.update_state(loss)
        return {"loss": self.loss_tracker.result()}


def plain_elbo(model, x, num_samples):
    """The same average over draws and examples that `tfvae.evaluation.elbo` reports."""
    step = tf.function(model.negative_elbo)
    draws = [[step(x[i : i + 100]).numpy() for i in range(0, len(x), 100)] for _ in range(num_samples)]
    return -float(np.mean([np.concatenate(draw) for draw in draws], dtype=np.float64))


def main() -> None:
    """Trains both, prints a table and writes JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="mnist")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--seeds", type=int, default=1, help="number of repetitions with different seeds")
    parser.add_argument("--output", default=None)
    arguments = parser.parse_args()
    splits = tfvae.data.load(arguments.data)
    test = splits.test.binarized(seed=0)
    tables = {"data": {"name": arguments.data}, "model": {"latent_size": LATENT_SIZE, "hidden": (HIDDEN,)}}
    rows = []
    for seed in range(arguments.seeds):
        for name in ("plain Keras", "tfvae") if seed % 2 else ("tfvae", "plain Keras"):
            train = splits.train.batches(BATCH_SIZE, shuffle=True, binarize="dynamic", seed=seed)
            keras.utils.set_random_seed(seed)
            if name == "tfvae":
                model = build_vae(resolve(RunConfig.from_dict(tables, {"training": {"seed": seed}}), splits), splits)
            else:
                model = PlainVAE()
                model.compile("adam")
            model.fit(train, epochs=1, steps_per_epoch=1, verbose=0, shuffle=False)  # traces and compiles
            begun = time.perf_counter()
            model.fit(train, epochs=arguments.epochs, verbose=0, shuffle=False)
            seconds = time.perf_counter() - begun
            if name == "tfvae":
                elbo = tfvae.evaluation.elbo(model, test, num_samples=10).mean
            else:
                elbo = plain_elbo(model, test.x, 10)
            speed = arguments.epochs * len(splits.train) / seconds
            rows.append({"model": name, "seed": seed, "test_elbo": elbo, "images_per_second": speed})
            print(f"{name:<12} seed {seed}  test ELBO {elbo:9.3f} nats  {speed:9,.0f} images/s", flush=True)
    mean = {
        name: {key: float(np.mean([r[key] for r in rows if r["model"] == name])) for key in rows[0] if "_" in key}
        for name in ("tfvae", "plain Keras")
    }
    ours, plain = mean["tfvae"], mean["plain Keras"]
    print(
        f"tfvae - plain Keras: {ours['test_elbo'] - plain['test_elbo']:+.3f} nats; "
        f"speed ratio {ours['images_per_second'] / plain['images_per_second']:.2f}"
    )
    if arguments.output:
        with open(arguments.output, "w") as file:
            json.dump({"rows": rows, "mean": mean}, file, indent=2)


if __name__ == "__main__":
    main()
