"""Implementation of `tfvae sample`, `tfvae reconstruct` and `tfvae encode`."""

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from tfvae import evaluation
from tfvae.cli.commands import tables
from tfvae.cli.commands.counts import batches_of_samples, write_latents, write_samples
from tfvae.cli.commands.examples import batches_of, examples_of
from tfvae.cli.commands.loaded_split import BATCH_SIZE, ids_of, labels_as
from tfvae.cli.commands.output import (
    announced,
    write_arrays,
    write_picture_of_reconstructions,
    write_picture_of_samples,
)
from tfvae.cli.commands.saying import say
from tfvae.cli.output_path import ANNDATA
from tfvae.data import Split
from tfvae.data.any_split import AnySplit
from tfvae.data.examples import CONDITION, OBSERVED
from tfvae.models.queries import Decoded, block_seed
from tfvae.training.saved_run import load_run
from tfvae.typing import Tensor


def sample(run_dir: Path, num_samples: int, condition: Any, label: int | None, seed: int, output: Path) -> None:
    """Runs `tfvae sample`.

    Args:
        run_dir: Run folder.
        num_samples: Number of samples.
        condition: Number of a class, or one condition, for a conditional model. None for others.
        label: Number of the class of all samples, for a model with labels, or None.
        seed: Seed of the draws.
        output: File to write.
    """
    run = load_run(run_dir)

    def drawn(batch: dict[str, Tensor], seed: Tensor) -> dict[str, Tensor]:
        given = batch.get(CONDITION, condition)
        decoded = run.vae.ancestral_sample(batch["number"], condition=given, label=label, seed=seed)
        return {**_named(decoded.z), **_mean_and_sample(decoded)}

    batches = list(batches_of_samples(run.vae, num_samples, BATCH_SIZE, condition, seed))
    spec = {name: tf.TensorSpec([None] * np.ndim(part), part.dtype) for name, part in batches[0].items()}
    if CONDITION in spec:
        spec[CONDITION] = tf.TensorSpec([None, *(run.vae.condition_shape or ())], tf.float32)
    program = _program(drawn, spec)
    parts = (program(batch, block_seed(seed, i)) for i, batch in enumerate(batches))
    if output.suffix.lower() == ANNDATA:
        write_samples(output, parts, run.column_names)
        return
    schema = tables.schema_of_run(run.config)
    if schema is not None and output.suffix.lower() != ".npz":
        x = np.concatenate([part["sample"].numpy() for part in parts])
        tables.write_samples(output, x, run.config, schema, label if condition is None else condition)
        return
    path, first = write_arrays(output, announced(output, parts, num_samples))
    if schema is not None:
        return
    write_picture_of_samples(path, first["mean"])


def reconstruct(
    run_dir: Path,
    data: str | None,
    split_name: str,
    num_examples: int | None,
    seed: int,
    output: Path,
    id: str | None = None,
) -> None:
    """Runs `tfvae reconstruct`."""
    run = load_run(run_dir)
    split = examples_of(run, data, split_name, id=id)
    schema = split.schema if isinstance(split, Split) and output.suffix.lower() != ".npz" else None

    def through(batch: dict[str, Tensor], seed: Tensor) -> dict[str, Tensor]:
        if schema is not None:
            return {"mode": run.vae.reconstructed(batch, seed=seed).likelihood.mode()}
        x = tf.where(batch[OBSERVED], batch["x"], np.nan) if split.has_missing else batch["x"]
        return {"x": x, **_mean_and_sample(run.vae.reconstructed(batch, seed=seed))}

    program = _program(through, _spec(split))
    parts = (program(batch, block_seed(seed, i)) for i, batch in enumerate(_first(batches_of(split), num_examples)))
    count = len(split) if num_examples is None else min(num_examples, len(split))
    ids = ids_of(run.config, split, id)
    if schema is not None:
        tables.write_reconstructed(output, np.concatenate([part["mode"].numpy() for part in parts]), schema, ids)
        return
    path, first = write_arrays(output, announced(output, ids.added_to(parts), count))
    if isinstance(split, Split) and split.schema is not None:
        return
    write_picture_of_reconstructions(path, first["x"], first["mean"], missing=split.has_missing)


def encode(run_dir: Path, data: str | None, split_name: str, seed: int, output: Path, id: str | None = None) -> None:
    """Runs `tfvae encode`."""
    run = load_run(run_dir)
    split = examples_of(run, data, split_name, id=id)

    def encoded(batch: dict[str, Tensor], seed: Tensor) -> dict[str, Tensor]:
        posterior = run.vae.encode(batch)
        z = posterior.sample(seed=seed)
        if isinstance(z, dict):  # the conditionals of the parts have no mean that is not given another part
            return _named(z)
        return {"mean": posterior.mean(), "stddev": posterior.stddev(), "z": z}

    program = _program(encoded, _spec(split))
    parts = (
        {
            **program(batch, block_seed(seed, i)),
            **({} if labels is None else {"labels": labels_as(labels, split, output)}),
        }
        for i, (batch, labels) in enumerate(batches_of(split))
    )
    if output.suffix.lower() == ANNDATA:
        write_latents(output, Path(data or run.config.data.name), parts)
        return
    write_arrays(output, announced(output, ids_of(run.config, split, id).added_to(parts), len(split)))


