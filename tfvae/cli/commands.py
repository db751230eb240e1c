"""What the commands do, once their arguments are read."""

import contextlib
import dataclasses
import io
import warnings
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from rich.console import Console
from rich.table import Table

from tfvae import data as tfvae_data
from tfvae import export as tfvae_export
from tfvae import papers
from tfvae._files import write_bytes
from tfvae._images import beside, tile, to_displayable
from tfvae._npz import NpzWriter
from tfvae._seeds import fold_in, split_seed
from tfvae.callbacks import NonFiniteLossError
from tfvae.cli.interrupt import Interruptible
from tfvae.cli.progress import TrainingProgress
from tfvae.data import ShardedSplit, Split
from tfvae.data.files import read_arrays
from tfvae.data.sharded_split import naming_damage
from tfvae.data.shards import require_free
from tfvae.evaluation.report import rows
from tfvae.training import run as runs
from tfvae.training.build import evaluation_split
from tfvae.training.comparison import COLUMNS, best, groups, read_runs, write_comparison
from tfvae.training.config import RunConfig
from tfvae.training.evaluate import evaluate as evaluate_run
from tfvae.training.html_report import write_html_report
from tfvae.training.run_folder import RunFolder
from tfvae.training.saved_run import Run, load_run
from tfvae.typing import Tensor

_BATCH_SIZE = 500
_MOST_RUNS_ABREAST = 4
_console = Console()


def train(config: RunConfig, run_dir: Path | None, *, resume: bool, given: Collection[str] = ()) -> None:
    """`tfvae train`; `given` are the settings of training that the command line has."""
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
                    given=given,
                    callbacks=[progress, interruptible],
                    on_stage=on_stage,
                    on_start=on_start,
                    stop_wanted=lambda: interruptible.asked,
                )
        except KeyboardInterrupt:
            raise InterruptedError(f"interrupted. {_how_to_go_on(started)}") from None
        except NonFiniteLossError as error:
            raise FloatingPointError(f"{error} {_how_to_go_on(started)}") from error
        except tf.errors.OpError as error:  # a disk that is full for TensorBoard, a worker that was lost
            if not started:
                raise
            raise OSError(
                f"{type(error).__name__}: {str(error.message).splitlines()[0]}. {_how_to_go_on(started)}"
            ) from error
        except OSError as error:
            if started and "--resume" not in str(error):
                raise OSError(f"{error}. {_how_to_go_on(started)}") from error
            raise
    if report:  # else it is the chief's to tell
        _print_report(folder, report)


