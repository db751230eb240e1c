"""Trains one VAE with many posteriors and priors on static MNIST: the table of docs/posteriors-and-priors.md.

    python benchmarks/posteriors_and_priors.py --folder build/posteriors
    python benchmarks/posteriors_and_priors.py --folder build/posteriors --names diag planar --seeds 0 --speed --chains

Every model has the networks 784-300-300-40-300-300-784 (tanh), D = 40, and trains for the same number of passes with
Adam, whose rate falls as a cosine, and a KL weight that rises from 0 to 1 in the first quarter. Each model and seed is
a process of its own. What is in the folder is not made again, so an interrupted call resumes.

The tables show, on the 10,000 test images: the ELBO (10 draws), log p(x) by importance sampling, the differences from
the row that each name is compared with (the mean over seeds, with the standard error over images and seeds); with
`--speed`, the time of a step and the peak of memory, in turns; and with `--chains`, log p(x) of 50 images by importance
sampling and by annealed importance sampling.
"""

import argparse
import json
import os
import pathlib
import resource
import subprocess
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

_D, _HIDDEN, _BATCH, _SHAPE = 40, (300, 300), 100, (28, 28, 1)
_CONTEXT, _UNITS, _COMPONENTS = 32, (128, 128), 100

# Name: posterior, prior and the name of the row that it is compared with.
ROWS = {
    "diag": ("diag", "standard_normal", None),
    "low_rank": ("diag_plus_low_rank", "standard_normal", "diag"),
    "tril": ("tril", "standard_normal", "diag"),
    "radial": ("radial", "standard_normal", "diag"),
    "planar": ("planar", "standard_normal", "diag"),
    "sylvester": ("sylvester", "standard_normal", "diag"),
    "coupling": ("coupling", "standard_normal", "diag"),
    "spline": ("spline", "standard_normal", "diag"),
    "iaf": ("iaf", "standard_normal", "planar"),
    "iaf_4": ("iaf_4", "standard_normal", "planar"),
    "mixture": ("diag", "mixture", "diag"),
    "vamp": ("diag", "vamp", "mixture"),
    "flow": ("diag", "flow", "diag"),
    "iaf_vamp": ("iaf", "vamp", "vamp"),
}


