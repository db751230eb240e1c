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
        str | None,
        typer.Option(
            help="digits, mnist, frey_face ..., tfds:NAME, a .npy or .npz file, or shards.", show_default="digits"
        ),
    ] = None,
    run_dir: Annotated[Path | None, typer.Option(help="Run folder to make.", show_default="runs/DATA-TIME")] = None,
    config: Annotated[
        Path | None, typer.Option(help="TOML file of settings, such as a run's config.toml; options override it.")
    ] = None,
    resume: Annotated[Path | None, typer.Option(help="Run folder to go on with, from its newest checkpoint.")] = None,
    latent_size: Annotated[int | None, typer.Option(help="Latent dimensions.", show_default="20; digits: 10")] = None,
    hidden: Annotated[
        str | None,
        typer.Option(help="Units of the mlp's hidden layers, e.g. 500 or 200,200.", show_default="500; frey_face: 200"),
    ] = None,
    network: Annotated[str | None, typer.Option(help="mlp or conv.", show_default="mlp")] = None,
    filters: Annotated[
        str | None, typer.Option(help="Channels of the conv network's levels, e.g. 32,64.", show_default="32,64")
    ] = None,
    activation: Annotated[str | None, typer.Option(help="Activation.", show_default="mlp: tanh; conv: relu")] = None,
    posterior: Annotated[str | None, typer.Option(help="diag or tril (full covariance).", show_default="diag")] = None,
    likelihood: Annotated[
        str | None, typer.Option(help="auto, bernoulli or normal.", show_default="auto; frey_face: normal")
    ] = None,
    standardize: Annotated[
        str | None,
        typer.Option(
            help="auto, on or off: whether values are standardised inside the model.",
            show_default="auto, which is off for images",
        ),
    ] = None,
    binarize: Annotated[
        str | None,
        typer.Option(
            help="Of gray data for bernoulli: auto, dynamic, static, threshold or none.",
            show_default="auto, which is dynamic; digits: threshold",
        ),
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option(
            min=1, help="Passes over the data.", show_default="10; own data: 10 to 100, by size; digits, frey_face: 200"
        ),
    ] = None,
    batch_size: Annotated[int | None, typer.Option(help="Examples a step.", show_default="100")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="Of Adam.", show_default="0.001; digits: 0.003")] = None,
    num_samples: Annotated[
        int | None, typer.Option(help="Draws of z an example in training.", show_default="1")
    ] = None,
    kl: Annotated[
        str | None, typer.Option(help="analytic (estimator B) or monte_carlo (estimator A).", show_default="analytic")
    ] = None,
    beta: Annotated[float | None, typer.Option(help="Weight of the KL.", show_default="1")] = None,
    num_importance_samples: Annotated[
        int | None, typer.Option(help="K for log p(x) at the end.", show_default="500")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of everything random.", show_default="0")] = None,
    keep: Annotated[
        int | None, typer.Option(help="Newest checkpoints to keep, besides the best.", show_default="3")
    ] = None,
    select: Annotated[
        str | None,
        typer.Option(
            help="Model to end with: last, or best by the validation ELBO.", show_default="last; own data: best"
        ),
    ] = None,
    checkpoint_steps: Annotated[
        int | None, typer.Option(help="Steps between checkpoints within an epoch.", show_default="0, none there")
    ] = None,
    on_nan: Annotated[
        str | None,
        typer.Option(help="stop, or rewind: back one checkpoint with half the learning rate.", show_default="stop"),
    ] = None,
    strategy: Annotated[
        str | None,
        typer.Option(help="none, mirrored (all GPUs) or multi_worker (several machines).", show_default="none"),
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
            "standardize": standardize,
        },
        "training": {
            "epochs": epochs,
            "batch_size": batch_size,
            "learning_rate": learning_rate,
            "num_samples": num_samples,
            "kl": kl,
            "beta": beta,
            "seed": seed,
            "select": select,
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
        settings = RunConfig.of_run(folder.config, given)
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