def predict(run_dir: Path, data: str | None, split_name: str, output: Path, id: str | None = None) -> None:
    """Runs `tfvae predict`."""
    run = load_run(run_dir)
    split = examples_of(run, data, split_name, id=id)
    classes = np.array(run.config.data.classes)
    program = _program(lambda batch, seed: {"probs": run.vae.classify(batch)}, _spec(split))
    known = right = 0

    def predicted() -> Iterator[dict[str, Any]]:
        nonlocal known, right
        for batch, labels in batches_of(split):
            probs = program(batch, tf.zeros([2], tf.int32))["probs"].numpy()
            best = probs.argmax(axis=1)
            if labels is not None:
                known += int((labels >= 0).sum())
                right += int((best == labels)[labels >= 0].sum())
            yield {"label": classes[best], **{f"p_{name}": probs[:, k] for k, name in enumerate(classes)}}

    write_arrays(output, announced(output, ids_of(run.config, split, id).added_to(predicted()), len(split)))
    if known:
        say(f"{right:,} of {known:,} examples with a label are classified as it says: error {1 - right / known:.2%}")


def impute(
    run_dir: Path,
    data: str | None,
    split_name: str,
    missing: str,
    counts: dict[str, int],
    seed: int,
    output: Path,
) -> None:
    """Runs `tfvae impute`."""
    run = load_run(run_dir)
    split = examples_of(run, data, split_name, missing)
    if not split.has_missing and split.schema is not None:
        raise ValueError(
            f"{data or split.name} has no empty cell in a column of the model, so there is nothing to impute. Give a "
            "table with empty cells. Those of columns that are no part of the model stay empty."
        )
    if not split.has_missing:
        raise ValueError(
            f"{split.name} has no missing values, because the run was trained without. Give a file with NaN, or with "
            "a mask whose name is --missing NAME."
        )
    done: list[evaluation.Imputation] = []
    schema = split.schema if isinstance(split, Split) else None
    if schema is not None and output.suffix.lower() != ".npz":
        num_draws, counts = counts["num_samples"], dict(counts)
        counts["num_samples"] = tables.num_samples_for(num_draws)
        parts = (
            evaluation.impute(run.vae, batch, seed=block_seed(seed, i), **counts)
            for i, (batch, _) in enumerate(batches_of(split))
        )
        tables.write_imputed(output, Path(data or run.config.data.name), parts, schema, num_draws)
        return

    def imputed() -> Iterator[dict[str, Any]]:
        for i, (batch, _) in enumerate(batches_of(split)):
            found = evaluation.impute(run.vae, batch, seed=block_seed(seed, i), **counts)
            done.append(dataclasses.replace(found, samples=found.samples[:, :0]))  # for the summary
            draws = {f"sample_{k}": values for k, values in enumerate(found.samples)}
            yield {"mean": found.mean, **draws, "effective_sample_size": found.effective_sample_size}

    write_arrays(output, announced(output, imputed(), len(split)))
    missing_values = sum(found.to_dict()["num_missing"] for found in done)
    effective = float(np.median(np.concatenate([found.effective_sample_size for found in done])))
    say(
        f"{missing_values:,} missing values of {len(split):,} examples imputed. Of {done[0].num_importance_samples:,} "
        f"importance samples of an example, {effective:.0f} count (median)."
    )


def _named(z: Any) -> dict[str, Tensor]:
    """Returns latents by name."""
    return z if isinstance(z, dict) else {"z": z}


def _spec(split: AnySplit) -> dict[str, tf.TensorSpec]:
    """Returns the type of a batch."""
    spec = {"x": tf.TensorSpec([None, *split.event_shape], tf.float32)}
    if split.condition_shape is not None:
        spec[CONDITION] = tf.TensorSpec([None, *split.condition_shape], tf.float32)
    if split.has_missing:
        spec[OBSERVED] = tf.TensorSpec([None, *split.event_shape], tf.bool)
    return spec


def _program(fn: Callable[..., dict[str, Tensor]], spec: Any) -> Any:
    """Returns a function of a batch and a seed, compiled once for all batch sizes."""
    return tf.function(fn, input_signature=[spec, tf.TensorSpec([2], tf.int32)], autograph=False)


def _first(batches: Iterator[tuple[dict[str, Any], Any]], num_examples: int | None) -> Iterator[dict[str, Any]]:
    """Yields the first `num_examples` examples in batches, or all of them if it is None."""
    for batch, _ in batches:
        yield batch if num_examples is None else {name: part[:num_examples] for name, part in batch.items()}
        if num_examples is not None and (num_examples := num_examples - len(batch["x"])) <= 0:
            return


def _mean_and_sample(decoded: Decoded) -> dict[str, Tensor]:
    return {"mean": decoded.mean(), "sample": decoded.sample()}
