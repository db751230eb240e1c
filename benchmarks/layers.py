"""Measures the cost of distribution layers in a `fit` step, compared with the same mathematics written with tensors.

There are three functional Keras models of the size of the paper for MNIST, 784-500-20-500, batch 100, Adam:

- `diagonal`: MultivariateNormalDiag posterior, Bernoulli pixels;
- `triangular`: MultivariateNormalTriL posterior, Bernoulli pixels;
- `normal`: MultivariateNormalDiag posterior, IndependentNormal pixels.

Each is built twice, with the same initial weights and the same `compile`. One model consists of tfvae layers, a
`KLDivergenceRegularizer` and a log_prob loss. The other one consists of Keras layers, a custom layer that draws
loc + scale * noise and adds the same exact KL, and a loss of the parameters. Before they are timed, both must agree
without noise in their loss and in the weights after a step of SGD.

    python benchmarks/layers.py --output layers.json

The two models alternate, A B then B A, in one process. A repetition is `--steps` steps of `fit` of each and gives one
ratio. The table shows milliseconds per step (medians), the median of the ratios with its quartiles, in wall and in CPU
time, and the number of operations in the graph of a step before TensorFlow optimises it. On a machine with other load,
use the CPU time and the ratio of the fastest tenths.
"""

import argparse
import json
import time

import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

import tfvae

tfd = tfp.distributions

DATA_SIZE, HIDDEN, LATENT_SIZE, BATCH_SIZE = 784, 500, 20, 100
MODELS = ("diagonal", "triangular", "normal")
JIT = {"auto": "auto", "false": False, "true": True}
SCALE_FLOOR = 1e-5
LOG_SQRT_TWO_PI = 0.5 * float(np.log(2.0 * np.pi))


class Diagonal(keras.layers.Layer):
    """Hand-written layer: z = loc + scale * noise, and the KL from N(0, I) as a loss."""

    def __init__(self, noise):
        super().__init__()
        self.noise, self.seed_generator = noise, keras.random.SeedGenerator(0)

    def call(self, parameters):
        loc, raw_scale = tf.split(parameters, 2, axis=-1)
        scale = tf.nn.softplus(raw_scale) + SCALE_FLOOR
        kl = 0.5 * tf.reduce_sum(tf.square(scale) + tf.square(loc) - 1.0 - 2.0 * tf.math.log(scale), axis=-1)
        self.add_loss(tf.reduce_mean(kl))
        return loc + scale * self.noise * keras.random.normal(tf.shape(loc), seed=self.seed_generator)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], LATENT_SIZE)


