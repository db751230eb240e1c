"""Imputes half of each of six tables, by the protocol of the notebook of the authors of MIWAE.

    python benchmarks/imputation.py --tables FOLDER --output imputation.json

FOLDER has the UCI tables banknote.csv, concrete.csv, winequality-red.csv, winequality-white.csv and yeast.csv, with a
first row of names. Breast cancer comes from scikit-learn, and is the only table without `--tables`. Of banknote four
features are taken, of concrete the seven ingredients and the age, of yeast the eight numbers, of the wines all columns.

A table is standardised, and half of its cells, chosen at random, are removed. Each method learns from the other cells
and imputes the removed ones. The measure is the mean squared error over the removed cells. Imputation by the mean of a
column has 1 on average. A draw is the seed of the removed cells; 1234 is that of the notebook.

The methods are the mean of a column, `sklearn.impute.KNNImputer` and `sklearn.impute.IterativeImputer` with their
defaults (five neighbours; ten rounds of Bayesian ridge regression), and a VAE. One setting of it is for all tables. It
is close to that of the notebook (Mattei & Frellsen, "MIWAE_UCI_single_multiple-imputation", for arXiv 1812.02633): 10
latent dimensions, networks of 128 units with relu, Student's t as the likelihood, and the bound with 20 importance
samples. The posterior is normal, the encoder also gets the mask of observed cells, and training is shorter: 4,000 steps
with batches of 64 and a learning rate that falls from 1e-3 to 0 along a cosine. Imputation takes the mean over 1,000
importance samples; the notebook has 10,000.

Results are kept in `--output` after each draw. A second call only does what is not there.
"""

import argparse
import json
import os
import time
import warnings
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import pandas as pd
import sklearn.datasets
from sklearn.exceptions import ConvergenceWarning
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer, KNNImputer, SimpleImputer

import tfvae
from tfvae import layers

LATENT_SIZE, NUM_UNITS, BATCH_SIZE, LEARNING_RATE = 10, 128, 64, 1e-3
# Name: the file's separator, and which columns are taken.
TABLES = {
    "banknote": (",", slice(0, 4)),
    "concrete": (",", slice(0, 8)),
    "winequality-red": (";", slice(None)),
    "winequality-white": (";", slice(None)),
    "yeast": (",", slice(1, 9)),
}
METHODS = ("mean", "KNNImputer", "IterativeImputer", "VAE")


def standardized(name, folder):
    """Returns the standardised table `[N, D]`."""
    if name == "breast-cancer":
        x = sklearn.datasets.load_breast_cancer().data
    else:
        separator, columns = TABLES[name]
        x = pd.read_csv(folder / f"{name}.csv", sep=separator).iloc[:, columns].to_numpy(float)
    return (x - x.mean(axis=0)) / x.std(axis=0)


