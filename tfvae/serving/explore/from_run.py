"""Loads a run for the explore page."""

from collections.abc import Callable

from tfvae.data.any_split import AnySplit
from tfvae.serving.explore.explored_model import ExploredModel
from tfvae.serving.explore.model_input import ModelInput
from tfvae.training.load_data import load_data
from tfvae.training.run_data import evaluation_split
from tfvae.training.saved_run import Run

_SPLITS = ("train", "validation", "test")
# Training rows of a table, among which the nearest ones are searched, and their values.
_MAX_ROWS, _MAX_VALUES = 20_000, 10_000_000


def explored_run(
    run: Run, *, split: str = "test", num_examples: int = 5000, on_stage: Callable[[str], None] = lambda stage: None
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
    name = run.config.data.name
    splits = load_data(run.config)
    available = [part for part in _SPLITS if getattr(splits, part) is not None]
    if split not in available:
        raise ValueError(f"{name} has no {split!r} split. Choose {' or '.join(available)} with --split.")
    loaded: AnySplit = getattr(splits, split)
    examples = evaluation_split(run.config, loaded.take(num_examples))
    on_stage(f"encoding {len(examples):,} examples of {examples.name}")
    training = None
    if splits.schema is not None:
        most = max(1, min(_MAX_ROWS, _MAX_VALUES // len(splits.schema.used)))
        training = evaluation_split(run.config, splits.train.take(min(most, len(splits.train))))
    return ExploredModel(
        run.vae,
        examples,
        name=run.folder.path.resolve().name,
        model_input=ModelInput.of_run(run.config, loaded),
        training=training,
    )
