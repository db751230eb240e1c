"""Options of `tfvae train`."""

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from tfvae._errors import quoted
from tfvae.cli import checks
from tfvae.cli.arguments import column_kinds
from tfvae.cli.loading import commands
from tfvae.training.check_labels import check_labels
from tfvae.training.config import RESUMABLE, RunConfig
from tfvae.training.overrides import overrides
from tfvae.training.own_code import require_allowed
from tfvae.training.run_folder import RunFolder


def train(
    data: Annotated[
        str | None,
        typer.Option(
            help="digits, mnist, frey_face ..., tfds:NAME, a .npy or .npz file, or a folder of images or shards.",
            show_default="digits",
        ),
    ] = None,
    run_dir: Annotated[Path | None, typer.Option(help="Run folder to create.", show_default="runs/DATA-TIME")] = None,
    config: Annotated[
        Path | None,
        typer.Option(help="TOML file with settings, such as the config.toml of a run. Options override it."),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="TABLE.KEY=VALUE",
            help="Any setting, such as model.prior=vamp or model.prior.num_components=100; can be repeated.",
        ),
    ] = None,
    allow_code: Annotated[
        bool,
        typer.Option(
            "--allow-code",
            help="Import and run networks that the settings name as module:function, also from the current folder.",
        ),
    ] = False,
    resume: Annotated[Path | None, typer.Option(help="Run folder to resume from its newest checkpoint.")] = None,
    latent_size: Annotated[
        int | None, typer.Option(help="Number of latent dimensions.", show_default="20; digits: 10")
    ] = None,
    hidden: Annotated[
        str | None,
        typer.Option(
            help="Units of the hidden layers of an mlp, e.g. 500 or 200,200.", show_default="500; frey_face: 200"
        ),
    ] = None,
    network: Annotated[
        str | None, typer.Option(help="mlp, gated_mlp, residual_mlp, conv or resnet.", show_default="mlp")
    ] = None,
    filters: Annotated[
        str | None, typer.Option(help="Filters of the levels of conv or resnet, e.g. 32,64.", show_default="32,64")
    ] = None,
    activation: Annotated[
        str | None, typer.Option(help="Activation function.", show_default="mlp: tanh; conv: relu; resnet: swish")
    ] = None,
    posterior: Annotated[
        str | None, typer.Option(help="diag, tril (full covariance) or another.", show_default="diag")
    ] = None,
    likelihood: Annotated[
        str | None, typer.Option(help="auto, bernoulli, normal or another.", show_default="auto; frey_face: normal")
    ] = None,
    standardize: Annotated[
        str | None,
        typer.Option(
            help="Whether to standardise values inside the model: auto, on or off.",
            show_default="auto, which is off for images",
        ),
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="vae, or m2 (semi-supervised, for data with labels).", show_default="vae")
    ] = None,
    condition: Annotated[
        str | None,
        typer.Option(help="Condition of a conditional model: label, a column of a table, or an array of an .npz file."),
    ] = None,
    missing: Annotated[
        str | None,
        typer.Option(
            help="Missing values: in a table, a text besides NA and the like; in other files nan, or the name of an "
            "array of an .npz that is False there."
        ),
    ] = None,
    image_size: Annotated[
        str | None,
        typer.Option(help="Size that a folder of images is resized to: 28, or height and width, 32x48."),
    ] = None,
    label: Annotated[str | None, typer.Option(help="Column of a table that has the classes.")] = None,
    id: Annotated[str | None, typer.Option(help="Column of a table that identifies its rows.")] = None,
    weight: Annotated[
        str | None, typer.Option(help="Column of a table that has the weights of its rows in training.")
    ] = None,
    columns: Annotated[
        list[str] | None,
        typer.Option(help="Kind of a column of a table, such as age=real or id=ignored. May be repeated."),
    ] = None,
    num_labels: Annotated[
        int | None, typer.Option(help="Training examples that keep their label, for m2.", show_default="0, all")
    ] = None,
    binarize: Annotated[
        str | None,
        typer.Option(
            help="Binarisation of gray data for bernoulli: auto, dynamic, static, threshold or none.",
            show_default="auto, which is dynamic; digits: threshold",
        ),
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Passes over the data.",
            show_default="10; own data: 10 to 100, tables to 300, by size; digits, frey_face: 200",
        ),
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option(help="Examples per step.", show_default="100; tables: 32 to 500, by size")
    ] = None,
    learning_rate: Annotated[
        float | None, typer.Option(help="Learning rate of Adam.", show_default="0.001; digits: 0.003")
    ] = None,
    num_samples: Annotated[
        int | None, typer.Option(help="Samples of z per example in training.", show_default="1")
    ] = None,
    kl: Annotated[
        str | None, typer.Option(help="auto, analytic (estimator B) or monte_carlo (estimator A).", show_default="auto")
    ] = None,
    beta: Annotated[float | None, typer.Option(help="Weight of the KL.", show_default="1")] = None,
    num_importance_samples: Annotated[
        int | None, typer.Option(help="Importance samples per example for the final log p(x).", show_default="500")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Random seed.", show_default="0")] = None,
    keep: Annotated[
        int | None, typer.Option(help="Number of newest checkpoints to keep, besides the best.", show_default="3")
    ] = None,
    select: Annotated[
        str | None,
        typer.Option(help="Model to keep: last, or best by validation ELBO.", show_default="last; own data: best"),
    ] = None,
    checkpoint_steps: Annotated[
        int | None,
        typer.Option(help="Steps between checkpoints within an epoch.", show_default="0, only between epochs"),
    ] = None,
    on_nan: Annotated[
        str | None,
        typer.Option(
            help="On NaN: stop, or rewind to the last checkpoint with half the learning rate.", show_default="stop"
        ),
    ] = None,
    strategy: Annotated[
        str | None,
        typer.Option(help="none, mirrored (all GPUs) or multi_worker (several machines).", show_default="none"),
    ] = None,
) -> None:
    """Train a VAE and write model, logs, figures, report and SavedModel into a run folder."""
    options: dict[str, dict[str, Any]] = {
        "data": {
            "name": data,
            "binarize": binarize,
            "condition": condition,
            "missing": missing,
            "label": label,
            "id": id,
            "weight": weight,
            "columns": column_kinds(columns),
            "image_size": image_size,
            "num_labels": num_labels,
        },
        "model": {
            "kind": model,
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
    changes = [given, *overrides(set_ or [])]
    if resume is not None:
        if run_dir is not None or config is not None or _not_resumable(changes):
            raise ValueError(
                "--resume keeps the configuration of the run. Only --epochs, --learning-rate, --beta, --keep, "
                "--checkpoint-steps, --on-nan and --strategy can be combined with it. To change other settings, start "
                "a new run: `tfvae train --config RUN/config.toml ...`."
            )
        folder = RunFolder(resume)
        folder.require_run()
        settings = RunConfig.of_run(folder.config, *changes)
    else:
        settings = RunConfig.from_dict(*changes) if config is None else RunConfig.from_toml(config, *changes)
        checks.check_new_run(run_dir)
    require_allowed(settings.model, allow_code)
    check_labels(settings)
    checks.check_data(settings.data)
    if allow_code:
        sys.path.insert(0, os.getcwd())  # as for `python -m`
    commands("training").train(
        settings,
        run_dir if resume is None else resume,
        resume=resume is not None,
        given=_training(changes),
        allow_code=allow_code,
    )


def _not_resumable(changes: list[dict[str, dict[str, Any]]]) -> set[str]:
    return {key for given in changes for table in given.values() for key in table}.difference(RESUMABLE)


def _training(changes: list[dict[str, dict[str, Any]]]) -> set[str]:
    return {key for given in changes for key in given.get("training", {})}


def _sizes(text: str | None) -> tuple[int, ...] | None:
    if text is None:
        return None
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError as error:
        raise typer.BadParameter(
            f"expected integers separated by commas, such as 500 or 200,200. Received: {quoted(text)}"
        ) from error
