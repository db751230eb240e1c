"""Compares the VAE program in TFP's documentation on tf_keras + `tfp.layers` and on Keras 3 + `tfvae.layers`.

The function `build` contains the program. It is called with each pair of modules, and nothing else differs:
a convolutional encoder, a full-covariance posterior of size 16 with a `KLDivergenceRegularizer` against
`Independent(Normal)`, a transposed-convolutional decoder, a lambda for the negative log-likelihood, Adam, MNIST
binarised again in every epoch. Both start from the same weights and train on the same batches. The same function
measures both on the same binarised test images: log p(x|z) - KL(q(z|x) || p(z)), with the exact KL, in nats.

Before training, the loss of tfvae for one batch is compared with NLL + KL, computed from the same draw of z.

    python benchmarks/tfp_tutorial.py --epochs 15 --seed 0 --output tfp_tutorial.json

It takes hours on two cores. `--train-size` and `--minutes` shorten it. The two programs alternate, epoch by epoch, so
that other load on the machine slows both. The step is traced and compiled before, and all its variables are restored.
"""

import argparse
import json
import math
import time

import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras

import tfvae

tfd = tfp.distributions

INPUT_SHAPE, ENCODED_SIZE, BATCH_SIZE = (28, 28, 1), 16, 256
QUICK_SIZE = 2_000  # test images to evaluate after every epoch
MODULES = {"tfp.layers": (tf_keras, tfp.layers), "tfvae": (keras, tfvae.layers)}


def build(tfk, tfpl, base_depth):
    """Returns (encoder, decoder, vae) of the documented program for a pair of modules."""
    tfkl = tfk.layers
    prior = tfd.Independent(tfd.Normal(loc=tf.zeros(ENCODED_SIZE), scale=1), reinterpreted_batch_ndims=1)

    def convolution(layer, filters, size, strides=1, padding="same"):
        return layer(filters, size, strides=strides, padding=padding, activation=tf.nn.leaky_relu)

    encoder = tfk.Sequential(
        [
            tfkl.InputLayer(input_shape=INPUT_SHAPE),
            tfkl.Lambda(lambda x: tf.cast(x, tf.float32) - 0.5),
            convolution(tfkl.Conv2D, base_depth, 5),
            convolution(tfkl.Conv2D, base_depth, 5, strides=2),
            convolution(tfkl.Conv2D, 2 * base_depth, 5),
            convolution(tfkl.Conv2D, 2 * base_depth, 5, strides=2),
            convolution(tfkl.Conv2D, 4 * ENCODED_SIZE, 7, padding="valid"),
            tfkl.Flatten(),
            tfkl.Dense(tfpl.MultivariateNormalTriL.params_size(ENCODED_SIZE), activation=None),
            tfpl.MultivariateNormalTriL(ENCODED_SIZE, activity_regularizer=tfpl.KLDivergenceRegularizer(prior)),
        ]
    )
    decoder = tfk.Sequential(
        [
            tfkl.InputLayer(input_shape=[ENCODED_SIZE]),
            tfkl.Reshape([1, 1, ENCODED_SIZE]),
            convolution(tfkl.Conv2DTranspose, 2 * base_depth, 7, padding="valid"),
            convolution(tfkl.Conv2DTranspose, 2 * base_depth, 5),
            convolution(tfkl.Conv2DTranspose, 2 * base_depth, 5, strides=2),
            convolution(tfkl.Conv2DTranspose, base_depth, 5),
            convolution(tfkl.Conv2DTranspose, base_depth, 5, strides=2),
            convolution(tfkl.Conv2DTranspose, base_depth, 5),
            tfkl.Conv2D(1, 5, strides=1, padding="same", activation=None),
            tfkl.Flatten(),
            tfpl.IndependentBernoulli(INPUT_SHAPE, tfd.Bernoulli.logits),
        ]
    )
    vae = tfk.Model(inputs=encoder.inputs, outputs=decoder(encoder.outputs[0]))
    vae.compile(optimizer=tfk.optimizers.Adam(learning_rate=1e-3), loss=lambda x, rv_x: -rv_x.log_prob(x))
    return encoder, decoder, vae


