"""Loads a run for the explore page."""

import contextlib
import gc
from collections.abc import Callable
from contextlib import AbstractContextManager
from os import PathLike
from typing import TYPE_CHECKING, Any, NamedTuple

from tfvae.data import Split
from tfvae.data.any_split import AnySplit
from tfvae.export.program import Program
from tfvae.serving.explore.explored_model import ExploredModel
from tfvae.serving.explore.exported_programs import ExportedPrograms, can_use
from tfvae.serving.explore.model_input import ModelInput
from tfvae.training.config import RunConfig
from tfvae.training.evaluation_split import evaluation_split
from tfvae.training.load_data import load_data
from tfvae.training.run_folder import RunFolder

if TYPE_CHECKING:
    from tfvae.serving.explore.programs import Programs
    from tfvae.training.saved_run import Run

_SPLITS = ("train", "validation", "test")
# Training rows of a table, among which the nearest ones are searched, and their values.
_MAX_ROWS, _MAX_VALUES = 20_000, 10_000_000


def explored_run(
    run: "Run", *, split: str = "test", num_examples: int = 5000, on_stage: Callable[[str], None] = lambda stage: None
) -> ExploredModel:
    """Loads a run's data, encodes the first examples and compiles the functions that the page calls.

    Args:
        run: A run, from `tfvae.training.saved_run.load_run`.
        split: "train", "validation" or "test", of the run's own data.
        num_examples: Maximum number of examples on the map.
        on_stage: Called with a description of each stage before it starts.

    Raises:
        ValueError: If the data have no such split, or z is not a vector.
    """
    data = _load(run.config, split, num_examples)
    on_stage(f"encoding {len(data.examples):,} examples of {data.examples.name}")
    return ExploredModel(
        run.vae,
        data.examples,
        name=run.folder.path.resolve().name,
        model_input=data.model_input,
        training=data.training,
    )


def explored_program(
    run_dir: str | PathLike[str],
    program: Program,
    *,
    split: str = "test",
    num_examples: int = 5000,
    on_stage: Callable[[str], None] = lambda stage: None,
    loading_within: Callable[[], AbstractContextManager[Any]] = contextlib.nullcontext,
) -> ExploredModel | None:
    """Explores a run as `explored_run` does, with its exported model until the model itself is loaded.

    Args:
        run_dir: Run folder.
        program: The exported model of the run, of its present `model.keras`.
        split: As for `explored_run`.
        num_examples: As for `explored_run`.
        on_stage: As for `explored_run`.
        loading_within: Creates a context manager in which the model itself is loaded, in a thread.

    Returns:
        None for models and data that need the model itself, such as tables, and for other posteriors and priors than a
        diagonal and a standard normal.

    Raises:
        ValueError: As for `explored_run`.
    """
    folder = RunFolder(run_dir)
    config = RunConfig.of_run(folder.config)
    model, is_table = config.model, bool(config.data.columns)
    kinds = (model.kind, model.posterior, model.prior)
    if is_table or kinds != ("vae", "diag", "standard_normal") or not can_use(program):
        return None
    data = _load(config, split, num_examples)
    examples = data.examples
    if examples.schema is not None or examples.has_missing or examples.condition is not None:
        return None
    on_stage(f"encoding {len(examples):,} examples of {examples.name}")

    def load() -> "Programs":
        with loading_within():
            from tfvae.serving.explore.programs import Programs
            from tfvae.training.saved_run import load_run

            programs = Programs.of_examples(load_run(run_dir).vae, examples)
            programs.terms_of_one(examples.x[:1], 0)  # traced now, so that the first request is fast
        gc.collect()
        gc.freeze()  # as `run_app` does for all that is loaded before
        return programs

    return ExploredModel(
        ExportedPrograms(program, load), examples, name=folder.path.resolve().name, model_input=data.model_input
    )


class _Data(NamedTuple):
    """Data of a run for the page: examples of the map, training rows of a table, and the conversion of images."""

    examples: Split
    training: Split | None
    model_input: ModelInput


def _load(config: RunConfig, split: str, num_examples: int) -> _Data:
    name = config.data.name
    splits = load_data(config)
    available = [part for part in _SPLITS if getattr(splits, part) is not None]
    if split not in available:
        raise ValueError(f"{name} has no {split!r} split. Choose {' or '.join(available)} with --split.")
    loaded: AnySplit = getattr(splits, split)
    examples = evaluation_split(config, loaded.take(num_examples))
    training = None
    if splits.schema is not None:
        most = max(1, min(_MAX_ROWS, _MAX_VALUES // len(splits.schema.used)))
        training = evaluation_split(config, splits.train.take(min(most, len(splits.train))))
    return _Data(examples, training, ModelInput.of_run(config, loaded))
