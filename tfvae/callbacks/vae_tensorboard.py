"""TensorBoard for a VAE."""

from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfvae._activity import collapse
from tfvae._checks import whole_number
from tfvae.callbacks._tensorboard import hyperparameters
from tfvae.callbacks._tensorboard.embedding import Embedding
from tfvae.callbacks._tensorboard.examples import Examples
from tfvae.callbacks._tensorboard.intervals import EVERY, intervals
from tfvae.callbacks._tensorboard.latents import ACTIVITY, KL, LatentHistory, num_active
from tfvae.callbacks._tensorboard.pictures import PICTURES, Seen
from tfvae.callbacks._tensorboard.speed import Speed, optimizer_steps
from tfvae.callbacks._tensorboard.step_profile import StepProfile, checked_steps
from tfvae.callbacks._tensorboard.summaries import Summaries
from tfvae.callbacks._tensorboard.views import ModelViews
from tfvae.data import ShardedSplit, Split, Splits
from tfvae.models import VAE
from tfvae.typing import TensorLike

_NUM_FOR_GRADIENT = 128  # examples; a step's work


class VAETensorBoard(keras.callbacks.Callback):
    """Writes what a VAE's training is judged by for TensorBoard: the bound and its terms, pictures, the latents.

    `keras.callbacks.TensorBoard` shows weights; both can be used together. Two runs are written, `log_dir/train` and
    `log_dir/validation`, whose equal tags TensorBoard draws on one chart:

    * scalars, after every epoch: everything in its logs (`elbo`, `log_likelihood`, `kl`, `loss`; validation without its
      `val_`) and `images_per_second` (training without validation, validation by itself; compilation slows the first
      epoch), or `steps_per_second` for a model with a `train_step` of its own; in `train` also `learning_rate` and
      `beta`.

    All else is in `train`, each view at its own interval (`every`), and once more when training ends:

    * `gradient_norm`: of the loss in all trained weights, on the first 128 examples with the same noise in every epoch;
      before any clipping.
    * `latents`: the scalar `active_units`, those dimensions in which E[z|x] varies over the examples by more than 0.01;
      the text `latents/collapse`, which says whether the posterior has collapsed; and `log_dir/latents.csv`, the KL and
      the activity of each dimension.
    * `heat_map`: a picture of that table, dimensions against epochs.
    * `histograms`: `posterior/mean`, `posterior/stddev`, and, where the KL has a closed form,
      `posterior/kl_per_dimension` (nats, batch mean), in which unused dimensions are those at 0.
    * `pictures`: how they are to be read, once, for data that are not images in [0, 1]: a line a channel of a series, a
      bar a column of a table, and what black and white stand for.
    * pictures, means of p(x|z) with the same noise in every epoch, so that the eye can follow one: `reconstructions`
      (originals, theirs below), `samples` (of the prior), `posterior_samples` (rows of an original and what several z
      from its q(z|x) decode to), `traversals` (rows that move one dimension from -3 to 3), `interpolations` (rows from
      one example's E[z|x] to another's), `manifold` (for two latent dimensions, a grid even in prior probability).
    * `projector`: E[z|x] in the Embedding Projector, with labels and thumbnails; the newest alone is kept.
    * `graph`: how p(x|z) comes from x, once.
    * `hparams`: in `log_dir` itself and once, what the run is told apart by in the HParams table.

    The step of a summary is the number of epochs finished, as Keras prints it: 1 after the first one. A fit that
    resumes with `initial_epoch` in the same `log_dir` continues the same curves. Every epoch is on disk when it ends,
    so that a run that fails keeps what it had.

    Training is the same, bit for bit, with and without this callback. Of several workers one writes. Models other than
    a `tfvae.models.VAE` get their scalars.

    Args:
        log_dir: where the runs are written.
        images: what to look at: data `[N, *event]`, scaled as the model takes it; `(data, labels)`; a dictionary as
            `fit` takes it; a split of `tfvae.data`, or splits, of which it is the validation data; or a data set of
            batches, which is read from its beginning. The first `num_images` are reconstructed, the first 1024 make
            statistics and the Projector. None takes the model's `preview_batch`, a batch of what it is fitted on;
            without that either only samples are drawn.
        every: epochs between two of a view, which is written when they divide the step: one number for all views, or
            numbers by name, over those of `VAETensorBoard.EVERY`; 0 for never.
        num_images: how many reconstructions, and how many samples.
        profile_steps: the first and the last step to profile, counted over a fit from 1; None for none. TensorBoard
            shows the profile where the package `tensorboard-plugin-profile` is installed.
        hparams: settings by name for the HParams table, beside the model's own, which it says itself.
        seed: the seed of the noise in what is drawn; the model's own random numbers are left alone.

    Raises:
        TypeError: for `images` that are a generator, or no data.
        ValueError: for a log_dir that is a file, a view that does not exist, a negative interval, fewer than one image,
            labels of another length, steps in the wrong order, or `images` that the model does not take.

    Example:
        >>> splits = tfvae.data.load("digits")
        >>> board = tfvae.callbacks.VAETensorBoard("logs", splits.test, every={"projector": 5, "traversals": 0})
    """

    EVERY = EVERY

    knows_executions = True  # a profile begins and ends with calls, however many steps they make

    def __init__(
        self,
        log_dir: str | PathLike[str],
        images: TensorLike
        | tuple[TensorLike, TensorLike]
        | Mapping[str, TensorLike]
        | Split
        | ShardedSplit
        | Splits
        | tf.data.Dataset
        | None = None,
        every: int | Mapping[str, int] | None = None,
        num_images: int = 32,
        profile_steps: tuple[int, int] | None = None,
        hparams: Mapping[str, Any] | None = None,
        seed: int = 0,
    ):
        super().__init__()
        self.log_dir = Path(log_dir)
        if self.log_dir.is_file():
            raise ValueError(f"log_dir is a folder, but {log_dir} is a file. Choose another path, or remove the file.")
        self.every = intervals(every)
        self.num_images = whole_number(num_images, "num_images")
        self.profile_steps = checked_steps(profile_steps)
        self.hparams = dict(hparams or {})
        self.seed = seed
        self._examples = Examples.of(images)
        self._writers: dict[str, tf.summary.SummaryWriter] = {}
        self._speed = Speed()
        self._views: ModelViews | None = None
        self._embedding: Embedding | None = None
        self._history: LatentHistory | None = None
        self._profile = StepProfile("", None)
        self._steps_before = 0
        self._is_new = True
        self._finished: tuple[int, dict[str, Any]] = (0, {})
        self._written: dict[str, int] = {}
        self._is_described = False

    def close(self) -> None:
        """Closes the event files; `fit` does it at its end, and after an exception the next `fit` does."""
        self._profile.stop()
        for writer in self._writers.values():
            writer.close()
        self._writers = {}

    # Hooks, in the order Keras calls them ----------------------------------------------------------------------------

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self.close()
        self._views, self._embedding, self._history = None, None, None
        self._written, self._is_described = {}, False
        self._is_new = not any(self.log_dir.glob("*/events.*"))
        self._steps_before = optimizer_steps(self.model)
        if _is_chief():
            self._profile = StepProfile(str(self.log_dir / "train"), self.profile_steps)
        if isinstance(self.model, VAE):
            self._examples.check(self.model)
            self._views = ModelViews(self.model, seed=self.seed)

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if self._history is None:
            self._is_new = self._is_new or epoch == 0
            self._history = LatentHistory(self.log_dir / "latents.csv")
            if _is_chief():
                self._history.take_up(epoch)
        self._speed.training_begins(self.model)

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        if self._profile.is_waiting:
            execution = getattr(self.model, "execution", None)
            num_steps = self.model.steps_per_execution if execution is None else execution.num_steps
            self._profile.before(optimizer_steps(self.model) - self._steps_before, num_steps)

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        if self._profile.is_waiting:
            self._profile.after(optimizer_steps(self.model) - self._steps_before)

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        # Validation starts: training is over, and its metrics are not yet reset.
        self._speed.training_ends(self.model)

    def on_test_end(self, logs: dict[str, Any] | None = None) -> None:
        self._speed.validation_ends(self.model)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._speed.training_ends(self.model)
        if not _is_chief():
            return
        step, logs = epoch + 1, logs or {}
        self._finished = step, logs
        is_last = step == (self.params or {}).get("epochs")
        due = [name for name, every in self.every.items() if every and (step % every == 0 or is_last)]
        self._write(step, logs, due, with_scalars=True)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        step, last_logs = self._finished
        # Of a fit that ended early, what the last epoch left out.
        missing = [name for name, every in self.every.items() if every and self._written.get(name) != step]
        if _is_chief() and self._writers and missing:
            self._write(step, last_logs, missing, with_scalars=False)
        self.close()

    # Writing ---------------------------------------------------------------------------------------------------------

    def _write(self, step: int, logs: dict[str, Any], views: list[str], *, with_scalars: bool) -> None:
        try:
            if with_scalars:
                self._write_scalars(step, logs)
            if self._is_new and "hparams" in views and "hparams" not in self._written:
                settings = {**hyperparameters.of_model(self.model), **self.hparams}
                with self._writer("").as_default():  # above the runs whose curves it goes with
                    hyperparameters.write(self.log_dir, settings, step)
            with self._writer("train").as_default(step):
                if self._views is not None:
                    self._write_views(self.model, self._views, views, step, logs)
        except BaseException:
            self.close()
            raise
        self._written |= dict.fromkeys(views, step)
        for writer in self._writers.values():
            writer.flush()

    def _writer(self, run: str) -> tf.summary.SummaryWriter:
        # Made when first needed: a fit without validation has no such run.
        if run not in self._writers:
            self._writers[run] = tf.summary.create_file_writer(str(self.log_dir / run))
        return self._writers[run]

    def _write_scalars(self, step: int, logs: dict[str, Any]) -> None:
        numbers = {name: value for name, value in logs.items() if isinstance(value, int | float)}
        validation = {name[4:]: value for name, value in numbers.items() if name.startswith("val_")}
        training = {name: value for name, value in numbers.items() if not name.startswith("val_")}
        training = {**self._state(), **self._speed.of_training, **training}
        for run, scalars in (("train", training), ("validation", {**self._speed.of_validation, **validation})):
            if scalars:
                summaries = Summaries()
                summaries.add_scalars(scalars)
                with self._writer(run).as_default():
                    summaries.write(step)

    def _state(self) -> dict[str, float]:
        """What training ran with, beside the logs."""
        state = {}
        optimizer = getattr(self.model, "optimizer", None)
        if optimizer is not None:
            state["learning_rate"] = float(keras.ops.convert_to_numpy(optimizer.learning_rate))
        if isinstance(self.model, VAE):
            state["beta"] = float(keras.ops.convert_to_numpy(self.model.beta))
        return state

    def _write_views(self, model: VAE, views: ModelViews, names: list[str], step: int, logs: dict[str, Any]) -> None:
        x = self._examples.batch(model) if set(names) - {"samples", "hparams"} else None
        summaries = Summaries()
        if x is not None:
            if self._is_new and "graph" in names and "graph" not in self._written:
                tf.summary.graph(views.graph(x))
            if "gradient_norm" in names:
                summaries.add_scalars({"gradient_norm": views.gradient_norm(x[:_NUM_FOR_GRADIENT])})
        needs_encoding = set(names) - {"samples", "hparams", "graph", "gradient_norm"}
        encoding = views.encode(x) if x is not None and needs_encoding else None
        seen = Seen(views, self.num_images, x, encoding)
        pictures = {name: draw(seen) for name, draw in PICTURES.items() if name in names}
        if encoding is not None:
            if "histograms" in names:
                for name, values in encoding.statistics.items():
                    summaries.add_histogram(f"posterior/{name}", values)
            if "latents" in names:
                self._add_latents(summaries, seen, step, logs)
            if "heat_map" in names and self._history is not None:
                pictures["latents/heat_map"] = self._history.picture()
            if "projector" in names and seen.means is not None and np.isfinite(seen.means).all():
                if self._embedding is None:
                    self._embedding = Embedding(self.log_dir / "train", np.asarray(x), self._examples.labels)
                self._embedding.write(seen.means)
        if pictures.keys() & PICTURES.keys() and self._is_new and not self._is_described:
            self._is_described = True
            if seen.display.words():
                summaries.add_text("pictures", seen.display.words())
        summaries.write(step)
        for name, picture in pictures.items():
            if picture is not None:
                tf.summary.image(name, picture[np.newaxis])

    def _add_latents(self, summaries: Summaries, seen: Seen, step: int, logs: dict[str, Any]) -> None:
        """What each dimension does, and whether all of them have stopped to."""
        statistics = seen.encoding.statistics  # type: ignore[union-attr]
        columns = {}
        if "kl_per_dimension" in statistics:
            columns[KL] = statistics["kl_per_dimension"].numpy()
        units = None
        if seen.means is not None and "mean" in statistics and len(seen.means) > 1:
            columns[ACTIVITY] = seen.means.var(axis=0, ddof=1, dtype=np.float64)
            units = num_active(columns[ACTIVITY]), len(columns[ACTIVITY])
            summaries.add_scalars({"active_units": units[0]})
        if columns and self._history is not None:
            self._history.add(step, columns)
        rate = logs.get("val_kl", logs.get("kl"))
        if rate is not None and np.isfinite(rate):
            summaries.add_text("latents/collapse", collapse(rate, units)[1])


def _is_chief() -> bool:
    return bool(tf.distribute.get_strategy().extended.should_save_summary)
