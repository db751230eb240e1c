"""`tfvae sample`, `tfvae reconstruct` and `tfvae encode` with the SavedModel of a run, which starts without Keras.

The functions draw the same numbers as those of `tfvae.cli.commands.draws`, for the runs and data that most users have.
They return False, and have written nothing, for others: tables, counts, labels among the latents, missing values,
shards, and data that the model refuses, whose errors need the model.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tfvae._checks import SUPPORT_ROUNDING, wrong_event_shape
from tfvae.cli.commands.loaded_split import BATCH_SIZE, ids_of, labels_as, loaded_split
from tfvae.cli.commands.output import (
    announced,
    write_arrays,
    write_picture_of_reconstructions,
    write_picture_of_samples,
)
from tfvae.cli.loading import messages_hidden
from tfvae.cli.output_path import ANNDATA
from tfvae.data import Split
from tfvae.data.conditions import one_hot
from tfvae.data.noise import scaled
from tfvae.export.program import Program
from tfvae.training.config import RunConfig
from tfvae.training.evaluation_split import evaluation_split
from tfvae.training.run_folder import RunFolder
from tfvae.training.run_program import manifest_of_run, program_of_run


def sample(
    run_dir: Path, config: RunConfig, num_samples: int, condition: Any, label: int | None, seed: int, output: Path
) -> bool:
    """Runs `tfvae sample`, like `draws.sample`. Returns whether it could."""
    manifest = None if label is not None else _manifest(run_dir, config, output)
    program = None if manifest is None else _program(run_dir, manifest, "sample", ("z", "mean", "sample"))
    if program is None:
        return False
    given: dict[str, np.ndarray] = {}
    if condition is not None:
        one = _one_condition(condition, program.manifest["condition_shape"])
        if one is None:
            return False
        given["condition"] = one

    def parts() -> Iterator[dict[str, np.ndarray]]:
        for block, start in enumerate(range(0, num_samples, BATCH_SIZE)):
            number = np.array(min(BATCH_SIZE, num_samples - start), np.int32)
            inputs = {**given, "num_samples": number, "seed": program.block_seed(seed, block)}
            found = program.run("sample", inputs)
            yield {name: found[name] for name in ("z", "mean", "sample")}

    with messages_hidden(ValueError, OSError):
        path, first = write_arrays(output, announced(output, parts(), num_samples))
    write_picture_of_samples(path, first["mean"])
    return True


def reconstruct(
    run_dir: Path,
    config: RunConfig,
    data: str | None,
    split_name: str,
    num_examples: int | None,
    seed: int,
    output: Path,
    id: str | None = None,
) -> bool:
    """Runs `tfvae reconstruct`, like `draws.reconstruct`. Returns whether it could."""
    found = _applied(run_dir, config, "reconstruct", ("mean", "sample"), data, split_name, output, id)
    if found is None:
        return False
    count = len(found.split) if num_examples is None else min(num_examples, len(found.split))

    def reconstructed(batch: dict[str, np.ndarray], rows: slice) -> dict[str, np.ndarray]:
        outputs = found.program.run("reconstruct", batch)
        return {"x": batch["x"], "mean": outputs["mean"], "sample": outputs["sample"]}

    ids = ids_of(config, found.split, id)
    with messages_hidden(ValueError, OSError):
        path, first = write_arrays(
            output, announced(output, ids.added_to(found.parts(reconstructed, count, seed)), count)
        )
    write_picture_of_reconstructions(path, first["x"], first["mean"])
    return True


def encode(
    run_dir: Path, config: RunConfig, data: str | None, split_name: str, seed: int, output: Path, id: str | None = None
) -> bool:
    """Runs `tfvae encode`, like `draws.encode`. Returns whether it could."""
    found = _applied(run_dir, config, "encode", ("z",), data, split_name, output, id)
    if found is None:
        return False
    outputs = found.program.definitions["encode"].outputs
    moments = next((pair for pair in (("loc", "scale"), ("mean", "stddev")) if set(pair) <= set(outputs)), None)
    if moments is None:
        return False

    def encoded(batch: dict[str, np.ndarray], rows: slice) -> dict[str, np.ndarray]:
        outputs = found.program.run("encode", batch)
        labels = found.split.labels
        named = {} if labels is None else {"labels": labels_as(labels[rows], found.split, output)}
        return {"mean": outputs[moments[0]], "stddev": outputs[moments[1]], "z": outputs["z"], **named}

    count = len(found.split)
    parts = ids_of(config, found.split, id).added_to(found.parts(encoded, count, seed))
    with messages_hidden(ValueError, OSError):
        write_arrays(output, announced(output, parts, count))
    return True


class _Applied(NamedTuple):
    """A program, and examples that it takes."""

    program: Program
    split: Split

    def parts(
        self, outputs: Callable[[dict[str, np.ndarray], slice], dict[str, np.ndarray]], count: int, seed: int
    ) -> Iterator[dict[str, np.ndarray]]:
        """Yields outputs of the first `count` examples, block by block."""
        for block, start in enumerate(range(0, count, BATCH_SIZE)):
            rows = slice(start, min(start + BATCH_SIZE, count))
            batch = {"x": scaled(self.split.raw[rows], self.split.num_levels)}
            if self.split.condition is not None:
                batch["condition"] = self.split.condition[rows]
            yield outputs({**batch, "seed": self.program.block_seed(seed, block)}, rows)


def _manifest(run_dir: Path, config: RunConfig, output: Path) -> Mapping[str, Any] | None:
    """Returns the manifest of a run's SavedModel, if a command needs nothing else of the run to write its output."""
    folder = RunFolder(run_dir)
    is_counts = folder.column_names.exists() or output.suffix.lower() == ANNDATA
    if config.data.columns or config.model.kind == "m2" or is_counts:
        return None
    manifest = manifest_of_run(folder)
    return manifest if manifest and manifest.get("latent_dtype") == "float32" and "missing" not in manifest else None