def _how_to_go_on(started: list[RunFolder]) -> str:
    if not started:
        return "Nothing was begun yet."
    saved = started[0].saved_checkpoints()
    last = f"The last checkpoint is {saved[-1][1]}" if saved else "There is no checkpoint yet, so it starts anew"
    return (
        f"{last}; go on with `tfvae train --resume {started[0].path}`, where --learning-rate and --beta may be given "
        "anew."
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

    def drawn(number: Tensor, seed: Tensor) -> dict[str, Tensor]:
        seed_z, seed_x = split_seed(seed, 2, "sample")
        z = run.vae.prior.distribution().sample(number, seed=seed_z)
        return {"z": z, **_mean_and_sample(run.vae.decode(z), seed_x)}

    program = _program(drawn, tf.TensorSpec([], tf.int32))
    numbers = (min(_BATCH_SIZE, num_samples - start) for start in range(0, num_samples, _BATCH_SIZE))
    parts = (program(number, fold_in(seed, i)) for i, number in enumerate(numbers))
    path, first = _write_npz(output or run.folder.path / "samples.npz", parts)
    _write_picture(path, tile(to_displayable(first["mean"][:100])))


def reconstruct(
    run_dir: Path, data: str | None, split_name: str, num_examples: int | None, seed: int, output: Path | None
) -> None:
    """`tfvae reconstruct`."""
    run = load_run(run_dir)
    split = _split(run, data, split_name)

    def through(x: Tensor, seed: Tensor) -> dict[str, Tensor]:
        seed_z, seed_x = split_seed(seed, 2, "reconstruct")
        likelihood = run.vae.decode(run.vae.encode(x).sample(seed=seed_z))
        return {"x": x, **_mean_and_sample(likelihood, seed_x)}

    program = _program(through, tf.TensorSpec([None, *split.event_shape], tf.float32))
    parts = (program(x, fold_in(seed, i)) for i, x in enumerate(_first(_batches(split), num_examples)))
    path, first = _write_npz(output or run.folder.path / "reconstructions.npz", parts)
    _write_picture(path, beside(to_displayable(first["x"][:40]), to_displayable(first["mean"][:40]), 10))


def encode(run_dir: Path, data: str | None, split_name: str, seed: int, output: Path | None) -> None:
    """`tfvae encode`."""
    run = load_run(run_dir)
    split = _split(run, data, split_name)

    def encoded(x: Tensor, seed: Tensor) -> dict[str, Tensor]:
        posterior = run.vae.encode(x)
        return {"mean": posterior.mean(), "stddev": posterior.stddev(), "z": posterior.sample(seed=seed)}

    program = _program(encoded, tf.TensorSpec([None, *split.event_shape], tf.float32))
    if split.has_labels:
        batches = enumerate(_batches(split, labels=True))
        parts = ({**program(x, fold_in(seed, i)), "labels": y} for i, (x, y) in batches)
    else:
        parts = (program(x, fold_in(seed, i)) for i, x in enumerate(_batches(split)))
    _write_npz(output or run.folder.path / "latents.npz", parts)


def export(run_dir: Path, output: Path | None, overwrite: bool) -> None:
    """`tfvae export`."""
    run = load_run(run_dir)
    path = tfvae_export.save(run.vae, output or run.folder.saved_model, overwrite=overwrite or output is None)
    _say(f"SavedModel: {path}")


def compare(run_dirs: list[Path], output: Path) -> None:
    """`tfvae compare`."""
    runs = read_runs(run_dirs)
    for data, group in groups(runs).items():
        marked = [
            [f"[bold]{text}[/]" if best(group, column) is run else text for column, text in run.cells.items()]
            for run in group
        ]
        _say(f"On {data}:")
        if len(group) <= _MOST_RUNS_ABREAST:
            table = Table("", *(cells[0] for cells in marked))
            for column, *cells in list(zip(COLUMNS, *marked, strict=True))[1:]:
                table.add_row(column, *cells)
        else:
            table = Table(*COLUMNS)
            for cells in marked:
                table.add_row(*cells)
        _console.print(table)
    if len(groups(runs)) > 1:
        _say("These runs were measured on different data: numbers of different tables are not comparable.")
    _say(f"  {write_comparison(runs, output)}")


def report(run_dir: Path, output: Path | None) -> None:
    """`tfvae report`."""
    _say(str(write_html_report(run_dir, output)))


def reproduce(name: str, budget: str, only: list[str], run_dir: Path | None, output: Path | None, seed: int) -> None:
    """`tfvae reproduce`."""
    try:
        with _said_warnings():
            results = papers.reproduce(
                name, budget=budget, only=only, run_dir=run_dir, output=output, seed=seed, say=_say
            )
    except KeyboardInterrupt:
        raise InterruptedError("interrupted. The same command goes on from where it was.") from None
    table = Table("experiment", "claim", "holds", "our numbers")
    for experiment, result in results.items():
        for claim in result.claims:
            table.add_row(experiment, claim.statement, "yes" if claim.holds else "[bold red]no[/]", claim.evidence)
    if table.row_count:
        _console.print(table)


def shard(data: str, folder: Path, shard_size: int | None, seed: int) -> None:
    """`tfvae data shard`."""
    require_free(folder)
    path = Path(data).expanduser()
    # An array on disk may be larger than memory.
    is_array = path.suffix == ".npy"
    source = read_arrays(path, mapped=True)["arr_0"] if is_array else tfvae_data.load(data)
    name = path.stem if is_array else None
    tfvae_data.write_shards(source, folder, shard_size=shard_size, seed=seed, name=name)
    splits = tfvae_data.load(folder)
    for split in (splits.train, splits.validation, splits.test):
        if split is not None:
            _say(f"{split.name}: {len(split):,} examples")
    _say(f"Train on them with `tfvae train --data {folder}`.")


def _program(fn: Callable[..., dict[str, Tensor]], spec: tf.TensorSpec) -> Any:
    """A function of a batch and a seed, compiled once for batches of every size."""
    return tf.function(fn, input_signature=[spec, tf.TensorSpec([2], tf.int32)], autograph=False)


def _batches(split: Split | ShardedSplit, *, labels: bool = False) -> Iterator[Any]:
    with naming_damage(split):
        yield from split.batches(_BATCH_SIZE, labels=labels).as_numpy_iterator()


def _first(batches: Iterator[np.ndarray], num_examples: int | None) -> Iterator[np.ndarray]:
    """The first examples, in batches; None is all of them."""
    for batch in batches:
        yield batch if num_examples is None else batch[:num_examples]
        if num_examples is not None and (num_examples := num_examples - len(batch)) <= 0:
            return


def _split(run: Run, data: str | None, split_name: str) -> Split | ShardedSplit:
    """The data a command works on, with the noise the model was trained on, drawn once."""
    if data is None:
        split = getattr(tfvae_data.load(run.config.data.name), split_name, None)
        if split is None:
            raise ValueError(f"{run.config.data.name} has no {split_name!r} split. Choose another with --split.")
    else:
        split = tfvae_data.load_examples(data, split=split_name)
    split = evaluation_split(run.config, split)
    run.vae.check_data(split.x if isinstance(split, Split) else split.batches(_BATCH_SIZE))
    return split


def _mean_and_sample(likelihood: Any, seed: Any) -> dict[str, Any]:
    return {"mean": likelihood.mean(), "sample": likelihood.sample(seed=seed)}


def _write_npz(path: Path, parts: Iterable[dict[str, Any]]) -> tuple[Path, dict[str, Any]]:
    """Writes parts as they come; returns where, and the first of them."""
    first: dict[str, Any] = {}
    with NpzWriter(path if path.suffix == ".npz" else path.with_name(path.name + ".npz")) as file:
        for part in parts:
            first = first or part
            file.add(**part)
    _say(f"{file.path}: {', '.join(f'{name} {shape}' for name, shape in file.shapes.items())}")
    return file.path, first


def _write_picture(path: Path, picture: np.ndarray) -> None:
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
