"""`fit` and `evaluate` for the data of a VAE."""

import contextlib
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfvae.data.batches import Batches
from tfvae.execution import Execution
from tfvae.execution.callback_lists import listed, sharing_callbacks, with_callbacks
from tfvae.execution.device_batches import DeviceBatches
from tfvae.execution.plan import EpochEnd, steps_per_call
from tfvae.execution.progress import expect_end
from tfvae.execution.replicas import for_workers
from tfvae.execution.stacked_batches import StackedBatches
from tfvae.models import _checks, _inputs, training_step
from tfvae.models._compiled_model import CompiledModel
from tfvae.models._stop_on_non_finite import StopOnNonFinite
from tfvae.models.missing import observed_part
from tfvae.typing import Tensor

# Callbacks that stop training at a loss that is not finite.
_STOPPING = (StopOnNonFinite, keras.callbacks.TerminateOnNaN)


class TrainedModel(CompiledModel):
    """Keras model with `fit` and `evaluate` for the data of a VAE.

    Args:
        **kwargs: Arguments of `keras.Model`.
    """

    # Attribute of `keras.Model`.
    steps_per_execution: int

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        # Examples that callbacks draw: the first validation examples of the last `fit`, or the first training examples.
        self.preview_batch: Any = None

    @contextlib.contextmanager
    def _configured_execution(
        self, num_steps: int, batches: DeviceBatches | None = None, validation: StackedBatches | None = None
    ) -> Iterator[None]:
        """Sets the steps per call and the source of batches during a fit or an evaluation.

        After an evaluation within `fit`, called by a callback, the settings of the fit are restored.
        """
        before = vars(self.execution).copy()
        functions = self.train_function, self.test_function, self.steps_per_execution
        if self._compile_arguments["steps_per_execution"] != "auto":
            num_steps = self.steps_per_execution
        vars(self.execution).update(vars(Execution(num_steps, batches=batches, validation=validation, is_running=True)))
        self.train_function, self.test_function, self.steps_per_execution = None, None, num_steps
        try:
            yield
        finally:
            if before["is_running"]:
                vars(self.execution).update(before)
                self.train_function, self.test_function, self.steps_per_execution = functions
            else:
                self.execution.batches, self.execution.validation = None, None
                self.execution.is_running = False
                self.steps_per_execution = functions[-1]  # `predict` uses it too

    def _maybe_symbolic_build(self, iterator: Any = None, data_batch: Any = None) -> None:
        if iterator is not None and iterator.num_batches is None:
            expect_end(iterator)
        # Keras would consume a batch, and cannot handle a batch of several workers.
        if not self.built or self._distribute_strategy is None:
            super()._maybe_symbolic_build(iterator, data_batch)
        else:
            self.build_optimizer()

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
        """Trains the model on an array, or a data set of `x`, `(x, y)` or dictionaries with an image entry.

        The arguments are those of `keras.Model.fit`. Numeric data frames and sparse matrices of SciPy are converted to
        arrays. An array is checked completely, a data set by its first batch. In addition, the steps check the support
        of the likelihood for every batch. Data far from the initial location and scale of a normal likelihood cause a
        UserWarning. `sample_weight` has one weight per example, `[N]` or `[N, 1]`. In a data set it is the third entry
        of an element.

        Raises:
            ValueError: If there are no examples, values are integers, masked, missing, NaN, infinite or outside the
                support of the likelihood, examples differ in shape or do not have the event shape of the model, or
                there is not one weight per example.
            NonFiniteLossError: If the loss becomes NaN or infinite, unless `keras.callbacks.TerminateOnNaN` is among
                the callbacks. See `tfvae.callbacks.StopOnNonFinite`.
        """
        if x is None:
            raise ValueError("`fit` requires data: an array or a data set of x. Received: x=None")
        x = _inputs.standardized(x, self.event_shape)
        validation_data = _inputs.standardized_validation(validation_data, self.event_shape)
        preview = self.check_data(x)
        validation_preview = self.check_data(validation_data)
        if preview is not None:
            filled = observed_part(preview, None, self.missing).x
            _checks.warn_about_scale(filled, self._likelihood_layer, self._standard_scores)
        self.preview_batch = _inputs.preview(preview if validation_preview is None else validation_preview)
        sample_weight = _inputs.weights_of(x, sample_weight)
        x, y, _ = _inputs.with_targets(x, y, sample_weight)
        together = listed(callbacks)
        batches = None
        can_keep = self._step_functions.can_loop or (self._step_functions.can_keep_splits and isinstance(x, Batches))
        if can_keep and y is None and not validation_split:
            batches = _inputs.device_batches(x, batch_size, shuffle, self.variable_dtype)
        x, validation_data = for_workers(self, x, validation_data)
        if batches is not None:
            x, batch_size, preview = batches.placeholder(), None, np.zeros(1)
            steps_per_epoch = steps_per_epoch or batches.num_batches
        validation = None
        if self._step_functions.can_loop and validation_steps is None:
            validation = _inputs.validation_batches(validation_data)
        if validation is not None:
            validation_data, validation_steps = DeviceBatches.placeholder(), validation.num_batches
        num_steps = steps_per_call(x, preview, batch_size, steps_per_epoch, together)
        callbacks = with_callbacks(
            callbacks,
            EpochEnd(self.execution, steps_per_epoch, validation_steps),
            *self._data_check_callbacks(),
            *([] if any(isinstance(one, _STOPPING) for one in together) else [StopOnNonFinite()]),
            verbose=verbose,
        )
        with (
            sharing_callbacks(together),
            self._configured_execution(num_steps, batches, validation),
            _inputs.reporting_shapes(self.event_shape),
        ):
            return super().fit(
                self._prefetched(x),
                y,
                batch_size=batch_size,
                epochs=epochs,
                verbose=verbose,
                callbacks=callbacks,
                validation_split=validation_split,
                validation_data=validation_data if validation else self._prefetched(validation_data),
                shuffle=shuffle and not isinstance(x, tf.data.Dataset),  # Keras warns about shuffling a data set
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
        """Works like `keras.Model.evaluate`, with the checks of the data of `fit`."""
        if x is None:
            raise ValueError("`evaluate` requires data: an array or a data set of x. Received: x=None")
        x = _inputs.standardized(x, self.event_shape)
        sample_weight = _inputs.weights_of(x, sample_weight)
        x, y, _ = _inputs.with_targets(x, y, sample_weight)
        (x,) = for_workers(self, x)
        arguments = {"batch_size": batch_size, "verbose": verbose, "sample_weight": sample_weight, "steps": steps}
        if kwargs.get("_use_cached_eval_dataset"):  # called by `fit`
            return super().evaluate(x, y, callbacks=callbacks, **arguments, **kwargs)
        example = self.check_data(x)
        num_steps = steps_per_call(x, example, batch_size, steps, listed(callbacks))
        with self._configured_execution(num_steps), _inputs.reporting_shapes(self.event_shape):
            callbacks = with_callbacks(
                callbacks, EpochEnd(self.execution, None, steps), *self._data_check_callbacks(), verbose=verbose
            )
            return super().evaluate(self._prefetched(x), y, callbacks=callbacks, **arguments, **kwargs)

    def _prefetched(self, data: Any) -> Any:
        """Returns a data set that prepares the batches of the next call during training on those of this call."""
        if isinstance(data, tf.data.Dataset) and self._step_functions.can_loop:
            return data.prefetch(self.execution.num_steps)
        return data

    def train_step(self, data: Any) -> dict[str, Tensor]:
        return training_step.train_step(self, data)

    def test_step(self, data: Any) -> dict[str, Tensor]:
        return training_step.test_step(self, data)
