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

Before they are timed, both must agree within their Monte Carlo errors. They alternate, A B then B A, in one process. A
repetition is one batch of each and gives one ratio. The table shows images per second (medians) and the median of the
ratios of their times (tfvae divided by hand-written) with quartiles, in wall and in CPU time. On a machine with other
load, use the CPU time.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

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


def compare(vae, x, hand, arguments):
    """Times the two in turns."""
    k = arguments.num_importance_samples
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
    wall, cpu = np.zeros((2, arguments.repetitions)), np.zeros((2, arguments.repetitions))
    for contender in contenders:  # traces and warms up
        contender(0)
    for repetition in range(arguments.repetitions):
        for which in (0, 1) if repetition % 2 else (1, 0):
            begun = time.perf_counter(), time.process_time()
            contenders[which](repetition)
            wall[which, repetition] = time.perf_counter() - begun[0]
            cpu[which, repetition] = time.process_time() - begun[1]
    rates = len(x) / np.median(wall, axis=1)
    return {
        "hand": hand,
        "images_per_second": {"tfvae": float(rates[0]), "by hand": float(rates[1])},
        "ratio": ratios(wall),
        "cpu_ratio": ratios(cpu),
        "difference": difference,
        "wall_seconds": {"tfvae": wall[0].tolist(), "by hand": wall[1].tolist()},
    }


def measure_chains(which):
    """Times the first and the next call of one estimator in this process; prints JSON."""
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
    print(json.dumps({"seconds": seconds, "per_example": record.per_example.tolist()}))


def compare_chains(which, before, repetitions):
    """Times this build and another one in turn, in fresh processes."""
    here = Path(__file__).resolve()
    found = []
    for repetition in range(repetitions):
        pair = {}
        for folder in (here.parents[1], before) if repetition % 2 else (before, here.parents[1]):
            command = [sys.executable, str(here), "--measure", which]
            environment = {**os.environ, "PYTHONPATH": str(folder)}
            output = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=True)
            pair["before" if folder == before else "now"] = json.loads(output.stdout.splitlines()[-1])
        found.append((pair["now"], pair["before"]))
    seconds = np.array([[one["seconds"] for one in pair] for pair in found])  # [R, 2, 2]
    is_equal = all(now["per_example"] == old["per_example"] for now, old in found)
    row = {"chains": which, "is_equal": is_equal, "seconds": seconds.tolist()}
    for i, name in enumerate(("first call", "next call")):
        row[name] = ratios(seconds[:, :, i].T)
        low, high = row[name]["quartiles"]
        now, old = np.median(seconds[:, :, i], axis=0)
        ratio = f"{row[name]['median']:.3f} ({low:.3f}, {high:.3f})"
        print(f"{which}, {name}: {now:.2f} s, before {old:.2f} s, ratio {ratio}", flush=True)
    print(f"{which}: the estimates are {'equal' if is_equal else 'different'}", flush=True)
    return row


def main() -> None:
    """Checks and times, prints a table and writes JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hand", nargs="+", choices=["tfp", "formulas", "jax"], default=["tfp", "formulas"])
    parser.add_argument("--num-importance-samples", type=int, default=5_000)
    parser.add_argument("--num-images", type=int, default=100, help="number of images in a batch")
    parser.add_argument("--chunk-size", type=int, default=tfvae.estimators.monte_carlo.CHUNK_SIZE)
    parser.add_argument("--hand-chunk-size", type=int, default=50, help="must divide the number of importance samples")
    parser.add_argument("--repetitions", type=int, default=9)
    parser.add_argument("--before", type=Path, help="folder with a checkout of another commit, for --chains")
    parser.add_argument("--chains", nargs="+", choices=["ais", "hmc"], default=["ais", "hmc"])
    parser.add_argument("--measure", choices=["ais", "hmc"], help=argparse.SUPPRESS)
    parser.add_argument("--output", default=None)
    arguments = parser.parse_args()
    if arguments.measure:
        measure_chains(arguments.measure)
        return
    if arguments.before:
        rows = [compare_chains(which, arguments.before.resolve(), arguments.repetitions) for which in arguments.chains]
        write(arguments, rows)
        return
    rng = np.random.default_rng(0)
    x = (rng.uniform(size=(arguments.num_images, DATA_SIZE)) < 0.2).astype("float32")
    vae, rows = build(), []
    print("hand       tfvae       by hand     ratio (quartiles)       CPU ratio (quartiles)")
    for hand in arguments.hand:
        row = compare(vae, x, hand, arguments)
        rows.append(row)
        texts = [
            f"{r['median']:.3f} ({r['quartiles'][0]:.3f}, {r['quartiles'][1]:.3f})"
            for r in (row["ratio"], row["cpu_ratio"])
        ]
        rates = row["images_per_second"]
        print(
            f"{hand:<9} {rates['tfvae']:6.1f} /s   {rates['by hand']:6.1f} /s   {texts[0]:<22}  {texts[1]}", flush=True
        )
    write(arguments, rows)


def write(arguments, rows):
    """Writes the results as JSON."""
    if arguments.output:
        with open(arguments.output, "w") as file:
            json.dump({"arguments": vars(arguments), "rows": rows}, file, indent=2, default=str)


if __name__ == "__main__":
    main()
