"""The half of a VAE that trains: Keras' `compile`, `fit` and `evaluate`, for a bound."""

import contextlib
from collections.abc import Iterator
from typing import Any, Literal

import keras
import numpy as np
import tensorflow as tf

from tfvae._checks import whole_number
from tfvae.estimators import Estimate, Estimator
from tfvae.models import _checks, _distributed, _inputs, _one_device, _parts, _steps
from tfvae.models._fed_model import FedModel
from tfvae.models._functions import Functions
from tfvae.models._loop import Execution
from tfvae.models._progress import expect_end
from tfvae.models._rows import Rows
from tfvae.models._stop_on_non_finite import StopOnNonFinite
from tfvae.typing import Seed, Tensor

# Callbacks that stop at a loss that is not finite, each in its own way.
_STOPPING = (StopOnNonFinite, keras.callbacks.TerminateOnNaN)


class TrainedModel(FedModel):
    """A Keras model that maximises the bound of `estimate`.

    `VAE` says what is trained: its estimator, its `beta`, the shape and support of its data, and `estimate`.

    Args:
        **kwargs: of `keras.Model`.
    """

    estimator: Estimator
    beta: Any
    # Keras' own.
    train_function: Any
    test_function: Any
    steps_per_execution: int

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        self._as_compiled: dict[str, Any] = {"jit_compile": "auto", "steps_per_execution": "auto"}
        self._functions = Functions(self)
        self.execution = Execution()  # what `fit`, its callbacks and the compiled loop tell one another
        # What a monitor may draw: the first examples of the last `fit`, of its validation data where there are any.
        self.preview_batch: Any = None

    def estimate(self, x: Tensor, *, training: bool = False, seed: Seed = None) -> Estimate:
        """The estimator's view of a batch."""
        raise NotImplementedError

    def compile(
        self,
        optimizer: Any = "adam",
        *,
        jit_compile: bool | Literal["auto"] = "auto",
        steps_per_execution: int | Literal["auto"] = "auto",
        **kwargs: Any,
    ) -> None:
        """Chooses the optimizer, and how steps are run; other arguments are those of `keras.Model.compile`.

        Args:
            optimizer: a Keras optimizer, or its name.
            jit_compile: whether XLA compiles the steps; "auto" leaves it out where it is the slower choice (for
                convolutions on a CPU) or impossible, and says so in the log `tfvae`.
            steps_per_execution: steps that one compiled program makes between callbacks; "auto" makes many, or one
                where a callback looks at every batch (has one of the hooks for batches, and no attribute
                `knows_executions = True`). With callbacks that have a number `every_steps`, calls end about there.
            **kwargs: `run_eagerly`, `auto_scale_loss`.

        Raises:
            ValueError: for a loss or metrics: the loss is the estimator's, and the metrics are its terms.
        """
        _parts.refuse_losses(kwargs, self.estimator)
        is_auto = steps_per_execution == "auto"
        steps = 1 if is_auto else whole_number(steps_per_execution, "steps_per_execution")
        super().compile(optimizer=optimizer, jit_compile=jit_compile, steps_per_execution=steps, **kwargs)
        self._as_compiled = {"jit_compile": jit_compile, "steps_per_execution": steps_per_execution}
        self._functions = Functions(self)

    def get_compile_config(self) -> dict[str, Any]:
        config = super().get_compile_config()
        return {**config, **self._as_compiled} if config else config

    def make_train_function(self, force: bool = False) -> None:
        if force or self.train_function is None or self._functions.are_of_another_model("train"):
            super().make_train_function(force=True)
            if self.built and not self.optimizer.built:  # else the first step is traced twice
                self.optimizer.build(self.trainable_variables)
            self.train_function = self._functions.train(self.train_function, force=force)

    def make_test_function(self, force: bool = False) -> None:
        if force or self.test_function is None or self._functions.are_of_another_model("test"):
            super().make_test_function(force=True)
            self.test_function = self._functions.test(self.test_function, force=force)

    @property
    def asked_jit_compile(self) -> bool | Literal["auto"]:
        """As `compile` was told; `jit_compile` is what Keras makes of it."""
        return self._as_compiled["jit_compile"]

    @contextlib.contextmanager
    def _calls_of(self, num_steps: int, rows: Rows | None = None) -> Iterator[None]:
        """Sets the steps of a call and where batches come from, for a fit or an evaluation.

        An evaluation within a fit, by a callback, leaves the fit's own as they were.
        """
        before = vars(self.execution).copy()
        functions = self.train_function, self.test_function, self.steps_per_execution
        if self._as_compiled["steps_per_execution"] != "auto":
            num_steps = self.steps_per_execution
        vars(self.execution).update(vars(Execution(num_steps, rows=rows, is_running=True)))
        self.train_function, self.test_function, self.steps_per_execution = None, None, num_steps
        try:
            yield
        finally:
            if before["is_running"]:
                vars(self.execution).update(before)
                self.train_function, self.test_function, self.steps_per_execution = functions
            else:
                self.execution.rows, self.execution.is_running = None, False
                self.steps_per_execution = functions[-1]  # `predict` has it too

    def _maybe_symbolic_build(self, iterator: Any = None, data_batch: Any = None) -> None:
        if iterator is not None and iterator.num_batches is None:
            expect_end(iterator)
        # Keras would take a batch for it, and of several workers one that it cannot handle.
        if not self.built or self._distribute_strategy is None:
            super()._maybe_symbolic_build(iterator, data_batch)
        elif not self.optimizer.built:
            with self.distribute_strategy.scope():
                self.optimizer.build(self.trainable_variables)

    def compile_from_config(self, config: dict[str, Any]) -> None:
        self.compile(**keras.saving.deserialize_keras_object(config))
        if self.built:
            self.optimizer.build(self.trainable_variables)

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """The four running means; Keras resets them before each epoch."""
        return self._bound_metrics.means

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: Any = "auto",
        callbacks: Any = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool = True,
        class_weight: dict[int, float] | None = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        **kwargs: Any,
    ) -> keras.callbacks.History:
        """As `keras.Model.fit`, for arrays, or data sets of `x`, of `(x, y)` or of dictionaries with an image entry.

        Data frames of numbers and SciPy's sparse matrices are taken as arrays. Arrays are checked whole, data sets by
        their first batch, and every batch within the steps against the likelihood's support. Data far from where a
        normal likelihood starts give a UserWarning. `sample_weight` is one weight an example, `[N]` or `[N, 1]`; in a
        data set it is the third part of an element.

        Raises:
            ValueError: for integer data, masked, missing, NaN or infinite values, values outside the likelihood's
                support, examples of several shapes or another than the model's, weights that are not one an example,
                or no examples.
            NonFiniteLossError: when the loss turns NaN or infinite, as `tfvae.callbacks.StopOnNonFinite` does, unless
                `keras.callbacks.TerminateOnNaN` is among the callbacks.
        """
        if x is None:
            raise ValueError("fit needs data: an array, or a data set of x. Received: None.")
        x = _inputs.standardized(x, self.event_shape)
        validation_data = _inputs.standardized_validation(validation_data, self.event_shape)
        preview = self.check_data(x)
        validation_preview = self.check_data(validation_data)
        if preview is not None:
            _checks.warn_of_scale(preview, self._likelihood_layer, self._standard_scores)
        self.preview_batch = _inputs.preview(preview if validation_preview is None else validation_preview)
        sample_weight = _inputs.weights_of(x, sample_weight)
        x, y, _ = _inputs.with_targets(x, y, sample_weight)
        x, validation_data = _distributed.for_workers(self, x, validation_data)
        together = _steps.listed(callbacks)
        rows = None
        if self._functions.can_loop and y is None and not validation_split:
            rows = _inputs.rows(x, batch_size, shuffle, self.variable_dtype)
        if rows is not None:
            x, batch_size, preview = rows.stand_in(), None, np.zeros(1)
            steps_per_epoch = steps_per_epoch or rows.num_batches
        num_steps = _steps.steps_per_call(x, preview, batch_size, steps_per_epoch, together)
        callbacks = _steps.with_callbacks(
            callbacks,
            _steps.EpochEnd(self.execution, steps_per_epoch, validation_steps),
            *self._guards(),
            *([] if any(isinstance(one, _STOPPING) for one in together) else [StopOnNonFinite()]),
            verbose=verbose,
        )
        with _steps.introduced(together), self._calls_of(num_steps, rows), _inputs.naming_shapes(self.event_shape):
            return super().fit(
                self._ahead(x),
                y,
                batch_size=batch_size,
                epochs=epochs,
                verbose=verbose,
                callbacks=callbacks,
                validation_split=validation_split,
                validation_data=self._ahead(validation_data),
                shuffle=shuffle and not isinstance(x, tf.data.Dataset),  # it shuffles itself; Keras would warn
                class_weight=class_weight,
                sample_weight=sample_weight,
                initial_epoch=initial_epoch,
                steps_per_epoch=steps_per_epoch,
                validation_steps=validation_steps,
                **kwargs,
            )

    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        verbose: Any = "auto",
        sample_weight: Any = None,
        steps: int | None = None,
        callbacks: Any = None,
        **kwargs: Any,
    ) -> Any:
        """As `keras.Model.evaluate`; the data are checked as `fit` does."""
        if x is None:
            raise ValueError("evaluate needs data: an array, or a data set of x. Received: None.")
        x = _inputs.standardized(x, self.event_shape)
        sample_weight = _inputs.weights_of(x, sample_weight)
        x, y, _ = _inputs.with_targets(x, y, sample_weight)
        (x,) = _distributed.for_workers(self, x)
        arguments = {"batch_size": batch_size, "verbose": verbose, "sample_weight": sample_weight, "steps": steps}
        if kwargs.get("_use_cached_eval_dataset"):  # it is `fit` that asks
            return super().evaluate(x, y, callbacks=callbacks, **arguments, **kwargs)
        example = self.check_data(x)
        num_steps = _steps.steps_per_call(x, example, batch_size, steps, _steps.listed(callbacks))
        with self._calls_of(num_steps), _inputs.naming_shapes(self.event_shape):
            callbacks = _steps.with_callbacks(
                callbacks, _steps.EpochEnd(self.execution, None, steps), *self._guards(), verbose=verbose
            )
            return super().evaluate(self._ahead(x), y, callbacks=callbacks, **arguments, **kwargs)

    def _ahead(self, data: Any) -> Any:
        """A data set that makes the batches of the next call while those of this one are trained on."""
        if isinstance(data, tf.data.Dataset) and self._functions.can_loop:
            return data.prefetch(self.execution.num_steps)
        return data

    def train_step(self, data: Any) -> dict[str, Tensor]:
        return _steps_of_strategy().train_step(self, data)

    def test_step(self, data: Any) -> dict[str, Tensor]:
        return _steps_of_strategy().test_step(self, data)

    def loss_of(self, estimate: Estimate, sample_weight: Tensor | None = None) -> Tensor:
        """What is minimised, for the estimate of a batch: the mean of the surrogate, and the networks' own terms."""
        surrogate = estimate.surrogate_loss
        if sample_weight is not None:
            surrogate = surrogate * tf.cast(sample_weight, surrogate.dtype)
        return tf.add_n([tf.reduce_mean(surrogate), *(tf.cast(term, surrogate.dtype) for term in self.losses)])


def _steps_of_strategy() -> Any:
    return _distributed if tf.distribute.get_strategy().num_replicas_in_sync > 1 else _one_device