def exact_kl(q):
    """KL(q || N(0, I)) of a normal distribution, `[B]`: minus the entropy, minus the mean log density of the prior."""
    second_moment = tf.reduce_sum(q.mean() ** 2 + q.variance(), axis=-1)
    return 0.5 * (ENCODED_SIZE * math.log(2.0 * math.pi) + second_moment) - q.entropy()


def make_terms(encoder, decoder):
    """The compiled function that `test_elbo` calls: log p(x|z) with z drawn from q(z|x), and the KL, each `[B]`."""

    @tf.function(autograph=False, reduce_retracing=True)
    def terms(batch, seed):
        q = encoder(batch)
        return decoder(q.sample(seed=seed)).log_prob(batch), exact_kl(q)

    return terms


def test_elbo(terms, x, num_draws):
    """Log-likelihood `[num_draws, N]` and KL `[N]` of every test image, with the same seeds for either library."""
    batches = [x[i : i + 500] for i in range(0, len(x), 500)]
    seeds = [[tf.constant([draw, i]) for i in range(len(batches))] for draw in range(num_draws)]
    results = [[terms(*pair) for pair in zip(batches, row, strict=True)] for row in seeds]
    log_likelihood = np.array([np.concatenate([ll for ll, _ in row]) for row in results], dtype=np.float64)
    return log_likelihood, np.concatenate([kl for _, kl in results[0]]).astype(np.float64)


def first_loss(encoder, vae, x):
    """Returns (loss, NLL + KL) of one batch from the same draw, with restored random states for the second."""
    states = [variable.numpy() for variable in vae.non_trainable_variables]
    loss = float(vae.evaluate(x, x, batch_size=len(x), verbose=0))
    for variable, state in zip(vae.non_trainable_variables, states, strict=True):
        variable.assign(state)
    negative_log_likelihood = float(tf.reduce_mean(-vae(x).log_prob(x)))
    return loss, negative_log_likelihood + float(tf.reduce_mean(exact_kl(encoder(x))))


def warm_up(vae, x):
    """Traces and compiles the training step, and restores all variables."""
    vae.optimizer.build(vae.trainable_variables)
    variables = [*vae.weights, *vae.optimizer.variables]
    before = [variable.numpy() for variable in variables]
    vae.fit(x, x, batch_size=BATCH_SIZE, epochs=1, verbose=0)
    for variable, value in zip(variables, before, strict=True):
        variable.assign(value)


def epoch_images(split, seed, epoch):
    """Returns the images of one epoch, binarised and shuffled."""
    x = split.binarized(seed=1000 * seed + epoch).x
    return x[np.random.default_rng([seed, epoch]).permutation(len(x))]


def train_epoch(vae, x):
    """Trains one epoch. Returns its seconds and the loss that Keras reports."""
    # `fit` does not shuffle, so that both libraries get the same batches.
    batches = tf.data.Dataset.from_tensor_slices(x).batch(BATCH_SIZE).map(lambda x: (x, x)).prefetch(2)
    begun = time.perf_counter()
    history = vae.fit(batches, epochs=1, verbose=0).history
    return time.perf_counter() - begun, float(history["loss"][-1])


def summary(log_likelihood, kl):
    """Returns the mean test ELBO with its standard error over images, and over draws if there are several."""
    elbo, per_draw = log_likelihood.mean(axis=0) - kl, log_likelihood.mean(axis=1)
    return {
        "test_elbo": float(elbo.mean()),
        "standard_error": float(elbo.std(ddof=1) / math.sqrt(len(elbo))),
        "standard_error_of_draws": float(per_draw.std(ddof=1) / math.sqrt(len(per_draw))),
        "test_log_likelihood": float(log_likelihood.mean()),
        "test_kl": float(kl.mean()),
    }