def build(name, num_steps, train, seed):
    """Builds and compiles the model of a row."""
    import keras

    from tfvae import callbacks, layers, models, networks
    from tfvae.training.initial_weights import start_at_base, start_at_marginals

    keras.utils.set_random_seed(seed)
    posterior, prior, _ = ROWS[name]
    last = _posterior(posterior)
    encoder = keras.Sequential(
        [keras.Input(_SHAPE), networks.mlp(last.parameters_size, _HIDDEN, "tanh"), last], name="encoder"
    )
    start_at_base(encoder, seed=seed)
    likelihood = layers.IndependentBernoulli(_SHAPE)
    decoder = keras.Sequential(
        [keras.Input((_D,)), networks.mlp(likelihood.parameters_size, _HIDDEN[::-1], "tanh"), likelihood],
        name="decoder",
    )
    vae = models.VAE(encoder, decoder, prior=_prior(prior, encoder, train, seed), seed=seed)
    start_at_marginals(vae, train, "bernoulli")
    rate = keras.optimizers.schedules.CosineDecay(1e-3, num_steps, alpha=0.02)
    vae.compile(keras.optimizers.Adam(rate))
    return vae, [callbacks.BetaSchedule(callbacks.LinearWarmUp(num_steps=max(1, num_steps // 4)))]


def _posterior(kind):
    from tfvae import flows, layers

    if kind in ("diag", "tril"):
        return {"diag": layers.MultivariateNormalDiag, "tril": layers.MultivariateNormalTriL}[kind](_D)
    if kind == "diag_plus_low_rank":
        return layers.MultivariateNormalDiagPlusLowRank(_D, 4)
    with_network = {
        "coupling": (flows.Coupling, 4, {}),
        "spline": (flows.Spline, 2, {}),
        "iaf": (flows.InverseAutoregressive, 2, {"activation": "relu"}),
        "iaf_4": (flows.InverseAutoregressive, 4, {"activation": "relu"}),
    }
    if kind in with_network:
        transform, number, arguments = with_network[kind]
        orders = ["right-to-left" if i % 2 else "left-to-right" for i in range(number)]
        steps = [transform(_UNITS, context_size=_CONTEXT, input_order=order, **arguments) for order in orders]
    else:
        transform, number = {
            "planar": (flows.Planar, 10),
            "radial": (flows.Radial, 10),
            "sylvester": (lambda: flows.Sylvester(16), 4),
        }[kind]
        steps = [transform() for _ in range(number)]
    return layers.NormalizingFlow(_D, steps)


def _prior(kind, encoder, train, seed):
    from tfvae import priors

    if kind == "vamp":
        prior = priors.VampPrior(encoder, _COMPONENTS, activation="sigmoid")
        prior.adapt(train.x, seed=seed)
        return prior
    return {
        "standard_normal": lambda: priors.StandardNormal(_D),
        "mixture": lambda: priors.MixtureOfGaussians(_D, _COMPONENTS, seed=seed),
        "flow": lambda: priors.Flow(_D, seed=seed),
    }[kind]()


def images():
    """Returns the training and the test images, binary, as floats."""
    from tfvae import data

    splits = data.load("binarized_mnist")
    return [part.take(len(part)).thresholded() for part in (splits.train, splits.test)]


def train(name, seed, arguments, folder):
    """Trains and measures one model, and writes its numbers, values per image and weights."""
    from tfvae import evaluation

    train, test = images()
    steps_per_pass = len(train) // _BATCH
    vae, schedule = build(name, arguments.passes * steps_per_pass, train, seed)
    start = time.perf_counter()
    vae.fit(
        train.batches(_BATCH, shuffle=True, seed=seed, drop_remainder=True),
        epochs=arguments.passes,
        callbacks=schedule,
        verbose=0,
    )
    seconds = time.perf_counter() - start
    test = test.take(arguments.num_test)
    bound = evaluation.elbo(vae, test.x, num_samples=10, batch_size=500, seed=seed)
    marginal = evaluation.log_marginal(vae, test.x, num_importance_samples=arguments.samples, seed=seed)
    vae.save(folder / "vae.keras")
    np.savez(folder / "per_image.npz", elbo=bound.per_example, log_marginal=marginal.per_example)
    found = {"training_seconds": seconds, "log_marginal": marginal.to_dict(), "elbo": bound.to_dict()}
    (folder / "numbers.json").write_text(json.dumps(found))


def compare_with_chains(folder):
    """Estimates log p(x) of 50 test images in two ways and writes both."""
    import tfvae
    from tfvae import evaluation

    vae = tfvae.load_model(folder / "vae.keras")
    x = images()[1].x[:50]
    by_weights = evaluation.log_marginal(vae, x, num_importance_samples=5000)
    by_chains = evaluation.log_marginal_ais(vae, x, num_chains=16, num_steps=1000, batch_size=50)
    found = {"importance_sampling": by_weights.to_dict(), "annealed": by_chains.to_dict()}
    difference = by_weights.per_example - by_chains.per_example
    found["difference"] = [float(difference.mean()), float(difference.std(ddof=1) / np.sqrt(len(difference)))]
    (folder / "chains.json").write_text(json.dumps(found))


def time_steps(name, num_images):
    """Prints the time of a step in milliseconds, and the peak of memory in MiB, of a process that trains this model."""
    train, _ = images()
    train = train.take(num_images)
    vae, schedule = build(name, 10_000, train, 0)
    batches = train.batches(_BATCH, shuffle=True, seed=0, drop_remainder=True)
    vae.fit(batches, epochs=1, callbacks=schedule, verbose=0)
    start = time.perf_counter()
    vae.fit(batches, epochs=1, callbacks=schedule, verbose=0)
    milliseconds = 1e3 * (time.perf_counter() - start) / (len(train) // _BATCH)
    print(json.dumps([milliseconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]))


def in_a_process(*options):
    """Runs this file in a process and returns the last line that it prints."""
    done = subprocess.run([sys.executable, __file__, *map(str, options)], stdout=subprocess.PIPE, text=True, check=True)
    return (done.stdout.splitlines() or [""])[-1]


def table_of_bounds(folder, names, seeds):
    """Returns lines of a table of bounds and paired differences."""
    values = {
        name: [np.load(path) for seed in seeds if (path := folder / name / str(seed) / "per_image.npz").exists()]
        for name in ROWS
    }
    lines = [
        "| row | seeds | ELBO | log p(x) | compared with | ELBO, difference | log p(x), difference |",
        "| --- | ---: | ---: | ---: | --- | ---: | ---: |",
    ]
    for name in names:
        if not values[name]:
            continue
        other = ROWS[name][2]
        means = [np.mean([float(one[key].mean()) for one in values[name]]) for key in ("elbo", "log_marginal")]
        shown = ["", "", ""]
        if other and len(values[other]) >= len(values[name]):
            pairs = list(zip(values[name], values[other], strict=False))
            shown = [other, *(_difference(pairs, key) for key in ("elbo", "log_marginal"))]
        cells = [name, str(len(values[name])), *(f"{mean:.2f}" for mean in means), *shown]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def _difference(pairs, key):
    """The mean paired difference; its standard error has a part from images and a part from seeds."""
    differences = np.stack([one[key] - other[key] for one, other in pairs])  # [seeds, N]
    over_images = differences.mean(axis=0).std(ddof=1) / np.sqrt(differences.shape[1])
    of_seeds = differences.mean(axis=1)
    over_seeds = of_seeds.std(ddof=1) / np.sqrt(len(of_seeds)) if len(of_seeds) > 1 else 0.0
    return f"{differences.mean():+.2f} ± {np.hypot(over_images, over_seeds):.2f}"


def table_of_speed(folder, names, arguments):
    """Measures in turns, and returns lines of a table of times and memory."""
    found = {name: [] for name in names}
    for _ in range(arguments.repetitions):
        for name in names:
            found[name].append(json.loads(in_a_process("--time", name, "--images", arguments.images)))
    (folder / "speed.json").write_text(json.dumps(found))
    first = np.median(found[names[0]], axis=0)
    lines = [f"| row | step, ms | / {names[0]} | peak of memory, MiB |", "| --- | ---: | ---: | ---: |"]
    for name in names:
        step, memory = np.median(found[name], axis=0)
        lines.append(f"| {name} | {step:.2f} | {step / first[0]:.2f} | {memory:,.0f} |")
    return lines


def table_of_chains(folder, names, seeds):
    """Returns lines of a table of log p(x) in two ways."""
    lines = [
        "| row | seed | importance sampling | annealed | difference | images with too few draws |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name in names:
        for seed in seeds:
            path = folder / name / str(seed) / "chains.json"
            if not path.exists():
                continue
            found = json.loads(path.read_text())
            means = [found[way]["mean"] for way in ("importance_sampling", "annealed")]
            difference, error = found["difference"]
            cells = [name, str(seed), *(f"{mean:.2f}" for mean in means), f"{difference:+.3f} ± {error:.3f}"]
            cells.append(str(found["importance_sampling"]["num_above_threshold"]))
            lines.append("| " + " | ".join(cells) + " |")
    return lines


def main():
    """Trains what is missing and prints tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=pathlib.Path, default=pathlib.Path("build/posteriors"))
    parser.add_argument("--names", nargs="+", choices=list(ROWS), default=list(ROWS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--passes", type=int, default=40)
    parser.add_argument("--samples", type=int, default=500, help="importance samples per image")
    parser.add_argument("--num-test", type=int, default=10_000)
    parser.add_argument("--speed", action="store_true", help="measure times of a step; nothing else should run")
    parser.add_argument("--images", type=int, default=10_000, help="training images of an epoch that is timed")
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--chains", action="store_true", help="compare importance sampling with chains")
    parser.add_argument("--train", help=argparse.SUPPRESS)
    parser.add_argument("--score", help=argparse.SUPPRESS)
    parser.add_argument("--time", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.time:
        time_steps(arguments.time, arguments.images)
        return
    if arguments.train or arguments.score:
        folder = arguments.folder / (arguments.train or arguments.score) / str(arguments.seeds[0])
        folder.mkdir(parents=True, exist_ok=True)
        if arguments.train:
            train(arguments.train, arguments.seeds[0], arguments, folder)
        else:
            compare_with_chains(folder)
        return
    own = ["--folder", arguments.folder, "--passes", arguments.passes]
    own += ["--samples", arguments.samples, "--num-test", arguments.num_test]
    for seed in arguments.seeds:
        for name in arguments.names:
            if not (arguments.folder / name / str(seed) / "numbers.json").exists():
                in_a_process("--train", name, "--seeds", seed, *own)
                print(f"{name}, seed {seed}", flush=True)
    if arguments.chains:
        for name in arguments.names:
            if not (arguments.folder / name / str(arguments.seeds[0]) / "chains.json").exists():
                in_a_process("--score", name, "--seeds", arguments.seeds[0], *own)
    print("\n".join(table_of_bounds(arguments.folder, arguments.names, arguments.seeds)))
    if arguments.speed:
        print("\n".join(table_of_speed(arguments.folder, arguments.names, arguments)))
    if arguments.chains:
        print("\n".join(table_of_chains(arguments.folder, arguments.names, arguments.seeds)))


if __name__ == "__main__":
    main()
