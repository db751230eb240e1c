"""What the commands do, once their arguments are read."""

import contextlib
import dataclasses
import io
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from tfvae import data as tfvae_data
from tfvae import export as tfvae_export
from tfvae._files import write_bytes
from tfvae._images import beside, tile, to_displayable
from tfvae._seeds import fold_in, split_seed
from tfvae.callbacks import NonFiniteLossError
from tfvae.cli.interrupt import Interruptible
from tfvae.cli.progress import TrainingProgress
from tfvae.data import Split
from tfvae.evaluation.report import rows
from tfvae.training import run as runs
from tfvae.training.build import evaluation_split
from tfvae.training.config import RunConfig
from tfvae.training.evaluate import evaluate as evaluate_run
from tfvae.training.run_folder import RunFolder
from tfvae.training.saved_run import Run, load_run

_BATCH_SIZE = 500
_console = Console()


def train(config: RunConfig, run_dir: Path | None, *, resume: bool) -> None:
    """`tfvae train`."""
    started: list[RunFolder] = []
    with TrainingProgress(_console) as progress, Interruptible() as interruptible:

        def on_start(folder: RunFolder, num_examples: int) -> None:
            started.append(folder)
            progress.num_examples = num_examples

        def on_stage(stage: str) -> None:
            interruptible.check()
            _say(stage)

        try:
            with _said_warnings():
                folder, report = runs.train(
                    config,
                    run_dir,
                    resume=resume,
                    callbacks=[progress, interruptible],
                    on_stage=on_stage,
                    on_start=on_start,
                )
        except KeyboardInterrupt:
            raise InterruptedError(f"interrupted. {_how_to_go_on(started)}") from None
        except NonFiniteLossError as error:
            raise FloatingPointError(f"{error} {_how_to_go_on(started)}") from error
    _print_report(folder, report)


def _how_to_go_on(started: list[RunFolder]) -> str:
    saved = started[0].saved_checkpoints() if started else []
    if not saved:
        return "There is no checkpoint yet to go on from."
    done, path = saved[-1]
    return (
        f"The last checkpoint, after epoch {done}, is {path}; go on with `tfvae train --resume {started[0].path}`, "
        "where --learning-rate and --beta may be given anew."
    )


def evaluate(run_dir: Path, **settings: int | None) -> None:
    """`tfvae evaluate`."""
    run = load_run(run_dir)
    changed = {name: value for name, value in settings.items() if value is not None}
    config = dataclasses.replace(run.config, evaluation=dataclasses.replace(run.config.evaluation, **changed))
    run = dataclasses.replace(run, config=config)
    with _said_warnings():
        report = evaluate_run(run, tfvae_data.load(config.data.name), thorough=True, on_stage=_say)
    _print_report(run.folder, report)


def sample(run_dir: Path, num_samples: int, seed: int, output: Path | None) -> None:
    """`tfvae sample`."""
    run = load_run(run_dir)
    parts: dict[str, list[Any]] = {"z": [], "mean": [], "sample": []}
    for i, start in enumerate(range(0, num_samples, _BATCH_SIZE)):
        seed_z, seed_x = split_seed(fold_in(seed, i), 2, "sample")
        z = run.vae.prior.distribution().sample(min(_BATCH_SIZE, num_samples - start), seed=seed_z)
        _add(parts, z=z, **_mean_and_sample(run.vae.decode(z), seed_x))
    arrays = _joined(parts)
    _write_npz(output or run.folder.path / "samples.npz", arrays, tile(to_displayable(arrays["mean"][:100])))


def reconstruct(
    run_dir: Path, data: str | None, split_name: str, num_examples: int | None, seed: int, output: Path | None
) -> None:
    """`tfvae reconstruct`."""
    run = load_run(run_dir)
    split = _split(run, data, split_name)
    x = (split if num_examples is None else split.take(num_examples)).x
    parts: dict[str, list[Any]] = {"x": [], "mean": [], "sample": []}
    for i, start in enumerate(range(0, len(x), _BATCH_SIZE)):
        seed_z, seed_x = split_seed(fold_in(seed, i), 2, "reconstruct")
        batch = x[start : start + _BATCH_SIZE]
        likelihood = run.vae.decode(run.vae.encode(batch).sample(seed=seed_z))
        _add(parts, x=batch, **_mean_and_sample(likelihood, seed_x))
    arrays = _joined(parts)
    picture = beside(to_displayable(arrays["x"][:40]), to_displayable(arrays["mean"][:40]), 10)
    _write_npz(output or run.folder.path / "reconstructions.npz", arrays, picture)


