"""`tfvae train`: its options."""

from pathlib import Path
from typing import Annotated, Any

import typer

from tfvae._errors import quoted
from tfvae.cli import checks
from tfvae.cli.loading import commands
from tfvae.training.config import RESUMABLE, RunConfig
from tfvae.training.run_folder import RunFolder


def train(
    data: Annotated[
        str | None, typer.Option(help="digits, mnist, frey_face ..., tfds:NAME, a .npy or .npz file, or shards.")
    ] = None,
    run_dir: Annotated[Path | None, typer.Option(help="Run folder to make. (default: runs/DATA-TIME)")] = None,
    config: Annotated[Path | None, typer.Option(help="TOML file of settings; options override it.")] = None,
    resume: Annotated[Path | None, typer.Option(help="Run folder to go on with, from its newest checkpoint.")] = None,
    latent_size: Annotated[int | None, typer.Option(help="Latent dimensions. (default: 20; digits: 2)")] = None,
    hidden: Annotated[str | None, typer.Option(help="Units of the mlp's hidden layers, e.g. 500 or 200,200.")] = None,
    network: Annotated[str | None, typer.Option(help="mlp or conv.")] = None,
    filters: Annotated[str | None, typer.Option(help="Channels of the conv network's levels, e.g. 32,64.")] = None,
    activation: Annotated[str | None, typer.Option(help="Activation. (default: mlp tanh, conv relu)")] = None,
    posterior: Annotated[str | None, typer.Option(help="diag or tril (full covariance).")] = None,
    likelihood: Annotated[str | None, typer.Option(help="auto, bernoulli or normal.")] = None,
    binarize: Annotated[str | None, typer.Option(help="dynamic, static, threshold or none.")] = None,
    epochs: Annotated[
        int | None, typer.Option(help="Passes over the data. (default: 10; digits: 300; frey_face: 200)")
    ] = None,
    batch_size: Annotated[int | None, typer.Option(help="Examples a step. (default: 100)")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="Of Adam. (default: 0.001; digits: 0.003)")] = None,
    num_samples: Annotated[int | None, typer.Option(help="Draws of z an example in training. (default: 1)")] = None,
    kl: Annotated[str | None, typer.Option(help="analytic (estimator B) or monte_carlo (estimator A).")] = None,
    beta: Annotated[float | None, typer.Option(help="Weight of the KL. (default: 1)")] = None,
    num_importance_samples: Annotated[
        int | None, typer.Option(help="K for log p(x) at the end. (default: 500)")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of everything random. (default: 0)")] = None,
    keep: Annotated[int | None, typer.Option(help="Newest checkpoints to keep, besides the best. (default: 3)")] = None,
    checkpoint_steps: Annotated[
        int | None, typer.Option(help="Steps between checkpoints within an epoch. (default: 0, none there)")
    ] = None,
    on_nan: Annotated[
        str | None,
        typer.Option(help="stop, or rewind: back one checkpoint with half the learning rate. (default: stop)"),
    ] = None,
    strategy: Annotated[
        str | None,
        typer.Option(help="none, mirrored (all GPUs) or multi_worker (several machines). (default: none)"),
    ] = None,
) -> None:
    """Train a VAE; the run folder gets the model, logs, figures, a report and a SavedModel."""
    options: dict[str, dict[str, Any]] = {
        "data": {"name": data, "binarize": binarize},
        "model": {
            "network": network,
            "hidden": _sizes(hidden),
            "filters": _sizes(filters),
            "activation": activation,
            "latent_size": latent_size,
            "posterior": posterior,
            "likelihood": likelihood,
        },
        "training": {
            "epochs": epochs,
            "batch_size": batch_size,
            "learning_rate": learning_rate,
            "num_samples": num_samples,
            "kl": kl,
            "beta": beta,
            "seed": seed,
            "keep": keep,
            "checkpoint_steps": checkpoint_steps,
            "on_nan": on_nan,
            "strategy": strategy,
        },
        "evaluation": {"num_importance_samples": num_importance_samples},
    }
    given = {table: {k: v for k, v in values.items() if v is not None} for table, values in options.items()}
    if resume is not None:
        if run_dir is not None or config is not None or _not_resumable(given):
            raise ValueError(
                "--resume goes on with a run as it was configured; only --epochs, --learning-rate, --beta, --keep, "
                "--checkpoint-steps, --on-nan and --strategy can be given with it. To train otherwise, start a new "
                "run: `tfvae train --config RUN/config.toml ...`."
            )
        folder = RunFolder(resume)
        folder.require_run()
        settings = RunConfig.from_toml(folder.config, given)
    else:
        settings = RunConfig.from_dict(given) if config is None else RunConfig.from_toml(config, given)
        checks.check_new_run(run_dir)
    checks.check_data(settings.data.name)
    commands("training").train(
        settings, run_dir if resume is None else resume, resume=resume is not None, given=given["training"]
    )


def _not_resumable(given: dict[str, dict[str, Any]]) -> set[str]:
    return {key for table in given.values() for key in table}.difference(RESUMABLE)


def _sizes(text: str | None) -> tuple[int, ...] | None:
    if text is None:
        return None
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError as error:
        raise typer.BadParameter(
            f"whole numbers with commas between them, such as 500 or 200,200; got {quoted(text)}"
        ) from error
