"""A profile of chosen steps."""

import tensorflow as tf

from tfvae._checks import whole_number


class StepProfile:
    """Records what the device does in some steps of a fit, for TensorBoard's Profile page.

    Args:
        log_dir: the run that it belongs to.
        steps: the first and the last step, counted over the fit from 1; of a call of many steps, all of them.
    """

    def __init__(self, log_dir: str, steps: tuple[int, int] | None):
        self._log_dir = log_dir
        self._steps = steps
        self._is_on = False
        self._is_done = steps is None

    @property
    def is_waiting(self) -> bool:
        """Whether steps to record are still to come, or to end."""
        return not self._is_done

    def before(self, num_done: int, num_steps: int) -> None:
        """Told before each call of at most `num_steps` steps, after `num_done` of the fit."""
        if self._steps is not None and not self._is_on and num_done + num_steps >= self._steps[0]:
            tf.profiler.experimental.start(self._log_dir)
            self._is_on = True

    def after(self, num_done: int) -> None:
        """Told after each call."""
        if self._steps is not None and num_done >= self._steps[1]:
            self.stop()

    def stop(self) -> None:
        """Writes what there is."""
        if self._is_on:
            tf.profiler.experimental.stop()
            self._is_on = False
        self._is_done = True


def checked_steps(steps: tuple[int, int] | None) -> tuple[int, int] | None:
    """The steps to profile, checked."""
    if steps is None:
        return None
    try:
        first, last = (whole_number(step, "profile_steps") for step in steps)
    except (TypeError, ValueError):
        first, last = 1, 0
    if last < first:
        raise ValueError(
            f"profile_steps are the first and the last step to profile, from 1, as in (101, 200). Received: {steps!r}."
        )
    return first, last
