"""Training speed: `VAE.fit` beside what one could write instead, in turns, in one process.

    python benchmarks/train.py --output train.json

Workloads: the paper's MNIST model (784-500-20-500-784, tanh, batch 100), and one with an importance-weighted bound
(784-200-200-50, K = 50, batch 20). Contenders, all with Adam on the same binary images from memory, shuffled anew in
each epoch:

- `tfvae`: `vae.fit(images, batch_size=...)`, nothing asked for;
- `hand`: TensorFlow alone, one XLA program an epoch that loops over steps, with the images on the device, gathered by a
  shuffled index, the formulas of the bound written out and Keras' Adam;
- `keras`: a plain Keras 3 model with a `train_step`, and its `fit` as it comes;
- `tfp`: tf_keras with `tfp.layers` and its `fit`, where installed.

They take turns, forwards and then backwards; one turn is `--epochs` epochs of one `fit` and gives one rate. Printed are
images a second (medians) and the median, over rounds, of tfvae's rate by the other's, with quartiles.
"""

import argparse
import itertools
import json
import os
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf

import tfvae
from tfvae import estimators, layers

WORKLOADS = {
    "paper": {"hidden": (500,), "latent_size": 20, "batch_size": 100, "k": 1, "num_images": 60_000},
    "iwae": {"hidden": (200, 200), "latent_size": 50, "batch_size": 20, "k": 50, "num_images": 5_000},
}


def with_tfvae(x, work):
    """`VAE.fit`."""
    sizes, posterior = work["hidden"], layers.MultivariateNormalDiag
    encoder = tfvae.networks.mlp(posterior.params_size(work["latent_size"]), sizes, "tanh")
    decoder = tfvae.networks.mlp(784, sizes[::-1], "tanh")
    k = work["k"]
    vae = tfvae.models.VAE(
        keras.Sequential([encoder, posterior(work["latent_size"])]),
        keras.Sequential([decoder, layers.IndependentBernoulli((784,))]),
        estimator=estimators.SGVB() if k == 1 else estimators.ImportanceWeighted(k),
    )
    vae.compile(keras.optimizers.Adam(1e-3))
    return lambda epochs: vae.fit(x, batch_size=work["batch_size"], epochs=epochs, verbose=0).history["elbo"][-1]


class Networks:
    """The weights, and the bound by its formulas."""

    def __init__(self, work):
        self.latent_size, self.k = work["latent_size"], work["k"]
        hidden = work["hidden"]
        shapes = [(784, *hidden, 2 * self.latent_size), (self.latent_size, *hidden[::-1], 784)]
        init = keras.initializers.GlorotUniform(0)
        self.networks = [
            [(keras.Variable(init((a, b))), keras.Variable(tf.zeros(b))) for a, b in itertools.pairwise(s)]
            for s in shapes
        ]
        self.variables = [v for network in self.networks for layer in network for v in layer]

    @staticmethod
    def apply(network, x):
        """Tanh layers and a linear one."""
        for i, (weight, bias) in enumerate(network):
            x = tf.tensordot(x, weight.value, 1) + bias.value
            x = tf.tanh(x) if i + 1 < len(network) else x
        return x

    def bound(self, x, seed):
        """The mean bound of a batch `[B, 784]`."""
        loc, raw = tf.split(self.apply(self.networks[0], x), 2, axis=-1)
        scale = tf.nn.softplus(raw) + 1e-5
        noise = tf.random.stateless_normal([self.k, *loc.shape], seed, alg="philox")
        z = loc + scale * noise
        logits = self.apply(self.networks[1], z)
        cross_entropy = tf.nn.sigmoid_cross_entropy_with_logits(tf.broadcast_to(x, logits.shape), logits)
        log_likelihood = -tf.reduce_sum(cross_entropy, -1)  # [K, B]
        if self.k == 1:
            kl = 0.5 * tf.reduce_sum(scale**2 + loc**2 - 1.0, -1) - tf.reduce_sum(tf.math.log(scale), -1)
            return tf.reduce_mean(log_likelihood - kl)
        log_w = log_likelihood + 0.5 * tf.reduce_sum(noise**2 - z**2, -1) + tf.reduce_sum(tf.math.log(scale), -1)
        return tf.reduce_mean(tf.reduce_logsumexp(log_w, 0)) - float(np.log(self.k))