class Triangular(Diagonal):
    """Hand-written layer: z = loc + L noise, and the KL from N(0, I) as a loss."""

    def call(self, parameters):
        loc, raw = tf.split(parameters, [LATENT_SIZE, LATENT_SIZE * (LATENT_SIZE + 1) // 2], axis=-1)
        raw = tfp.math.fill_triangular(raw)
        lower = tf.where(tf.eye(LATENT_SIZE, dtype=tf.bool), tf.nn.softplus(raw) + SCALE_FLOOR, raw)
        log_determinant = tf.reduce_sum(tf.math.log(tf.linalg.diag_part(lower)), axis=-1)
        trace = tf.reduce_sum(tf.square(lower), axis=[-2, -1])
        kl = 0.5 * (trace + tf.reduce_sum(tf.square(loc), axis=-1) - LATENT_SIZE) - log_determinant
        self.add_loss(tf.reduce_mean(kl))
        noise = self.noise * keras.random.normal(tf.shape(loc), seed=self.seed_generator)
        return loc + tf.linalg.matvec(lower, noise)


def bernoulli_loss(x, logits):
    """Returns -log p(x|z) of Bernoulli pixels."""
    return tf.reduce_sum(tf.nn.sigmoid_cross_entropy_with_logits(labels=x, logits=logits), axis=-1)


def normal_loss(x, parameters):
    """Returns -log p(x|z) of normal pixels."""
    loc, raw_scale = tf.split(parameters, 2, axis=-1)
    scale = tf.nn.softplus(raw_scale)
    terms = 0.5 * tf.square((x - loc) / scale) + tf.math.log(scale) + LOG_SQRT_TWO_PI
    return tf.reduce_sum(terms, axis=-1)


def build(kind, by_hand, noise=1.0):
    """Returns the model, not compiled, and its loss. `noise` 0 disables the draw."""
    posterior = tfvae.layers.MultivariateNormalTriL if kind == "triangular" else tfvae.layers.MultivariateNormalDiag
    likelihood = tfvae.layers.IndependentNormal if kind == "normal" else tfvae.layers.IndependentBernoulli
    x = keras.Input((DATA_SIZE,))
    hidden = keras.layers.Dense(HIDDEN, activation="tanh")(x)
    parameters = keras.layers.Dense(posterior.params_size(LATENT_SIZE))(hidden)
    if by_hand:
        z = (Triangular if kind == "triangular" else Diagonal)(noise)(parameters)
    else:
        prior = tfd.Independent(tfd.Normal(tf.zeros(LATENT_SIZE), 1.0), reinterpreted_batch_ndims=1)
        z = posterior(
            LATENT_SIZE,
            convert_to_tensor_fn="sample" if noise else "mean",
            activity_regularizer=tfvae.layers.KLDivergenceRegularizer(prior, use_exact_kl=True),
        )(parameters)
    hidden = keras.layers.Dense(HIDDEN, activation="tanh")(z)
    out = keras.layers.Dense(likelihood.params_size((DATA_SIZE,)))(hidden)
    if by_hand:
        return keras.Model(x, out), normal_loss if kind == "normal" else bernoulli_loss
    return keras.Model(x, likelihood((DATA_SIZE,))(out)), lambda x, rv_x: -rv_x.log_prob(x)


def pair(kind, optimizer_fn, jit_compile, noise=1.0):
    """Returns the models with layers and with tensors, compiled alike, with equal weights."""
    keras.utils.set_random_seed(0)
    models = []
    for by_hand in (False, True):
        model, loss = build(kind, by_hand, noise)
        model.compile(optimizer=optimizer_fn(), loss=loss, jit_compile=jit_compile)
        models.append(model)
    models[1].set_weights(models[0].get_weights())
    return models


def check_same_mathematics(kind, x):
    """Returns the largest difference of the loss and of the weights after a step of SGD, without noise.

    Raises:
        RuntimeError: If they differ by more than rounding.
    """
    models = pair(kind, lambda: keras.optimizers.SGD(1e-3), False, noise=0.0)
    losses = [float(model.train_on_batch(x, x)) for model in models]
    weights = [np.concatenate([w.ravel() for w in model.get_weights()]) for model in models]
    differences = {
        "loss": abs(losses[0] / losses[1] - 1.0),
        "weights": float(np.max(np.abs(weights[0] - weights[1]))),
    }
    if differences["loss"] > 1e-5 or differences["weights"] > 1e-5:
        raise RuntimeError(f"{kind}: the two models differ, losses {losses}, {differences}. They must be one model.")
    return differences


def graph_size(model, x):
    """The number of operations in the graph of one training step."""
    step = tf.function(lambda batch: model.train_step((batch, batch)), autograph=False)
    graph = step.get_concrete_function(tf.TensorSpec([None, DATA_SIZE], x.dtype)).graph.as_graph_def()
    return len(graph.node) + sum(len(function.node_def) for function in graph.library.function)


def time_pair(kind, jit, x, steps, repetitions):
    """Times the two in turns."""
    models = pair(kind, lambda: keras.optimizers.Adam(1e-3), JIT[jit])
    data = tf.data.Dataset.from_tensor_slices((x, x)).batch(BATCH_SIZE).cache().repeat().prefetch(2)
    sizes = [graph_size(model, x) for model in models]
    for model in models:  # traces, compiles, fills the cache
        model.fit(data, epochs=2, steps_per_epoch=max(steps, len(x) // BATCH_SIZE), verbose=0)
    wall, cpu = np.zeros((2, repetitions)), np.zeros((2, repetitions))
    for repetition in range(repetitions):
        for which in (0, 1) if repetition % 2 else (1, 0):
            begun = time.perf_counter(), time.process_time()
            models[which].fit(data, epochs=1, steps_per_epoch=steps, verbose=0)
            wall[which, repetition] = (time.perf_counter() - begun[0]) / steps
            cpu[which, repetition] = (time.process_time() - begun[1]) / steps

    def ratios(times):
        low, median, high = np.percentile(times[0] / times[1], [25, 50, 75])
        return {"median": float(median), "quartiles": [float(low), float(high)]}

    return {
        "model": kind,
        "jit_compile": jit,
        "milliseconds": {"layers": 1e3 * float(np.median(wall[0])), "by hand": 1e3 * float(np.median(wall[1]))},
        "ratio": ratios(wall),
        "ratio_of_medians": float(np.median(wall[0]) / np.median(wall[1])),
        "ratio_of_fastest": float(np.percentile(wall[0], 10) / np.percentile(wall[1], 10)),
        "cpu_ratio": ratios(cpu),
        "graph_operations": {"layers": sizes[0], "by hand": sizes[1]},
        "wall_seconds": {"layers": wall[0].tolist(), "by hand": wall[1].tolist()},
    }


def main() -> None:
    """Checks and times each model, prints a table and writes JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", choices=MODELS, default=MODELS)
    parser.add_argument("--jit", nargs="+", choices=list(JIT), default=list(JIT))
    parser.add_argument("--steps", type=int, default=40, help="steps of fit in one repetition")
    parser.add_argument("--repetitions", type=int, default=60)
    parser.add_argument("--output", default=None)
    arguments = parser.parse_args()
    x = np.random.default_rng(0).integers(0, 2, size=(2_000, DATA_SIZE)).astype("float32")
    rows = []
    print("model        jit     layers    by hand   ratio (quartiles)     fastest  CPU ratio (quartiles)  operations")
    for kind in arguments.models:
        differences = check_same_mathematics(kind, x[:BATCH_SIZE])
        for jit in arguments.jit:
            row = time_pair(kind, jit, x, arguments.steps, arguments.repetitions) | {"differences": differences}
            rows.append(row)
            texts = [
                f"{r['median']:.3f} ({r['quartiles'][0]:.3f}, {r['quartiles'][1]:.3f})"
                for r in (row["ratio"], row["cpu_ratio"])
            ]
            sizes = row["graph_operations"]
            print(
                f"{kind:<12} {jit:<5} {row['milliseconds']['layers']:6.2f} ms {row['milliseconds']['by hand']:6.2f} ms"
                f"  {texts[0]:<20}  {row['ratio_of_fastest']:.3f}    {texts[1]:<20}  "
                f"{sizes['layers']} / {sizes['by hand']}",
                flush=True,
            )
    if arguments.output:
        with open(arguments.output, "w") as file:
            json.dump({"arguments": vars(arguments), "rows": rows}, file, indent=2)


if __name__ == "__main__":
    main()
