"""Compares models of the counts of cells: tfvae and scvi-tools' SCVI.

    python benchmarks/counts.py cells.h5ad --output counts.json

Both get the same training cells, the same latent size, number and size of hidden layers, batch size and epochs, and
otherwise have their defaults: SCVI has dropout of 0.1, and a warm-up of the KL over 400 epochs. Runs alternate. Both
keep the model of the last epoch (`--select last`), or that of the epoch with the best ELBO of the same validation cells
(`--select best`), for which SCVI has its callback `SaveCheckpoint`. SCVI needs the packages anndata and scvi-tools;
without them, only tfvae is measured.

The measures are the ELBO and log p(x) with importance samples, in nats per cell, of the same held-out cells, given the
size of each cell, which SCVI calls the observed library size. The models are compared cell by cell: the mean difference
over seeds and cells, and its standard error over cells.
"""

import argparse
import importlib.util
import json
import os
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

import tfvae
from tfvae.training.config import RunConfig
from tfvae.training.load_data import load_data
from tfvae.training.per_example import read_per_example
from tfvae.training.run import train

LATENT_SIZE, HIDDEN, BATCH_SIZE = 10, 128, 128
LIKELIHOODS = {"nb": "negative_binomial", "zinb": "zero_inflated_negative_binomial"}


def with_tfvae(path, likelihood, epochs, num_importance_samples, seed, select):
    """Trains a run, and returns the ELBO and log p(x) of each test cell, and the seconds of training."""
    config = RunConfig.from_dict(
        {
            "data": {"name": str(path)},
            "model": {"latent_size": LATENT_SIZE, "hidden": [HIDDEN], "likelihood": LIKELIHOODS[likelihood]},
            "training": {
                "epochs": epochs,
                "batch_size": BATCH_SIZE,
                "seed": seed,
                "select": select,
                "keep_best": select == "best",
            },
            "evaluation": {"num_importance_samples": num_importance_samples, "num_samples": 100},
        }
    )
    with tempfile.TemporaryDirectory() as folder:
        found, report = train(config, Path(folder) / "run")
        measures = read_per_example(found.per_example).values
    return measures["elbo"], measures["log_marginal"], report["training_seconds"]


def with_scvi(path, likelihood, epochs, num_importance_samples, seed, select):
    """Trains SCVI on the same cells, and returns the same."""
    import anndata
    import scvi
    import torch

    scvi.settings.seed = seed
    scvi.settings.verbosity = 30
    cells = anndata.read_h5ad(path)
    splits = load_data(RunConfig.from_dict({"data": {"name": str(path)}}))
    seen = [splits.train.rows, splits.validation.rows] if select == "best" else [splits.train.rows]
    train_cells, test_cells = cells[np.concatenate(seen)].copy(), cells[splits.test.rows].copy()
    places = np.split(np.arange(len(train_cells)), np.cumsum(list(map(len, seen)))[:-1])
    scvi.model.SCVI.setup_anndata(train_cells)
    model = scvi.model.SCVI(train_cells, n_hidden=HIDDEN, n_latent=LATENT_SIZE, n_layers=1, gene_likelihood=likelihood)
    begun = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        best = scvi.train.SaveCheckpoint(folder, monitor="elbo_validation", load_best_on_end=True)
        model.train(
            max_epochs=epochs,
            datasplitter_kwargs={"external_indexing": places},
            batch_size=BATCH_SIZE,
            accelerator="cpu",
            enable_progress_bar=False,
            logger=False,
            check_val_every_n_epoch=1 if select == "best" else None,
            enable_checkpointing=select == "best",
            callbacks=[best] if select == "best" else [],
        )
    seconds = time.perf_counter() - begun
    model.module.eval()
    elbo, log_marginal = [], []
    with torch.no_grad():
        for tensors in model._make_data_loader(model._validate_anndata(test_cells), batch_size=50):
            draws = []
            for _ in range(100):
                losses = model.module(tensors)[2]
                terms = (*losses.reconstruction_loss.values(), *losses.kl_local.values())
                draws.append(-sum(term.numpy() for term in terms))
            elbo.append(np.mean(draws, axis=0))
            log_marginal.append(
                model.module.marginal_ll(
                    tensors, n_mc_samples=num_importance_samples, n_mc_samples_per_pass=min(50, num_importance_samples)
                ).numpy()
            )
    return np.concatenate(elbo), np.concatenate(log_marginal), seconds


def print_differences(what, values):
    """Prints mean differences over cells and their standard errors."""
    for measure, each in zip(("ELBO", "log p(x)"), values, strict=True):
        error = each.std(ddof=1) / np.sqrt(len(each))
        print(f"{what}: {measure} of tfvae less that of SCVI: {each.mean():+.2f} ± {error:.2f}", flush=True)


def main():
    """Runs all models, prints a table and writes JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--epochs", type=int, default=400, help="the default of SCVI for up to 20,000 cells")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--num-importance-samples", type=int, default=500)
    parser.add_argument("--select", choices=("best", "last"), default="best", help="the epoch whose model is kept")
    parser.add_argument("--likelihoods", default="nb,zinb")
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    contenders = {"tfvae": with_tfvae}
    if importlib.util.find_spec("scvi"):
        contenders["scvi"] = with_scvi
    rows, differences = [], {}
    print("likelihood  seed  model  test ELBO          log p(x)           training")
    for seed in range(arguments.seeds):
        for likelihood in arguments.likelihoods.split(","):
            measured = []
            for name, measure in contenders.items():
                elbo, log_marginal, seconds = measure(
                    arguments.data,
                    likelihood,
                    arguments.epochs,
                    arguments.num_importance_samples,
                    seed,
                    arguments.select,
                )
                measured.append(np.stack([elbo, log_marginal]))
                means = [f"{x.mean():10.2f} ± {x.std() / np.sqrt(len(x)):.2f}" for x in (elbo, log_marginal)]
                print(f"{likelihood:10}  {seed:4}  {name:5}  {'  '.join(means)}  {seconds:6.1f} s", flush=True)
                rows.append(
                    {
                        "likelihood": likelihood,
                        "seed": seed,
                        "model": name,
                        "elbo": float(elbo.mean()),
                        "log_marginal": float(log_marginal.mean()),
                        "seconds": seconds,
                    }
                )
            if len(measured) == 2:
                differences.setdefault(likelihood, []).append(measured[0] - measured[1])
                print_differences(f"{likelihood}, seed {seed}", differences[likelihood][-1])
    for likelihood, found in differences.items():
        print_differences(f"{likelihood}, {len(found)} seeds", np.mean(found, axis=0))
    if arguments.output:
        settings = {"data": arguments.data.name, "epochs": arguments.epochs, "tfvae": tfvae.__version__}
        arguments.output.write_text(json.dumps({**settings, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