def main() -> None:
    """Trains both, prints a table and writes JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--minutes", type=float, default=math.inf, help="no epoch starts after this many minutes")
    parser.add_argument("--train-size", type=int, default=60_000)
    parser.add_argument("--base-depth", type=int, default=32, help="channels; 8 is ten times faster than TFP's 32")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--draws", type=int, default=5, help="draws of z for every test image, at least 2")
    parser.add_argument("--output", default=None)
    arguments = parser.parse_args()
    seed, begun = arguments.seed, time.perf_counter()
    splits = tfvae.data.load("mnist")
    x_train, x_test = splits.train.take(arguments.train_size), splits.test.binarized(seed=0).x
    parts, rows, weights = {}, {}, None
    for name, (tfk, tfpl) in MODULES.items():
        tfk.utils.set_random_seed(seed)
        encoder, decoder, vae = build(tfk, tfpl, arguments.base_depth)
        parts[name] = vae, make_terms(encoder, decoder)
        weights = vae.get_weights() if weights is None else weights
        vae.set_weights(weights)
        rows[name] = {"seconds": [], "losses": [], "test_elbo_after_epoch": []}
        if name == "tfvae":
            loss, expected = first_loss(encoder, vae, x_test[:BATCH_SIZE])
            relative = loss / expected - 1.0
            rows[name]["first_loss"] = {"loss": loss, "nll_plus_kl": expected, "relative_difference": relative}
            print(f"tfvae, first batch: loss {loss:.4f}, NLL + KL {expected:.4f}, relative {relative:+.1e}")
        warm_up(vae, x_test[:BATCH_SIZE])
    for epoch in range(arguments.epochs):
        if time.perf_counter() - begun > 60.0 * arguments.minutes:
            break
        x_epoch = epoch_images(x_train, seed, epoch)
        for name in sorted(parts, reverse=bool((seed + epoch) % 2)):
            vae, terms = parts[name]
            seconds, loss = train_epoch(vae, x_epoch)
            some = summary(*test_elbo(terms, x_test[:QUICK_SIZE], 2))
            rows[name]["seconds"].append(seconds)
            rows[name]["losses"].append(loss)
            rows[name]["test_elbo_after_epoch"].append(some["test_elbo"])
            print(
                f"{name:<10}  epoch {epoch + 1:2d}  {seconds:6.1f} s  loss {loss:8.3f}  "
                f"ELBO of {QUICK_SIZE} test images {some['test_elbo']:9.3f}",
                flush=True,
            )
    elbos = {}
    for name, (_, terms) in parts.items():
        log_likelihood, kl = test_elbo(terms, x_test, arguments.draws)
        elbos[name] = log_likelihood.mean(axis=0) - kl  # [N]
        row = rows[name] = rows[name] | summary(log_likelihood, kl)
        print(
            f"{name:<10}  test ELBO {row['test_elbo']:9.3f} nats (standard error {row['standard_error']:.3f}, of the "
            f"draws {row['standard_error_of_draws']:.3f}) = {row['test_log_likelihood']:.3f} - {row['test_kl']:.3f}; "
            f"{np.median(row['seconds']):.1f} s an epoch (median)",
            flush=True,
        )
    gain = elbos["tfvae"] - elbos["tfp.layers"]  # paired, image by image
    error = float(gain.std(ddof=1) / math.sqrt(len(gain)))
    print(f"tfvae - tfp.layers: {gain.mean():+.3f} nats (standard error {error:.3f})")
    if arguments.output:
        report = {"arguments": vars(arguments), "epochs": len(rows["tfvae"]["losses"]), "models": rows}
        report["difference"] = {"mean": float(gain.mean()), "standard_error": error}
        with open(arguments.output, "w") as file:
            json.dump(report, file, indent=2)


if __name__ == "__main__":
    main()
