"""Measures the factor between the KL term and the true mean KL, for every spelling in `tfp.layers` and tfvae.

The model is one Dense layer with fixed weights and a `MultivariateNormalTriL` posterior, compiled with a loss of zero,
so that the loss is the KL term. The true value, weight * KL(q || p) in nats averaged over the batch, is the closed form
in NumPy. Its gradient is computed with central differences in float64. The results are

- `loss`: the loss of `evaluate`, and `training_loss`: the loss of `train_on_batch`, both divided by the true value;
- `gradient`: the gradient that training applies. One step of SGD with learning rate 1 changes the weights by the
  gradient. The factor is its least-squares fit to the true gradient, and `misfit` is the relative norm of the residual.

1.0 is correct, and 2.0 is a KL that counts twice. Monte Carlo spellings are averaged over steps until the relative
standard error of every factor is below `--precision`. For a spelling that raises an error, the error is recorded.

    python benchmarks/kl_factors.py --output kl_factors.json --markdown kl_factors.md    # about 5 minutes

The rows of `tfp.layers` are measured before tfvae is imported, because tfvae registers exact KLs with TFP.
"""

import argparse
import itertools
import json
import math

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

tfd = tfp.distributions

BATCH_SIZES = (1, 8, 37)
PRIORS = ("MultivariateNormalDiag", "Independent(Normal)")
PRIOR_LOC, PRIOR_SCALE = np.array([0.5, -1.0]), np.array([1.0, 1.5])
# Rows of the kernel multiply the inputs; columns are loc[2], then the triangle. Scales near 0.1 and means well away
# from the prior's keep the Monte Carlo noise to a few percent of the KL.
KERNEL = np.array(
    [[0.3, -0.2, 0.1, 0.2, -0.1], [-0.1, 0.4, -0.2, 0.1, 0.3], [0.2, 0.1, 0.3, -0.3, 0.1]],
)
BIAS = np.array([6.0, -9.0, -3.0, 0.05, -2.5])


def inputs(batch_size):
    """Returns the batch `[batch_size, 3]`, which is always the same."""
    return np.random.default_rng(0).normal(size=(batch_size, 3)).astype("float32")


def true_kl(x, kernel, bias):
    """The mean over the batch of KL(q || p) in nats, in float64."""
    params = x.astype("float64") @ kernel + bias
    loc, (first, off, second) = params[:, :2], params[:, 2:].T
    # The triangle [a, b, c] is [[c, 0], [b, a]], with softplus + 1e-5 on the diagonal.
    diagonal = np.log1p(np.exp(np.stack([second, first], axis=1))) + 1e-5
    variance = diagonal**2
    variance[:, 1] += off**2
    trace = np.sum(variance / PRIOR_SCALE**2, axis=1)
    distance = np.sum(((loc - PRIOR_LOC) / PRIOR_SCALE) ** 2, axis=1)
    log_determinants = 2.0 * np.sum(np.log(PRIOR_SCALE)) - 2.0 * np.sum(np.log(diagonal), axis=1)
    return np.mean(0.5 * (trace + distance - 2.0 + log_determinants))


def true_gradient(x):
    """The gradient of `true_kl` in the kernel and the bias, flat, by central differences."""
    point, step = np.concatenate([KERNEL.ravel(), BIAS]), 1e-5

    def kl(flat):
        return true_kl(x, flat[: KERNEL.size].reshape(KERNEL.shape), flat[KERNEL.size :])

    return np.array([(kl(point + e) - kl(point - e)) / (2.0 * step) for e in step * np.eye(point.size)])


def make_prior(name):
    """The prior in one of its spellings."""
    loc, scale = PRIOR_LOC.astype("float32"), PRIOR_SCALE.astype("float32")
    if name == "MultivariateNormalDiag":
        return tfd.MultivariateNormalDiag(loc, scale)
    return tfd.Independent(tfd.Normal(loc, scale), reinterpreted_batch_ndims=1)


def build(keras, layers, spelling, exact, draws, weight, prior):
    """Returns the model whose loss is the KL term."""
    term = getattr(layers, spelling)(make_prior(prior), weight=weight, **({} if exact == "default" else exact))
    convert = (lambda s: s.sample(draws)) if draws > 1 else tfd.Distribution.sample
    x = keras.Input((3,))
    dense = keras.layers.Dense(layers.MultivariateNormalTriL.params_size(2))
    if spelling == "KLDivergenceRegularizer":
        q = layers.MultivariateNormalTriL(2, convert_to_tensor_fn=convert, activity_regularizer=term)(dense(x))
    else:
        q = term(layers.MultivariateNormalTriL(2, convert_to_tensor_fn=convert)(dense(x)))
    model = keras.Model(x, q)
    model.compile(keras.optimizers.SGD(1.0), loss=lambda y, _: tf.zeros(tf.shape(y)[:1]))
    return model, dense


