"""Measures the speed of `tfvae.evaluation.log_marginal` in images per second, compared with a hand-written estimate.

The decoder is that of the paper on importance weighted autoencoders, 784-200-200 with tanh and 50 latents, with K
importance samples per image. The hand-written estimate is one `tf.function` for a batch of images: a loop over chunks
of draws `[C, B]` with a running log-sum-exp, with TFP distributions for the posterior, the prior and the Bernoulli
pixels, without diagnostics. `--hand formulas` replaces them by the cross-entropy of TensorFlow and explicit normal
densities.

    python benchmarks/evaluation.py --output evaluation.json

`--hand jax` is the same estimate in JAX, if it is installed.

    python benchmarks/evaluation.py --before FOLDER --chains ais hmc

compares annealed importance sampling and Hamiltonian Monte Carlo of 50 images with the checkout of another commit in a
folder, each in fresh processes in turn. The model is the default of `tfvae train` on the digits (64-500-2-500-64).
"First call" includes tracing, "next call" does not. It also says whether the estimates are equal.

    python benchmarks/evaluation.py --before FOLDER --chains hmc --output hmc.json --resume --seconds 200

measures in parts: it starts no repetition that would end after 200 seconds, and the same command goes on with the
repetitions of the file. The file is written after each of them.

Before they are timed, both must agree within their Monte Carlo errors. They alternate, A B then B A, in one process. A
repetition is one batch of each and gives one ratio. The table shows images per second (medians) and the median of the
ratios of their times (tfvae divided by hand-written) with quartiles, in wall and in CPU time. On a machine with other
load, use the CPU time.
"""

import argparse
import json
import time
from pathlib import Path

import chains
import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

import tfvae

tfd = tfp.distributions

DATA_SIZE, HIDDEN, LATENT_SIZE = 784, 200, 50
LOG_TWO_PI = float(np.log(2.0 * np.pi))


def build():
    """A VAE with random weights, whose encoder is good enough for importance sampling."""
    keras.utils.set_random_seed(0)
    posterior, likelihood = tfvae.layers.MultivariateNormalDiag, tfvae.layers.IndependentBernoulli
    encoder = tfvae.networks.mlp(posterior.params_size(LATENT_SIZE), (HIDDEN, HIDDEN), "tanh")
    decoder = tfvae.networks.mlp(likelihood.params_size((DATA_SIZE,)), (HIDDEN, HIDDEN), "tanh")
    vae = tfvae.models.VAE(
        keras.Sequential([encoder, posterior(LATENT_SIZE)]),
        keras.Sequential([decoder, likelihood((DATA_SIZE,))]),
    )
    # q(z|x), p(z) and p(z|x) are close to each other, because pixels hardly depend on z, and z hardly on pixels.
    for weight in (encoder.weights[-2], decoder.weights[0]):
        weight.assign(0.1 * weight)
    unit_scale = np.full(LATENT_SIZE, np.log(np.expm1(1.0)))
    encoder.weights[-1].assign(np.concatenate([np.zeros(LATENT_SIZE), unit_scale]))
    return vae


def by_hand(vae, num_importance_samples, chunk_size, formulas):
    """Returns a function from x `[B, 784]` and a seed to log p(x) `[B]`, for the same model and estimate."""
    dense = [w.value for w in vae.trainable_variables]  # six of the encoder, six of the decoder
    prior = tfd.MultivariateNormalDiag(tf.zeros(LATENT_SIZE), tf.ones(LATENT_SIZE))

    def network(x, weights):
        for i in (0, 2, 4):
            x = tf.tensordot(x, weights[i], 1) + weights[i + 1]
            x = tf.tanh(x) if i < 4 else x
        return x

    def log_weights(x, loc, scale, seed):
        noise = tf.random.stateless_normal([chunk_size, tf.shape(x)[0], LATENT_SIZE], seed)
        z = loc + scale * noise  # [C, B, D]
        logits = network(z, dense[6:])
        if formulas:
            pixels = -tf.reduce_sum(tf.nn.sigmoid_cross_entropy_with_logits(x + tf.zeros_like(logits), logits), -1)
            return pixels + 0.5 * tf.reduce_sum(noise**2 - z**2, -1) + tf.reduce_sum(tf.math.log(scale), -1)
        log_q = tfd.MultivariateNormalDiag(loc, scale).log_prob(z)
        return tfd.Independent(tfd.Bernoulli(logits), 1).log_prob(x) + prior.log_prob(z) - log_q

    @tf.function(autograph=False)
    def estimate(x, seed):
        loc, raw_scale = tf.split(network(x, dense[:6]), 2, axis=-1)
        scale = tf.nn.softplus(raw_scale) + 1e-5

        def add(i, log_sum):
            seed_i = tf.random.experimental.stateless_fold_in(seed, i)
            weights = log_weights(x, loc, scale, seed_i)
            return i + 1, tf.reduce_logsumexp(tf.concat([log_sum[tf.newaxis], weights], 0), 0)

        num_chunks = num_importance_samples // chunk_size
        start = (tf.constant(0), tf.fill(tf.shape(x)[:1], -np.inf))
        _, log_sum = tf.while_loop(lambda i, _: i < num_chunks, add, start, parallel_iterations=1)
        return log_sum - tf.math.log(float(num_importance_samples))

    return estimate


