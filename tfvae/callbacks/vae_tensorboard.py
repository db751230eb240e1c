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
from tfvae.callbacks._tensorboard.examples import Examples, Images
from tfvae.callbacks._tensorboard.intervals import EVERY, intervals
from tfvae.callbacks._tensorboard.latents import ACTIVITY, KL, LatentHistory, num_active
from tfvae.callbacks._tensorboard.pictures import PICTURES, PictureInputs, pictures_of
from tfvae.callbacks._tensorboard.rows import texts_of
from tfvae.callbacks._tensorboard.speed import Speed
from tfvae.callbacks._tensorboard.step_profile import StepProfile, checked_steps
from tfvae.callbacks._tensorboard.summaries import Summaries
from tfvae.callbacks._tensorboard.views import ModelViews, views_of
from tfvae.execution.optimizer_state import learning_rate, num_updates
from tfvae.models import VAE
from tfvae.models.batch import rows_of

_NUM_FOR_GRADIENT = 128  # examples; a step's work


class VAETensorBoard(keras.callbacks.Callback):
    """Writes the training of a VAE to TensorBoard: the bound and its terms, pictures, and statistics of the latents.

    `keras.callbacks.TensorBoard` shows the weights; both callbacks can be used together. Two runs are written,
    `log_dir/train` and `log_dir/validation`. TensorBoard draws equal tags of both on one chart:

    * scalars, after every epoch: all logs (`elbo`, `log_likelihood`, `kl`, `loss`; for validation without `val_`), and
      `images_per_second` of training and of validation, or `steps_per_second` for a model with its own `train_step`.
      The first epoch includes compilation. `train` also has `learning_rate` and `beta`.

    All other views are in `train`. Each has its own interval (`every`) and is also written when training ends:

    * `gradient_norm`: norm of the gradient of the loss before clipping, on the first 128 examples and with the same
      noise in every epoch.
    * `latents`: the scalar `active_units`, the number of dimensions in which E[z|x] has a variance above 0.01 over the
      examples; the text `latents/collapse`, which says whether the posterior has collapsed; and `log_dir/latents.csv`,
      the KL and the activity of each dimension.
    * `heat_map`: a picture of that table, dimensions against epochs.
    * `histograms`: `posterior/mean`, `posterior/stddev` and, if the KL has a closed form, `posterior/kl_per_dimension`
      (nats, mean over the batch), which is 0 for unused dimensions.
    * pictures, means of p(x|z) with the same noise in every epoch: `reconstructions` (originals with their
      reconstructions below), `samples` (from the prior), `posterior_samples` (rows of an original and the decoded means
      of several z from q(z|x)), `traversals` (rows that move one dimension from -3 to 3), `interpolations` (rows from
      one example's E[z|x] to another's), `manifold` (for two latent dimensions, a grid of equal prior probability). For
      conditional models and models with class labels also `styles` (rows of one style from the prior in every class)
      and `analogies` (rows of an example and its style in every class). Rows of a table have no pictures: `samples` and
      `reconstructions` are texts with the values of each column.
    * `pictures`: a text that explains how to read the pictures, written once if the data are not images in [0, 1].
    * `projector`: E[z|x] in the Embedding Projector, with labels and thumbnails, or columns; only the newest is kept.
    * `graph`: the graph from x to p(x|z), written once.
    * `hparams`: settings of the run for the HParams table, written once, in `log_dir` itself.

    The step of a summary is the number of finished epochs: 1 after the first. A fit that resumes with `initial_epoch`
    in the same `log_dir` continues the curves. A run that fails keeps the summaries of all finished epochs. Training is
    the same, bit for bit, with and without this callback. With several workers, only the chief writes. Models that
    are no `tfvae.models.VAE`, and conditional models without the conditions of `images`, have scalars only.

    Args:
        log_dir: Folder of the two runs.
        images: Examples to show: data `[N, *event]` as the model takes them; `(data, labels)`; a dictionary as in
            `fit`; a split of `tfvae.data`; splits, whose validation data are used; or a data set of batches. The first
            `num_images` are reconstructed, the first 1024 are used for statistics and the Projector. None uses the
            model's `preview_batch`, a batch of the training data; without that too, only samples are drawn. For a
            conditional model, a split or a dictionary with the key "condition".
        every: Number of epochs between two writes of a view: one number for all views, or a dictionary of numbers by
            view that overrides `VAETensorBoard.EVERY`. 0 means never.
        num_images: Number of reconstructions and of samples.
        profile_steps: First and last step to profile, counted over the fit from 1. None profiles no step. TensorBoard
            shows the profile if the package `tensorboard-plugin-profile` is installed.
        hparams: Additional settings by name for the HParams table. Those of the model are included.
        seed: Seed of the noise in the pictures. `samples` and `reconstructions` show the means that belong to
            `vae.sample(num_images, seed=seed)` and `vae.reconstruct(x, seed=seed)`.

    Raises:
        TypeError: If `images` is a generator or contains no data.
        ValueError: If `log_dir` is a file, a view does not exist, an interval is negative, `num_images` is less than 1,
            the labels do not match the examples, `profile_steps` are not in order, or the model does not take `images`.

    Example:
        >>> splits = tfvae.data.load("digits")
        >>> board = tfvae.callbacks.VAETensorBoard("logs", splits.test, every={"projector": 5, "traversals": 0})
    """

    EVERY = EVERY

    knows_executions = True  # a profile begins and ends with calls, however many steps they make

    def __init__(
        self,
        log_dir: str | PathLike[str],
        images: Images | None = None,
        every: int | Mapping[str, int] | None = None,
        num_images: int = 32,
        profile_steps: tuple[int, int] | None = None,
        hparams: Mapping[str, Any] | None = None,
        seed: int = 0,
    ):
        super().__init__()
        self.log_dir = Path(log_dir)
        if self.log_dir.is_file():
            raise ValueError(
                f"`log_dir` must be a folder, not a file. Choose another path. Received: log_dir={log_dir}"
            )
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
        """Closes the event files. `fit` calls it at its end, and at its beginning in case the last one failed."""
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
        self._steps_before = num_updates(self.model)
        if _is_chief():
            self._profile = StepProfile(str(self.log_dir / "train"), self.profile_steps)
        if isinstance(self.model, VAE) and (self.model.condition_shape is None or self._examples.has_condition):
            self._examples.check(self.model)
            self._views = views_of(self.model, seed=self.seed)

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if self._history is None:
            self._is_new = self._is_new or epoch == 0
            self._history = LatentHistory(self.log_dir / "latents.csv")
            if _is_chief():
                self._history.resume(epoch)
        self._speed.training_begins(self.model)

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        if self._profile.is_waiting:
            execution = getattr(self.model, "execution", None)
            num_steps = self.model.steps_per_execution if execution is None else execution.num_steps
            self._profile.before(num_updates(self.model) - self._steps_before, num_steps)

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        if self._profile.is_waiting:
            self._profile.after(num_updates(self.model) - self._steps_before)

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        # Training is over, and its metrics are not reset yet.
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
        # If the fit ended early, some views have not been written in the last epoch.
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
                with self._writer("").as_default():  # in the folder above the two runs
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
        # Created on first use: a fit without validation has no such run.
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
        """Returns the values of learning rate and beta, which the logs do not have."""
        state = {}
        rate = learning_rate(self.model)
        if rate is not None:
            state["learning_rate"] = rate
        if isinstance(self.model, VAE):
            state["beta"] = float(keras.ops.convert_to_numpy(self.model.beta))
        return state

    def _write_views(self, model: VAE, views: ModelViews, names: list[str], step: int, logs: dict[str, Any]) -> None:
        needs_examples = set(names) - {"samples", "hparams"} or model.condition_shape is not None
        x = self._examples.batch(model) if needs_examples else None
        batch = None if x is None else self._examples.with_parts(model, x)
        given: Any = x if batch is None else batch
        summaries = Summaries()
        if x is not None:
            if self._is_new and "graph" in names and "graph" not in self._written:
                tf.summary.graph(views.graph(given))
            if "gradient_norm" in names:
                summaries.add_scalars({"gradient_norm": views.gradient_norm(rows_of(given, slice(_NUM_FOR_GRADIENT)))})
        needs_encoding = set(names) - {"samples", "hparams", "graph", "gradient_norm"}
        encoding = views.encode(given) if x is not None and needs_encoding else None
        inputs = PictureInputs(views, self.num_images, x, encoding, batch)
        pictures = pictures_of(inputs, names)
        summaries.add_texts(texts_of(inputs, names))
        if encoding is not None:
            if "histograms" in names:
                for name, values in encoding.statistics.items():
                    summaries.add_histogram(f"posterior/{name}", values)
            if "latents" in names:
                self._add_latents(summaries, inputs, step, logs)
            if "heat_map" in names and self._history is not None:
                pictures["latents/heat_map"] = self._history.picture()
            if "projector" in names and inputs.means is not None and np.isfinite(inputs.means).all():
                if self._embedding is None:
                    self._embedding = Embedding(self.log_dir / "train", given, self._examples.labels, views.schema)
                self._embedding.write(inputs.means)
        if pictures.keys() & PICTURES.keys() and self._is_new and not self._is_described:
            self._is_described = True
            summaries.add_texts({"pictures": inputs.display.caption()})
        summaries.write(step)
        for name, picture in pictures.items():
            if picture is not None:
                tf.summary.image(name, picture[np.newaxis])

    def _add_latents(self, summaries: Summaries, inputs: PictureInputs, step: int, logs: dict[str, Any]) -> None:
        """Adds the statistics of the dimensions, and whether the posterior has collapsed."""
        statistics = inputs.encoding.statistics  # type: ignore[union-attr]
        columns = {}
        if "kl_per_dimension" in statistics:
            columns[KL] = statistics["kl_per_dimension"].numpy()
        units = None
        if inputs.means is not None and "mean" in statistics and len(inputs.means) > 1:
            columns[ACTIVITY] = inputs.means.var(axis=0, ddof=1, dtype=np.float64)
            units = num_active(columns[ACTIVITY]), len(columns[ACTIVITY])
            summaries.add_scalars({"active_units": units[0]})
        if columns and self._history is not None:
            self._history.add(step, columns)
        rate = logs.get("val_kl", logs.get("kl"))
        if rate is not None and np.isfinite(rate):
            summaries.add_texts({"latents/collapse": collapse(rate, units)[1]})


def _is_chief() -> bool:
    return bool(tf.distribute.get_strategy().extended.should_save_summary)
