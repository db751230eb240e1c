"""Implementation of `tfvae sample`, `tfvae reconstruct` and `tfvae encode`."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from tfvae import data as tfvae_data
from tfvae._display import Display
from tfvae._images import beside, tile
from tfvae.cli.commands.output import announced, write_arrays, write_picture
from tfvae.data import ShardedSplit, Split, reading
from tfvae.data.load import check_split
from tfvae.models.queries import Decoded, ancestral_sample, block_seed, reconstruction
from tfvae.training.run_data import evaluation_split
from tfvae.training.saved_run import Run, load_run
from tfvae.typing import Tensor

# Size of a block of draws. Up to this number, the draws are those of `VAE.sample` and `VAE.reconstruct`.
_BATCH_SIZE = 500


def sample(run_dir: Path, num_samples: int, seed: int, output: Path) -> None:
    """Runs `tfvae sample`."""
    run = load_run(run_dir)

    def drawn(number: Tensor, seed: Tensor) -> dict[str, Tensor]:
        decoded = ancestral_sample(run.vae.prior.distribution(), run.vae.generate, number, seed=seed)
        return {"z": decoded.z, **_mean_and_sample(decoded)}

    program = _program(drawn, tf.TensorSpec([], tf.int32))
    numbers = (min(_BATCH_SIZE, num_samples - start) for start in range(0, num_samples, _BATCH_SIZE))
    parts = (program(number, block_seed(seed, i)) for i, number in enumerate(numbers))
    path, first = write_arrays(output, announced(output, parts, num_samples))
    means = np.asarray(first["mean"][:100])
    display = Display.of(means)
    write_picture(path, tile(display.pictures(means)), display.caption())


def reconstruct(
    run_dir: Path, data: str | None, split_name: str, num_examples: int | None, seed: int, output: Path
) -> None:
    """Runs `tfvae reconstruct`."""
    run = load_run(run_dir)
    split = _split(run, data, split_name)

    def through(x: Tensor, seed: Tensor) -> dict[str, Tensor]:
        return {"x": x, **_mean_and_sample(reconstruction(run.vae.encode(x), run.vae.generate, seed=seed))}

    program = _program(through, tf.TensorSpec([None, *split.event_shape], tf.float32))
    parts = (program(x, block_seed(seed, i)) for i, x in enumerate(_first(_batches(split), num_examples)))
    count = len(split) if num_examples is None else min(num_examples, len(split))
    path, first = write_arrays(output, announced(output, parts, count))
    x, means = (np.asarray(first[name][:40]) for name in ("x", "mean"))
    display = Display.of(x)
    write_picture(path, beside(display.pictures(x), display.pictures(means), 10), display.caption())


def encode(run_dir: Path, data: str | None, split_name: str, seed: int, output: Path) -> None:
    """Runs `tfvae encode`."""
    run = load_run(run_dir)
    split = _split(run, data, split_name)

    def encoded(x: Tensor, seed: Tensor) -> dict[str, Tensor]:
        posterior = run.vae.encode(x)
        return {"mean": posterior.mean(), "stddev": posterior.stddev(), "z": posterior.sample(seed=seed)}

    program = _program(encoded, tf.TensorSpec([None, *split.event_shape], tf.float32))
    if split.has_labels:
        batches = enumerate(_batches(split, labels=True))
        parts = ({**program(x, block_seed(seed, i)), "labels": y} for i, (x, y) in batches)
    else:
        parts = (program(x, block_seed(seed, i)) for i, x in enumerate(_batches(split)))
    write_arrays(output, announced(output, parts, len(split)))


def _program(fn: Callable[..., dict[str, Tensor]], spec: tf.TensorSpec) -> Any:
    """Returns a function of a batch and a seed, compiled once for all batch sizes."""
    return tf.function(fn, input_signature=[spec, tf.TensorSpec([2], tf.int32)], autograph=False)


def _batches(split: Split | ShardedSplit, *, labels: bool = False) -> Iterator[Any]:
    for batch in reading.batches(split, _BATCH_SIZE):
        yield (batch.x, batch.labels) if labels else batch.x


def _first(batches: Iterator[np.ndarray], num_examples: int | None) -> Iterator[np.ndarray]:
    """Yields the first `num_examples` examples in batches, or all of them if it is None."""
    for batch in batches:
        yield batch if num_examples is None else batch[:num_examples]
        if num_examples is not None and (num_examples := num_examples - len(batch)) <= 0:
            return


def _split(run: Run, data: str | None, split_name: str) -> Split | ShardedSplit:
    """Loads the data that a command works on, with the noise of training drawn once."""
    if data is None:
        split = getattr(tfvae_data.load(run.config.data.name), check_split(split_name))
        if split is None:
            raise ValueError(f"{run.config.data.name} has no {split_name!r} split. Choose another with --split.")
    else:
        split = tfvae_data.load_examples(data, split=split_name)
    split = evaluation_split(run.config, split)
    run.vae.check_data(split.x if isinstance(split, Split) else split.batches(_BATCH_SIZE))
    return split


def _mean_and_sample(decoded: Decoded) -> dict[str, Tensor]:
    return {"mean": decoded.mean(), "sample": decoded.sample()}