def _program(run_dir: Path, manifest: Mapping[str, Any], signature: str, outputs: tuple[str, ...]) -> Program | None:
    """Opens the program of a run, if its signature has the outputs."""
    with messages_hidden(ValueError):
        program = program_of_run(RunFolder(run_dir), manifest)
    definition = None if program is None else program.definitions.get(signature)
    return None if definition is None or not set(outputs) <= set(definition.outputs) else program


def _applied(
    run_dir: Path,
    config: RunConfig,
    signature: str,
    outputs: tuple[str, ...],
    data: str | None,
    split_name: str,
    output: Path,
    id: str | None,
) -> _Applied | None:
    manifest = _manifest(run_dir, config, output)
    if manifest is None:
        return None
    split: Any = loaded_split(config, data, split_name, id=id)
    if not isinstance(split, Split) or split.schema is not None or split.has_missing:
        return None
    split = evaluation_split(config, split)
    if not _takes(manifest, split):
        return None
    program = _program(run_dir, manifest, signature, outputs)
    return None if program is None else _Applied(program, split)


def _takes(manifest: Mapping[str, Any], split: Split) -> bool:
    """Whether a model takes the conditions of the examples, and their values.

    Raises:
        ValueError: If the model does not take their shape.
    """
    if list(split.event_shape) != manifest["event_shape"]:
        raise ValueError(wrong_event_shape(split.event_shape, tuple(manifest["event_shape"])))
    if list(split.condition_shape or ()) != manifest.get("condition_shape", []):
        return False
    low, high = split.value_range
    lowest, highest = manifest["support"]
    return (lowest is None or low >= lowest - SUPPORT_ROUNDING) and (
        highest is None or high <= highest + SUPPORT_ROUNDING
    )


def _one_condition(condition: Any, shape: list[int]) -> np.ndarray | None:
    """Returns a condition for all samples, float32 `[1, *shape]`, of the number of a class or an array."""
    if isinstance(condition, int | np.integer):
        return one_hot(np.array([condition]), shape[0])
    return condition[np.newaxis] if list(condition.shape) == shape else None