def by_jax(vae, num_importance_samples, chunk_size):
    """Returns the function of `by_hand` with formulas, in JAX."""
    import jax
    from jax import numpy as jnp

    dense = [jnp.asarray(w.numpy()) for w in vae.trainable_variables]

    def network(x, weights):
        for i in (0, 2, 4):
            x = x @ weights[i] + weights[i + 1]
            x = jnp.tanh(x) if i < 4 else x
        return x

    @jax.jit
    def estimate(x, key):
        loc, raw_scale = jnp.split(network(x, dense[:6]), 2, -1)
        scale = jax.nn.softplus(raw_scale) + 1e-5

        def add(i, log_sum):
            noise = jax.random.normal(jax.random.fold_in(key, i), (chunk_size, *loc.shape))
            z = loc + scale * noise  # [C, B, D]
            logits = network(z, dense[6:])
            pixels = logits * x - jax.nn.relu(logits) - jnp.log1p(jnp.exp(-jnp.abs(logits)))
            log_ratio = 0.5 * (noise**2 - z**2).sum(-1) + jnp.log(scale).sum(-1)
            return jnp.logaddexp(log_sum, jax.nn.logsumexp(pixels.sum(-1) + log_ratio, 0))

        log_sum = jax.lax.fori_loop(0, num_importance_samples // chunk_size, add, jnp.full(len(x), -jnp.inf))
        return log_sum - np.log(num_importance_samples)

    return lambda x, seed: np.asarray(estimate(x, jax.random.key(seed)))


def ratios(times):
    """The median of the ratios with its quartiles."""
    low, median, high = np.percentile(times[0] / times[1], [25, 50, 75])
    return {"median": float(median), "quartiles": [float(low), float(high)]}


def compare(row, vae, x, arguments, repeat):
    """Times the two in turns."""
    hand, k = row["hand"], arguments.num_importance_samples
    if hand == "jax":
        by_other = by_jax(vae, k, arguments.hand_chunk_size)
    else:
        estimate = by_hand(vae, k, arguments.hand_chunk_size, hand == "formulas")

        def by_other(x, seed):
            return estimate(tf.constant(x), tf.constant([0, seed])).numpy()

    contenders = (
        lambda seed: (
            tfvae.evaluation.log_marginal(
                vae,
                x,
                num_importance_samples=k,
                batch_size=len(x),
                chunk_size=arguments.chunk_size,
                seed=seed,
            ).per_example
        ),
        lambda seed: by_other(x, seed),
    )
    record = tfvae.evaluation.log_marginal(vae, x, num_importance_samples=k, batch_size=len(x))
    difference = float(np.mean(record.per_example - contenders[1](0)))
    allowed = 5 * np.sqrt(2) * record.monte_carlo_standard_error
    if not abs(difference) < allowed:
        raise RuntimeError(f"The two estimates differ by {difference:.4f} nats, more than {allowed:.4f}.")
    for contender in contenders:  # traces and warms up
        contender(0)

    def once(repetition):
        seconds = {"wall": [0.0, 0.0], "cpu": [0.0, 0.0]}
        for which in (0, 1) if repetition % 2 else (1, 0):
            begun = time.perf_counter(), time.process_time()
            contenders[which](repetition)
            seconds["wall"][which] = time.perf_counter() - begun[0]
            seconds["cpu"][which] = time.process_time() - begun[1]
        return seconds

    repeat(row, once)
    wall, cpu = (np.array([one[name] for one in row["turns"]]).T for name in ("wall", "cpu"))
    rates = len(x) / np.median(wall, axis=1)
    row |= {
        "images_per_second": {"tfvae": float(rates[0]), "by hand": float(rates[1])},
        "ratio": ratios(wall),
        "cpu_ratio": ratios(cpu),
        "difference": difference,
    }


def compare_chains(row, before, repeat):
    """Times this build and another one in turn, in fresh processes."""
    repeat(row, lambda repetition: chains.turn(row["chains"], before, repetition))
    seconds = np.array([one["seconds"] for one in row["turns"]])  # [R, 2, 2]
    row["is_equal"] = all(one["is_equal"] for one in row["turns"])
    for i, name in enumerate(("first call", "next call")):
        row[name] = ratios(seconds[:, :, i].T)
        low, high = row[name]["quartiles"]
        now, old = np.median(seconds[:, :, i], axis=0)
        ratio = f"{row[name]['median']:.3f} ({low:.3f}, {high:.3f})"
        print(f"{row['chains']}, {name}: {now:.2f} s, before {old:.2f} s, ratio {ratio}", flush=True)
    print(f"{row['chains']}: the estimates are {'equal' if row['is_equal'] else 'different'}", flush=True)


class Repetitions:
    """Repeats measurements, writes each to a file, and goes on with what the file has.

    Args:
        arguments: The command line.
    """

    def __init__(self, arguments):
        self.arguments, self.begun, self.longest = arguments, time.perf_counter(), 0.0
        self.path = None if arguments.output is None else Path(arguments.output)
        self.rows = []
        if arguments.resume and self.path.exists():
            self.rows = json.loads(self.path.read_text())["rows"]

    def row(self, **settings):
        """Returns the row of these settings, which has the key "turns"."""
        for row in self.rows:
            if {key: row.get(key) for key in settings} == settings:
                return row
        self.rows.append({**settings, "turns": []})
        return self.rows[-1]

    def __call__(self, row, once):
        """Appends results of `once(repetition)` to the turns of a row, at least one in all."""
        turns = row["turns"]
        while len(turns) < self.arguments.repetitions:
            begun = time.perf_counter()
            if turns and begun - self.begun + self.longest > self.arguments.seconds:
                print(f"{len(turns)} of {self.arguments.repetitions} repetitions so far", flush=True)
                break
            turns.append(once(len(turns)))
            self.longest = max(self.longest, time.perf_counter() - begun)
            self.write()

    def write(self):
        """Writes the results as JSON."""
        if self.path:
            with open(self.path, "w") as file:
                json.dump({"arguments": vars(self.arguments), "rows": self.rows}, file, indent=2, default=str)


def main() -> None:
    """Checks and times, prints a table and writes JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--hand",
        nargs="+",
        choices=["tfp", "formulas", "jax"],
        help="hand-written estimates; without --before, tfp and formulas",
    )
    parser.add_argument("--num-importance-samples", type=int, default=5_000)
    parser.add_argument("--num-images", type=int, default=100, help="number of images in a batch")
    parser.add_argument("--chunk-size", type=int, default=tfvae.estimators.monte_carlo.CHUNK_SIZE)
    parser.add_argument("--hand-chunk-size", type=int, default=50, help="must divide the number of importance samples")
    parser.add_argument("--repetitions", type=int, default=9)
    parser.add_argument("--before", type=Path, help="folder with a checkout of another commit, for --chains")
    parser.add_argument("--chains", nargs="+", choices=["ais", "hmc"], default=["ais", "hmc"])
    parser.add_argument("--output", default=None)
    parser.add_argument("--resume", action="store_true", help="go on with the repetitions of the output file")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="limit of time, for --resume")
    arguments = parser.parse_args()
    if arguments.resume and arguments.output is None:
        parser.error("--resume needs --output, the file to go on with.")
    repeat = Repetitions(arguments)
    hands = arguments.hand or ([] if arguments.before else ["tfp", "formulas"])
    if hands:
        rng = np.random.default_rng(0)
        x = (rng.uniform(size=(arguments.num_images, DATA_SIZE)) < 0.2).astype("float32")
        vae = build()
        print("hand       tfvae       by hand     ratio (quartiles)       CPU ratio (quartiles)")
    names = ("num_importance_samples", "num_images", "chunk_size", "hand_chunk_size")
    for hand in hands:
        row = repeat.row(hand=hand, **{name: getattr(arguments, name) for name in names})
        compare(row, vae, x, arguments, repeat)
        texts = [
            f"{r['median']:.3f} ({r['quartiles'][0]:.3f}, {r['quartiles'][1]:.3f})"
            for r in (row["ratio"], row["cpu_ratio"])
        ]
        rates = row["images_per_second"]
        print(
            f"{hand:<9} {rates['tfvae']:6.1f} /s   {rates['by hand']:6.1f} /s   {texts[0]:<22}  {texts[1]}", flush=True
        )
    for which in arguments.chains if arguments.before else ():
        compare_chains(repeat.row(chains=which), arguments.before.resolve(), repeat)
    repeat.write()


if __name__ == "__main__":
    main()