def mask_of(shape, draw):
    """Returns a mask, False for half of all cells, chosen at random as in the notebook."""
    size = int(np.prod(shape))
    observed = np.ones(size, bool)
    # The notebook's generator, so that its draw is among ours.
    observed[np.random.RandomState(draw).choice(size, size // 2, replace=False)] = False
    return observed.reshape(shape)


def make_vae(num_columns, num_steps, seed):
    """Returns the model."""
    keras.utils.set_random_seed(seed)

    def dense(units, activation=None):
        return keras.layers.Dense(units, activation, kernel_initializer="he_normal" if activation else "glorot_uniform")

    posterior, likelihood = layers.MultivariateNormalDiag(LATENT_SIZE), layers.IndependentStudentT(num_columns)
    x, observed = keras.Input((num_columns,), name="x"), keras.Input((num_columns,), name="observed")
    hidden = keras.ops.concatenate([x, observed], axis=-1)
    for _ in range(2):
        hidden = dense(NUM_UNITS, "relu")(hidden)
    encoder = keras.Model({"x": x, "observed": observed}, posterior(dense(posterior.parameters_size)(hidden)))
    hidden = [dense(NUM_UNITS, "relu") for _ in range(2)]
    decoder = keras.Sequential(
        [keras.Input((LATENT_SIZE,)), *hidden, dense(likelihood.parameters_size), likelihood],
    )
    estimator = tfvae.estimators.ImportanceWeighted(20)
    vae = tfvae.models.VAE(encoder, decoder, estimator=estimator, missing="nan", seed=seed)
    vae.compile(
        keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(LEARNING_RATE, num_steps)), steps_per_execution=20
    )
    return vae


def by_vae(holes, draw, settings):
    """Returns the table imputed by a VAE."""
    holes = holes.astype("float32")
    steps_per_epoch = -(-len(holes) // BATCH_SIZE)
    epochs = max(1, round(settings["steps"] / steps_per_epoch))
    vae = make_vae(holes.shape[1], epochs * steps_per_epoch, draw)
    vae.fit(holes, batch_size=BATCH_SIZE, epochs=epochs, verbose=0)
    number = settings["num_importance_samples"]
    found = tfvae.evaluation.impute(
        vae, holes, num_samples=0, num_importance_samples=number, batch_size=100, chunk_size=100, seed=draw
    )
    return found.mean


def measure(x, draw, settings):
    """Returns the error of each method for one draw of the removed cells, and the seconds that each took."""
    observed = mask_of(x.shape, draw)
    holes = np.where(observed, x, np.nan)
    impute = {
        "mean": SimpleImputer().fit_transform,
        "KNNImputer": KNNImputer().fit_transform,
        "IterativeImputer": IterativeImputer(random_state=0).fit_transform,
        "VAE": lambda holes: by_vae(holes, draw, settings),
    }
    errors, seconds = {}, {}
    for method in METHODS:
        begun = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # ten rounds are the default
            imputed = impute[method](holes)
        seconds[method] = round(time.perf_counter() - begun, 1)
        errors[method] = float(np.mean((imputed - x)[~observed] ** 2))
    return {"errors": errors, "seconds": seconds}


def results_before(path, settings):
    """Returns the results that a file has, which must have the same settings."""
    if path is None or not path.exists():
        return {}
    found = json.loads(path.read_text())
    if found["settings"] != settings:
        raise SystemExit(f"{path} has the results of other settings: {found['settings']}. Choose another --output.")
    return found["results"]


def summary(results):
    """Returns the lines of a table, with means and, from two draws on, standard deviations over draws."""
    lines = ["| table | draws | " + " | ".join(METHODS) + " |", "| --- |" + " --- |" * (1 + len(METHODS))]
    for name, draws in results.items():
        cells = []
        for method in METHODS:
            errors = [of_draw["errors"][method] for of_draw in draws.values()]
            spread = f" ± {np.std(errors, ddof=1):.3f}" if len(errors) > 1 else ""
            cells.append(f"{np.mean(errors):.3f}{spread}")
        lines.append(f"| {name} | {len(draws)} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main():
    """Runs the draws, prints a table and writes JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=Path, help="the folder of the UCI tables")
    parser.add_argument("--draws", nargs="+", type=int, default=[1234, 1235, 1236])
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--num-importance-samples", type=int, default=1000)
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    settings = {"steps": arguments.steps, "num_importance_samples": arguments.num_importance_samples}
    results = results_before(arguments.output, settings)
    names = [*(TABLES if arguments.tables else ()), "breast-cancer"]
    for draw in arguments.draws:
        for name in names:
            of_table = results.setdefault(name, {})
            if str(draw) in of_table:
                continue
            of_table[str(draw)] = measure(standardized(name, arguments.tables), draw, settings)
            print(name, draw, of_table[str(draw)], flush=True)
            if arguments.output:
                arguments.output.write_text(json.dumps({"settings": settings, "results": results}, indent=1) + "\n")
    print(summary(results))


if __name__ == "__main__":
    main()
