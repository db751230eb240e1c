"""TensorBoard for a VAE."""

import time
from os import PathLike, fspath, path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfvae import _images
from tfvae.callbacks._views import ModelViews
from tfvae.models import VAE, _inputs
from tfvae.typing import TensorLike

# Enough for a histogram, and little work for a model.
_MAX_EXAMPLES = 1024


class VAETensorBoard(keras.callbacks.Callback):
    """Writes what a VAE's training is judged by for TensorBoard: the bound and its terms, pictures, the posterior.

    `keras.callbacks.TensorBoard` shows weights and the graph; both can be used together. Two runs are written,
    `log_dir/train` and `log_dir/validation`, whose equal tags TensorBoard draws on one chart:

    * scalars: everything in the epoch's logs (`elbo`, `log_likelihood`, `kl`, `loss`; validation without its `val_`),
      and in `train` also `learning_rate`, `beta` and `images_per_second` (or `steps_per_second` for a model with a
      `train_step` of its own). Speed is that of training without validation; compilation slows the first epoch.
    * images, in `train`: `reconstructions`, rows of originals with their reconstructions below, and `samples`. Both
      are means of p(x|z), with the same noise in every epoch, so that the eye can follow one picture.
    * histograms, in `train`: `posterior/mean`, `posterior/stddev`, and for diagonal normals
      `posterior/kl_per_dimension` (nats, batch mean), in which unused dimensions are those at 0.

    The step of a summary is the number of epochs finished, as Keras prints it: 1 after the first one. A fit that
    resumes with `initial_epoch` in the same `log_dir` continues the same curves. Every epoch is on disk when it ends,
    so that a run that fails keeps what it had.

    Training is the same, bit for bit, with and without this callback. Models other than a `tfvae.models.VAE` get
    their scalars.

    Args:
        log_dir: where the runs are written.
        images: data `[N, *event]`, scaled as the model takes it: the first `num_images` are reconstructed, the first
            1024 make the histograms. None takes the model's `preview_batch`, a batch of what it is fitted on; without
            that either only samples are drawn.
        image_every: epochs between images, which are written when it divides the step; 0 for none.
        histogram_every: epochs between histograms, likewise; 0 for none.
        num_images: how many reconstructions, and how many samples.
        seed: the seed of the noise in images; the model's own random numbers are left alone.

    Raises:
        ValueError: for a negative interval, fewer than one image, or `images` that the model does not take.

    Example:
        >>> vae.fit(train, epochs=10, callbacks=[tfvae.callbacks.VAETensorBoard("logs")])  # doctest: +SKIP
    """

    def __init__(
        self,
        log_dir: str | PathLike[str],
        images: TensorLike | None = None,
        image_every: int = 1,
        histogram_every: int = 1,
        num_images: int = 32,
        seed: int = 0,
    ):
        super().__init__()
        for name, value, least in (
            ("image_every", image_every, 0),
            ("histogram_every", histogram_every, 0),
            ("num_images", num_images, 1),
        ):
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise ValueError(f"{name} is a whole number, at least {least}. Received: {value!r}.")
        self.log_dir = fspath(log_dir)
        self.images = None if images is None else np.asarray(images)[:_MAX_EXAMPLES]
        if self.images is not None and not self.images.size:
            raise ValueError(f"images needs examples [N, *event] to show. Received shape {self.images.shape}.")
        self.image_every = image_every
        self.histogram_every = histogram_every
        self.num_images = num_images
        self.seed = seed
        self._writers: dict[str, tf.summary.SummaryWriter] = {}
        self._views: ModelViews | None = None
        self._epoch_started: float | None = None
        self._steps_before = 0
        self._speed: tuple[str, float] | None = None

    def close(self) -> None:
        """Closes the event files; `fit` does it at its end, and after an exception the next `fit` does."""
        for writer in self._writers.values():
            writer.close()
        self._writers = {}

    # Hooks, in the order Keras calls them ----------------------------------------------------------------------------

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self.close()
        self._views = None
        if isinstance(self.model, VAE):
            if self.images is not None:
                self._check_images(self.model)
            self._views = ModelViews(self.model, num_samples=self.num_images, seed=self.seed)

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._speed = None
        self._steps_before = _optimizer_steps(self.model)
        self._epoch_started = time.perf_counter()

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        # Validation starts: training is over, and its metrics are not yet reset.
        self._measure_speed()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._measure_speed()
        # Of several workers, one writes.
        if not tf.distribute.get_strategy().extended.should_save_summary:
            return
        try:
            self._write_scalars(epoch + 1, logs or {})
            if self._views is not None:
                with self._writer("train").as_default(epoch + 1):
                    self._write_views(self._views, epoch + 1)
        except BaseException:
            self.close()
            raise
        for writer in self._writers.values():
            writer.flush()

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        self.close()

    # Writing ---------------------------------------------------------------------------------------------------------

    def _writer(self, run: str) -> tf.summary.SummaryWriter:
        # Made when first needed: a fit without validation has no such run.
        if run not in self._writers:
            self._writers[run] = tf.summary.create_file_writer(path.join(self.log_dir, run))
        return self._writers[run]

    def _write_scalars(self, step: int, logs: dict[str, Any]) -> None:
        numbers = {name: value for name, value in logs.items() if isinstance(value, int | float)}
        validation = {name[4:]: value for name, value in numbers.items() if name.startswith("val_")}
        training = {name: value for name, value in numbers.items() if not name.startswith("val_")}
        for run, scalars in (("train", {**self._state(), **training}), ("validation", validation)):
            if scalars:
                with self._writer(run).as_default(step):
                    for name, value in scalars.items():
                        tf.summary.scalar(name, value)

    def _state(self) -> dict[str, float]:
        """What training ran with, beside the logs."""
        state = {}
        optimizer = getattr(self.model, "optimizer", None)
        if optimizer is not None:
            state["learning_rate"] = _as_float(optimizer.learning_rate)
        if isinstance(self.model, VAE):
            state["beta"] = _as_float(self.model.beta)
        if self._speed is not None:
            state[self._speed[0]] = self._speed[1]
        return state

    def _write_views(self, views: ModelViews, step: int) -> None:
        draws, counts = _is_due(step, self.image_every), _is_due(step, self.histogram_every)
        x = self._examples() if draws or counts else None
        if draws:
            self._write_picture("samples", _images.tile(views.samples()))
            if x is not None:
                shown = x[: self.num_images]
                self._write_picture("reconstructions", _images.beside(shown, views.reconstructions(shown)))
        if counts and x is not None:
            for name, values in views.posterior_statistics(x).items():
                finite = tf.boolean_mask(values, tf.math.is_finite(values))
                # One NaN would leave every bucket's edges NaN.
                if tf.size(finite) > 0:
                    tf.summary.histogram(f"posterior/{name}", finite)

    @staticmethod
    def _write_picture(name: str, picture: np.ndarray) -> None:
        tf.summary.image(name, picture[np.newaxis])

    def _examples(self) -> Any:
        """X to look at `[B, *event]`, or None."""
        images = self.images if self.images is not None else getattr(self.model, "preview_batch", None)
        return None if images is None else tf.convert_to_tensor(images[:_MAX_EXAMPLES])

    def _check_images(self, model: VAE) -> None:
        try:
            _inputs.check_static(tf.convert_to_tensor(self.images), model.event_shape)
        except ValueError as error:
            raise ValueError(f"VAETensorBoard(images=...) does not fit the model: {error}") from error

    # Speed -----------------------------------------------------------------------------------------------------------

    def _measure_speed(self) -> None:
        started, self._epoch_started = self._epoch_started, None
        if started is None:
            return
        # Both wait for the device to finish.
        examples, steps = _examples_seen(self.model), _optimizer_steps(self.model) - self._steps_before
        seconds = time.perf_counter() - started
        if examples:
            self._speed = ("images_per_second", examples / seconds)
        elif steps > 0:
            self._speed = ("steps_per_second", steps / seconds)


def _is_due(step: int, interval: int) -> bool:
    return interval > 0 and step % interval == 0


def _as_float(value: Any) -> float:
    return float(keras.ops.convert_to_numpy(value))


def _optimizer_steps(model: keras.Model) -> int:
    optimizer = getattr(model, "optimizer", None)
    return 0 if optimizer is None else int(keras.ops.convert_to_numpy(optimizer.iterations))


def _examples_seen(model: keras.Model) -> float:
    """The examples of this epoch, 0 where unknown.

    Keras' and our own steps weigh the running loss by them; in a step of the user's, a metric may count anything.
    """
    if type(model).train_step in (keras.Model.train_step, VAE.train_step):
        for metric in model.metrics:
            if metric.name == "loss" and isinstance(metric, keras.metrics.Mean):
                return _as_float(metric.count)
    return 0.0