def by_hand(x, work):
    """One XLA program an epoch."""
    networks, size = Networks(work), work["batch_size"]
    optimizer = keras.optimizers.Adam(1e-3)
    optimizer.build(networks.variables)
    images, steps = tf.constant(x), len(x) // size

    @tf.function(jit_compile=True, autograph=False)
    def epoch(order, seed):
        def body(i, total):
            batch = tf.gather(images, order[i])
            with tf.GradientTape() as tape:
                loss = -networks.bound(batch, tf.random.experimental.stateless_fold_in(seed, i))
            variables = networks.variables
            optimizer.apply(tape.gradient(loss, [v.value for v in variables]), variables)
            return i + 1, total - loss

        return tf.while_loop(lambda i, _: i < steps, body, (0, 0.0), parallel_iterations=1)[1] / steps

    rng = np.random.default_rng(0)

    def run(epochs):
        for _ in range(epochs):
            order = rng.permutation(len(x))[: steps * size].reshape(steps, size).astype("int32")
            bound = epoch(tf.constant(order), tf.constant(rng.integers(2**31, size=2), tf.int32))
        return float(bound)

    return run


class PlainVAE(keras.Model):
    """What Keras' own tutorials write."""

    def __init__(self, work):
        super().__init__()
        hidden = work["hidden"]
        self.k = work["k"]
        self.body = keras.Sequential([keras.layers.Dense(n, activation="tanh") for n in hidden])
        self.loc, self.log_var = (keras.layers.Dense(work["latent_size"]) for _ in range(2))
        self.decoder = keras.Sequential([keras.layers.Dense(n, activation="tanh") for n in hidden[::-1]])
        self.decoder.add(keras.layers.Dense(784))
        self.seed_generator = keras.random.SeedGenerator(0)
        self.loss_tracker = keras.metrics.Mean(name="loss")

    def train_step(self, data):
        with tf.GradientTape() as tape:
            hidden = self.body(data)
            loc, log_var = self.loc(hidden), self.log_var(hidden)
            noise = keras.random.normal((self.k, *keras.ops.shape(loc)), seed=self.seed_generator)
            z = loc + keras.ops.exp(0.5 * log_var) * noise
            logits = keras.ops.reshape(
                self.decoder(keras.ops.reshape(z, (-1, z.shape[-1]))), (self.k, *keras.ops.shape(data))
            )
            cross_entropy = keras.ops.relu(logits) - logits * data + keras.ops.softplus(-keras.ops.abs(logits))
            log_likelihood = -keras.ops.sum(cross_entropy, -1)
            if self.k == 1:
                kl = 0.5 * keras.ops.sum(keras.ops.exp(log_var) + loc**2 - 1.0 - log_var, axis=-1)
                loss = -keras.ops.mean(log_likelihood - kl)
            else:
                log_w = log_likelihood + 0.5 * keras.ops.sum(noise**2 - z**2 + log_var, -1)
                loss = -keras.ops.mean(keras.ops.logsumexp(log_w, 0)) + float(np.log(self.k))
        variables = self.trainable_variables
        self.optimizer.apply(tape.gradient(loss, variables), variables)
        self.loss_tracker.update_state(loss)
        return {"loss": self.loss_tracker.result()}


def plain_keras(x, work):
    """Keras' `fit`."""
    model = PlainVAE(work)
    model.compile(keras.optimizers.Adam(1e-3))
    return lambda epochs: -model.fit(x, batch_size=work["batch_size"], epochs=epochs, verbose=0).history["loss"][-1]