def encode(run_dir: Path, data: str | None, split_name: str, seed: int, output: Path | None) -> None:
    """`tfvae encode`."""
    run = load_run(run_dir)
    split = _split(run, data, split_name)
    x = split.x
    parts: dict[str, list[Any]] = {"mean": [], "stddev": [], "z": []}
    for i, start in enumerate(range(0, len(x), _BATCH_SIZE)):
        posterior = run.vae.encode(x[start : start + _BATCH_SIZE])
        z = posterior.sample(seed=fold_in(seed, i))
        _add(parts, mean=posterior.mean(), stddev=posterior.stddev(), z=z)
    arrays = _joined(parts)
    if split.labels is not None:
        arrays["labels"] = split.labels
    _write_npz(output or run.folder.path / "latents.npz", arrays, None)


def export(run_dir: Path, output: Path | None, overwrite: bool) -> None:
    """`tfvae export`."""
    run = load_run(run_dir)
    path = tfvae_export.save(run.vae, output or run.folder.saved_model, overwrite=overwrite or output is None)
    _say(f"SavedModel: {path}")


def _split(run: Run, data: str | None, split_name: str) -> Split:
    """The data a command works on, with the noise the model was trained on, drawn once."""
    if data is None:
        split = getattr(tfvae_data.load(run.config.data.name), split_name, None)
        if split is None:
            raise ValueError(f"{run.config.data.name} has no {split_name!r} split. Choose another with --split.")
    else:
        split = tfvae_data.load_examples(data, split=split_name)
    split = evaluation_split(run.config, split)
    run.vae.check_data(split.x)
    return split


def _mean_and_sample(likelihood: Any, seed: Any) -> dict[str, Any]:
    return {"mean": likelihood.mean(), "sample": likelihood.sample(seed=seed)}


def _add(parts: dict[str, list[Any]], **arrays: Any) -> None:
    for name, array in arrays.items():
        parts[name].append(np.asarray(array))


def _joined(parts: dict[str, list[Any]]) -> dict[str, np.ndarray]:
    return {name: np.concatenate(arrays) for name, arrays in parts.items()}


def _write_npz(path: Path, arrays: dict[str, np.ndarray], picture: np.ndarray | None) -> None:
    path = path if path.suffix == ".npz" else path.with_name(path.name + ".npz")
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
    write_bytes(path, buffer.getvalue())
    shapes = ", ".join(f"{name} {array.shape}" for name, array in arrays.items())
    _say(f"{path}: {shapes}")
    if picture is not None:
        buffer = io.BytesIO()
        _save_png(buffer, picture)
        _say(str(write_bytes(path.with_suffix(".png"), buffer.getvalue())))


def _save_png(buffer: io.BytesIO, picture: np.ndarray) -> None:
    from matplotlib import image

    factor = max(1, 800 // max(picture.shape[:2]))  # small images are drawn with visible pixels
    enlarged = picture.repeat(factor, axis=0).repeat(factor, axis=1).squeeze()
    image.imsave(buffer, enlarged, format="png", cmap="gray", vmin=0, vmax=255)


@contextlib.contextmanager
def _said_warnings() -> Iterator[None]:
    """Warnings for users as a sentence, without the line of code they come from."""
    with warnings.catch_warnings():
        shown = warnings.showwarning

        def show(message: Any, category: Any, *place: Any, **more: Any) -> None:
            if category is UserWarning:
                _say(f"warning: {message}")
            else:
                shown(message, category, *place, **more)

        warnings.showwarning = show
        yield


def _say(text: str) -> None:
    _console.print(text, highlight=False, markup=False, soft_wrap=True)


def _print_report(folder: RunFolder, report: dict[str, Any]) -> None:
    table = Table(title=report["title"], title_justify="left", show_header=False)
    table.add_column()
    table.add_column(justify="right")
    table.add_column()
    for row in rows(report):
        table.add_row(*row)
    _console.print(table)
    places = (
        ("report", folder.report_markdown),
        ("figures", folder.figures),
        ("model", folder.model),
        ("SavedModel", folder.saved_model),
        ("TensorBoard", f"tensorboard --logdir {folder.tensorboard}"),
    )
    for name, place in places:
        _say(f"  {name:<12} {place}")
