"""Latents of examples for TensorBoard's Embedding Projector, with labels and thumbnails."""

import io
import math
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorboard.plugins import projector

from tfvae._display import Display
from tfvae._files import write_bytes, write_text
from tfvae._images import tile
from tfvae.callbacks._tensorboard.rows import cells_of
from tfvae.models.batch import Batch, x_of
from tfvae.tables import Schema

_CONFIG, _TENSORS, _LABELS, _SPRITE = "projector_config.pbtxt", "latents.tsv", "labels.tsv", "thumbnails.png"
_MAX_SIDE = 8192  # pixels; browsers accept no larger sprite


class Embedding:
    """Files of one embedding in the folder of a run. Each file is complete or absent.

    Args:
        folder: Folder of the run.
        examples: Examples `[B, *event]`, or a `Batch` of them.
        labels: Labels of the examples `[B]`, or None.
        schema: The columns of a table, whose values are shown in place of thumbnails, or None.
    """

    def __init__(self, folder: Path, examples: Any, labels: np.ndarray | None, schema: Schema | None = None):
        self._folder = folder
        self._x = np.asarray(x_of(examples))
        self._observed = examples.observed if isinstance(examples, Batch) else None
        self._labels = labels
        self._schema = schema
        self._is_described = False

    def write(self, means: np.ndarray) -> None:
        """Writes E[z|x] `[B, D]` and replaces the previous values."""
        # The Projector shows three components, and nothing if there are fewer.
        columns = np.pad(means, [(0, 0), (0, max(0, 3 - means.shape[1]))])
        text = io.StringIO()
        np.savetxt(text, columns, fmt="%.5g", delimiter="\t")
        write_text(self._folder / _TENSORS, text.getvalue())
        if not self._is_described:
            self._describe()
            self._is_described = True

    def _describe(self) -> None:
        """Writes labels, thumbnails and the configuration, which are the same in every epoch."""
        config = projector.ProjectorConfig()
        embedding = config.embeddings.add(tensor_name="latents: E[z|x]", tensor_path=_TENSORS)
        num = len(self._x)
        labels = np.arange(num) if self._labels is None else self._labels[:num]
        embedding.metadata_path = _LABELS
        if self._schema is None:
            write_text(self._folder / _LABELS, "".join(f"{_one_line(label)}\n" for label in labels))
            self._add_thumbnails(embedding)
        else:
            columns = cells_of(self._x, self._schema, self._observed)
            # The Projector takes the first line for names if there are several columns.
            lines = [["example", *columns], *zip(labels, *columns.values(), strict=True)]
            write_text(self._folder / _LABELS, "".join("\t".join(map(_one_line, line)) + "\n" for line in lines))
        write_text(self._folder / _CONFIG, str(config))

    def _add_thumbnails(self, embedding: Any) -> None:
        pictures = Display.of(self._x).pictures(self._x)
        columns = math.ceil(math.sqrt(len(pictures)))
        height, width = pictures.shape[1:3]
        if max(height, width) * columns <= _MAX_SIDE:
            # The Projector expects a square sprite.
            blank = np.zeros((columns * columns - len(pictures), *pictures.shape[1:]), np.uint8)
            sprite = tile(np.concatenate([pictures, blank]), columns, padding=0)
            write_bytes(self._folder / _SPRITE, tf.io.encode_png(sprite).numpy())
            embedding.sprite.image_path = _SPRITE
            embedding.sprite.single_image_dim.extend([width, height])


def _one_line(label: Any) -> str:
    """Formats a label as a line of the metadata. TensorBoard skips blank lines and miscounts the labels after them."""
    text = label.decode(errors="replace") if isinstance(label, bytes) else str(label)
    return " ".join(text.split()) or "(empty)"