def with_tfp(x, work):
    """TFP's layers, in tf_keras; None where the bound is not the ELBO."""
    import tensorflow_probability as tfp
    import tf_keras

    if work["k"] > 1:
        return None
    tfd, tfpl, size = tfp.distributions, tfp.layers, work["latent_size"]
    prior = tfd.Independent(tfd.Normal(tf.zeros(size), 1.0), 1)
    dense = [tf_keras.layers.Dense(n, activation="tanh") for n in work["hidden"]]
    encoder = tf_keras.Sequential(
        [
            tf_keras.layers.InputLayer((784,)),
            *dense,
            tf_keras.layers.Dense(tfpl.IndependentNormal.params_size(size)),
            tfpl.IndependentNormal(size, activity_regularizer=tfpl.KLDivergenceRegularizer(prior, weight=0.5)),
        ]
    )
    decoder = tf_keras.Sequential(
        [
            tf_keras.layers.InputLayer((size,)),
            *[tf_keras.layers.Dense(n, activation="tanh") for n in work["hidden"][::-1]],
            tf_keras.layers.Dense(784),
            tfpl.IndependentBernoulli((784,), tfd.Bernoulli.logits),
        ]
    )
    model = tf_keras.Model(encoder.inputs, decoder(encoder.outputs[0]))
    model.compile(tf_keras.optimizers.Adam(1e-3), loss=lambda x, rv: -rv.log_prob(x))
    return lambda epochs: -model.fit(x, x, batch_size=work["batch_size"], epochs=epochs, verbose=0).history["loss"][-1]


CONTENDERS = {"tfvae": with_tfvae, "hand": by_hand, "keras": plain_keras, "tfp": with_tfp}


def compare(name, arguments):
    """Times the contenders on one workload."""
    work = WORKLOADS[name]
    x = (np.random.default_rng(0).uniform(size=(work["num_images"], 784)) < 0.2).astype("float32")
    made = {}
    for contender in arguments.contenders:
        keras.utils.set_random_seed(0)
        start = time.perf_counter()
        run = CONTENDERS[contender](x, work)
        if run is not None:
            run(1)
            made[contender] = (run, time.perf_counter() - start)
    rates, bounds = {contender: [] for contender in made}, {}
    for repetition in range(arguments.repetitions):
        for contender in list(made) if repetition % 2 else reversed(list(made)):
            start = time.perf_counter()
            bounds[contender] = made[contender][0](arguments.epochs)
            rates[contender].append(arguments.epochs * len(x) / (time.perf_counter() - start))
    rows = []
    for contender, values in rates.items():
        ratio = np.array(rates["tfvae"]) / np.array(values)
        low, median, high = np.percentile(ratio, [25, 50, 75])
        rows.append(
            {
                "workload": name,
                "contender": contender,
                "images_per_second": float(np.median(values)),
                "tfvae_by_it": {"median": float(median), "quartiles": [float(low), float(high)]},
                "seconds_to_the_end_of_the_first_epoch": made[contender][1],
                "bound": float(bounds[contender]),
            }
        )
        print(
            f"{name:<7} {contender:<6} {np.median(values):8.0f} /s   {median:5.2f} ({low:.2f}, {high:.2f})   "
            f"first epoch {made[contender][1]:5.1f} s   bound {bounds[contender]:.1f}",
            flush=True,
        )
    return rows


def main():
    """Compares, prints a table and writes JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workloads", nargs="+", choices=list(WORKLOADS), default=list(WORKLOADS))
    parser.add_argument("--contenders", nargs="+", choices=list(CONTENDERS), default=list(CONTENDERS))
    parser.add_argument("--repetitions", type=int, default=9)
    parser.add_argument("--epochs", type=int, default=3, help="in a turn")
    parser.add_argument("--output", default=None)
    arguments = parser.parse_args()
    rows = [row for name in arguments.workloads for row in compare(name, arguments)]
    if arguments.output:
        with open(arguments.output, "w") as file:
            json.dump({"arguments": vars(arguments), "rows": rows}, file, indent=2)


if __name__ == "__main__":
    main()
