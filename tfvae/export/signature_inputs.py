"""Inputs of the signatures of an exported model: their names, their shapes, and checks of their values."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from tfvae.export.labels import Labels
from tfvae.export.signature_names import CLASSIFY, DEFAULT
from tfvae.models import VAE
from tfvae.typing import Tensor

# The inputs in order. "z" stands for all parts of z, and "y" for the part that is a label.
_INPUTS: Mapping[str, tuple[str, ...]] = {
    "encode": ("x", "condition", "seed"),
    "decode": ("z", "condition", "seed"),
    "reconstruct": ("x", "condition", "seed"),
    "sample": ("num_samples", "condition", "label", "seed"),
    "elbo": ("x", "condition", "num_samples", "seed"),
    "log_marginal": ("x", "condition", "num_samples", "seed"),
    "posterior": ("x", "y", "condition"),
    "likelihood": ("z", "condition"),
    CLASSIFY: ("x", "condition"),
    DEFAULT: ("x", "condition"),
}


class Given(NamedTuple):
    """Inputs of one request, in the precision of the model. Inputs that a signature does not have are None.

    Attributes:
        seed: Int32 tensor `[2]`, zeros for a signature without draws.
        x: Data `[B, *event]`.
        z: Latents `[B, D]`, or a dictionary of parts.
        y: One-hot vectors `[B, K]`.
        condition: Conditions `[B, *shape]`, or `[num_samples, *shape]`.
        label: Indices of classes `[num_samples]`, -1 for a label to be drawn.
        num_samples: Number of draws, a scalar.
    """

    seed: Tensor
    x: Any = None
    z: Any = None
    y: Any = None
    condition: Any = None
    label: Any = None
    num_samples: Any = None


class SignatureInputs:
    """Inputs of the signatures of a model.

    Args:
        vae: Built model.
        event_shape: Shape of one x.
        labels: The label among its latents, if there is one.
        checks: Whether the graphs check the shape and the number of conditions, and repeat a single one.
    """

    def __init__(self, vae: VAE, event_shape: tuple[int, ...], labels: Labels | None, *, checks: bool = True):
        self._vae, self._labels, self._checks = vae, labels, checks
        self._dtype = tf.as_dtype("float64" if vae.variable_dtype == "float64" else "float32")
        shapes: Any = vae.latent_shape
        self._parts = list(shapes) if isinstance(shapes, Mapping) else None
        parts = {"z": shapes} if self._parts is None else shapes
        z = {name: _batch_of(shape, name) for name, shape in parts.items()}
        self._specs = {
            "x": [_batch_of(event_shape, "x")],
            "z": list(z.values()),
            "y": [] if labels is None else [z[labels.part]],
            "condition": [] if vae.condition_shape is None else [_batch_of(vae.condition_shape, "condition")],
            "label": [] if labels is None else [tf.TensorSpec([None], tf.int32, name="label")],
            "num_samples": [tf.TensorSpec([], tf.int32, name="num_samples")],
            "seed": [tf.TensorSpec([2], tf.int32, name="seed")],
        }

    def specs(self, signature: str) -> list[tf.TensorSpec]:
        """Returns the inputs of a signature in order."""
        return [spec for name in _INPUTS[signature] for spec in self._specs[name]]

    def given(self, signature: str, tensors: Sequence[Tensor]) -> Given:
        """Checks the tensors of a request, in the order of `specs`, and converts them to the types of the model."""
        left, values = list(tensors), {}
        for name in _INPUTS[signature]:
            values[name], left = left[: len(self._specs[name])], left[len(self._specs[name]) :]
        found = {name: found[0] for name, found in values.items() if found and name != "z"}
        given = Given(**{"seed": tf.zeros([2], tf.int32), **found})
        if given.num_samples is not None:
            given = given._replace(num_samples=_at_least_one(given.num_samples))
        if given.x is not None:
            given = given._replace(x=tf.cast(given.x, self._dtype))
        if "z" in values:
            given = given._replace(z=self._latents(values["z"]))
        if given.y is not None:
            given = given._replace(y=tf.cast(given.y, self._dtype))
        if given.condition is not None:
            condition = given.condition
            if self._checks:
                condition = _of_shape(condition, self._vae.condition_shape or (), "condition")
                condition = _one_for_each(condition, "condition", _num_rows(given))
            given = given._replace(condition=tf.cast(condition, self._dtype))
        if given.label is not None:
            label = _one_for_each(self._known(given.label), "label", given.num_samples)
            given = given._replace(label=label)
        return given

    def _latents(self, parts: list[Tensor]) -> Any:
        """Converts latents to the precision of the model, and integer parts to their own dtype."""
        if self._parts is None:
            return tf.cast(parts[0], self._dtype)
        dtypes: Any = self._vae.prior.distribution().dtype
        return {
            name: tf.cast(part, self._dtype if dtypes[name].is_floating else dtypes[name])
            for name, part in zip(self._parts, parts, strict=True)
        }

    def _known(self, label: Tensor) -> Tensor:
        most = 0 if self._labels is None else self._labels.num_classes - 1
        check = tf.debugging.Assert(
            tf.reduce_all((label >= -1) & (label <= most)),
            [f"label must be an integer from 0 to {most}, or -1 for a label that is drawn. Received:", label],
        )
        with tf.control_dependencies([check]):
            return tf.identity(label)


def _batch_of(shape: tuple[int, ...], name: str) -> tf.TensorSpec:
    return tf.TensorSpec([None, *shape], tf.float32, name=name)


def _num_rows(given: Given) -> Tensor:
    """Returns the number of examples of a request, or of samples if it has no examples."""
    if given.x is None and given.z is None:
        return given.num_samples
    return tf.shape(tf.nest.flatten(given.z if given.x is None else given.x)[0])[0]


def _of_shape(value: Tensor, shape: tuple[int, ...], name: str) -> Tensor:
    """Checks the shape of `[B, *shape]`, which TensorFlow does not when it runs a loaded signature."""
    beyond = [-1] * (1 + len(shape))  # so that a wrong number of axes is a wrong shape
    found = tf.concat([tf.shape(value)[1:], beyond], axis=0)[: len(beyond)]
    check = tf.debugging.Assert(
        tf.reduce_all(tf.equal(found, [*shape, -1])),
        [f"{name} must have shape [B, {', '.join(map(str, shape))}]. Received: shape", tf.shape(value)],
    )
    with tf.control_dependencies([check]):
        return tf.identity(value)


def _one_for_each(value: Tensor, name: str, num: Tensor) -> Tensor:
    """Repeats a value `[1, ...]` to `[num, ...]`. A value `[num, ...]` is returned unchanged."""
    shape = tf.shape(value)
    found = [f"There must be one {name} for all, or one for each. Received:", shape[0], "for", num]
    check = tf.debugging.Assert((shape[0] == 1) | (shape[0] == num), found)
    with tf.control_dependencies([check]):
        return tf.broadcast_to(value, tf.concat([[num], shape[1:]], axis=0))


def _at_least_one(num_samples: Tensor) -> Tensor:
    check = tf.debugging.Assert(num_samples >= 1, ["num_samples must be at least 1. Received:", num_samples])
    with tf.control_dependencies([check]):
        return tf.identity(num_samples)