def measure(model, dense, batch_size, weight, precision):
    """The two factors with their standard errors, in one batch size."""
    x = inputs(batch_size)
    scale = 1.0 if weight is None else weight
    kl, gradient = scale * true_kl(x, KERNEL, BIAS), scale * true_gradient(x)
    start = [KERNEL.astype("float32"), BIAS.astype("float32")]
    losses, steps = [], []
    while True:
        dense.set_weights(start)
        model.reset_metrics()
        losses.append(float(model.train_on_batch(x, x)) / kl)
        after = dense.get_weights()
        steps.append(np.concatenate([(a.astype("float64") - b).ravel() for a, b in zip(start, after, strict=True)]))
        n = len(losses)
        if n == 3 and np.ptp(losses) < 1e-5 * abs(losses[0]):
            break  # exact
        if n >= 30 and n % 10 == 0:
            factors = np.array(steps) @ gradient / (gradient @ gradient)
            errors = [np.std(v, ddof=1) / math.sqrt(n) / abs(np.mean(v)) for v in (losses, factors)]
            if max(errors) < precision or n >= 5000:
                break
    dense.set_weights(start)
    repeated = tf.data.Dataset.from_tensors((x, x)).repeat(n)
    factors, mean_step = np.array(steps) @ gradient / (gradient @ gradient), np.mean(steps, axis=0)
    factor = float(np.mean(factors))
    return {
        "loss": float(model.evaluate(repeated, verbose=0)) / kl,
        "training_loss": float(np.mean(losses)),
        "loss_standard_error": float(np.std(losses, ddof=1) / math.sqrt(n)),
        "gradient": factor,
        "gradient_standard_error": float(np.std(factors, ddof=1) / math.sqrt(n)),
        "misfit": float(np.linalg.norm(mean_step - factor * gradient) / np.linalg.norm(factor * gradient)),
        "steps": n,
    }


def rows_of(library, keras, layers, exacts, precision):
    """Every spelling in one library."""
    rows = []
    for spelling, (exact, prior), draws, weight in itertools.product(
        ("KLDivergenceRegularizer", "KLDivergenceAddLoss"), itertools.product(exacts, PRIORS), (1, 5), (None, 0.5)
    ):
        row = {
            "library": library,
            "spelling": spelling,
            "use_exact_kl": "default" if exact == "default" else exact["use_exact_kl"],
            "prior": prior,
            "draws": draws,
            "weight": weight,
        }
        try:
            keras.utils.set_random_seed(0)
            model, dense = build(keras, layers, spelling, exact, draws, weight, prior)
            row["batch_sizes"] = {b: measure(model, dense, b, weight, precision) for b in BATCH_SIZES}
        except NotImplementedError as error:
            # tf_keras adds its own lines around the message of a layer.
            lines = [line for line in str(error).splitlines() if "No KL" in line] or [str(error)]
            row["error"] = f"{type(error).__name__}: {lines[0]}"
        rows.append(row)
        print(describe(row), flush=True)
    return rows


def describe(row):
    """One line of the printed table."""
    exact = {True: "exact", False: "Monte Carlo", "default": "default"}[row["use_exact_kl"]]
    head = f"{row['library']:<10} {row['spelling'][12:]:<11} {exact:<11} {row['prior']:<22} "
    head += f"draws {row['draws']} weight {row['weight'] or 1.0:<3} "
    if "error" in row:
        return head + row["error"]
    cells = (f"B={b} {m['loss']:.3f} / {m['gradient']:.3f}" for b, m in row["batch_sizes"].items())
    return head + "  ".join(cells)


def markdown(rows):
    """Returns a table of the factors. Loss and gradient, both weights and, if they agree, both priors share a cell."""
    lines = [
        "| term | `use_exact_kl` | prior | draws "
        + "".join(
            f"| `{library}`, B = {', '.join(map(str, BATCH_SIZES))} " for library in ("tfp.layers", "tfvae.layers")
        )
        + "|",
        "|---|---|---|---|---|---|",
    ]
    spellings = dict.fromkeys((row["spelling"], row["use_exact_kl"], row["draws"]) for row in rows)
    for spelling, exact, draws in spellings:
        same = [r for r in rows if (r["spelling"], r["use_exact_kl"], r["draws"]) == (spelling, exact, draws)]
        by_prior = {prior: factors_of([r for r in same if r["prior"] == prior]) for prior in PRIORS}
        if len(set(by_prior.values())) == 1:
            by_prior = {"either": by_prior[PRIORS[0]]}
        for prior, cells in by_prior.items():
            head = (f"`{spelling}`", "not given" if exact == "default" else f"`{exact}`", prior, str(draws))
            lines.append("| " + " | ".join(head + cells) + " |")
    return "\n".join(lines) + "\n"


def factors_of(rows):
    """Returns the cells of both libraries: a factor for every batch size, or one factor if all are equal."""
    cells = []
    for library in ("tfp.layers", "tfvae"):
        mine = [row for row in rows if row["library"] == library]
        if "error" in mine[0]:
            cells.append(mine[0]["error"].split(":")[0])
            continue
        factors = [[r["batch_sizes"][b][k] for r in mine for k in ("loss", "gradient")] for b in BATCH_SIZES]
        texts = [
            f"{np.mean(v):.2f}" if np.ptp(v) < 0.01 * np.mean(v) else f"{min(v):.2f} to {max(v):.2f}" for v in factors
        ]
        cells.append(texts[0] if len(set(texts)) == 1 else ", ".join(texts))
    return tuple(cells)


def main() -> None:
    """Measures both libraries, prints a line per spelling and writes JSON and Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--precision", type=float, default=0.002, help="relative standard error of a factor")
    parser.add_argument("--output", default=None, help="JSON file")
    parser.add_argument("--markdown", default=None, help="Markdown file")
    arguments = parser.parse_args()

    import tf_keras

    choices = ("default", {"use_exact_kl": False}, {"use_exact_kl": True})
    print("loss factor / gradient factor, in batches of B examples")
    rows = rows_of("tfp.layers", tf_keras, tfp.layers, choices, arguments.precision)

    import keras

    import tfvae.layers

    rows += rows_of("tfvae", keras, tfvae.layers, choices, arguments.precision)
    if arguments.output:
        with open(arguments.output, "w") as file:
            json.dump({"rows": rows}, file, indent=2)
    if arguments.markdown:
        with open(arguments.markdown, "w") as file:
            file.write(markdown(rows))


if __name__ == "__main__":
    main()
