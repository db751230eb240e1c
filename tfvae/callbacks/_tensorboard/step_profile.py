"""Profile of selected training steps."""

import tensorflow as tf

from tfvae._checks import whole_number


class StepProfile:
    """Records the device activity of some steps of a fit, for TensorBoard's Profile page.

    Args:
        log_dir: Folder of the run.
        steps: First and last step, counted over the fit from 1. A call that makes several steps is recorded as a whole.
    """

    def __init__(self, log_dir: str, steps: tuple[int, int] | None):
        self._log_dir = log_dir
        self._steps = steps
        self._is_on = False
        self._is_done = steps is None

    @property
    def is_waiting(self) -> bool:
        """Whether the recording has not started or not ended yet."""
        return not self._is_done

    def before(self, num_done: int, num_steps: int) -> None:
        """Called before each call of at most `num_steps` steps, when `num_done` steps of the fit are done."""
        if self._steps is not None and not self._is_on and num_done + num_steps >= self._steps[0]:
            tf.profiler.experimental.start(self._log_dir)
            self._is_on = True

    def after(self, num_done: int) -> None:
        """Called after each call, when `num_done` steps of the fit are done."""
        if self._steps is not None and num_done >= self._steps[1]:
            self.stop()

    def stop(self) -> None:
        """Stops the recording and writes it, if it has started."""
        if self._is_on:
            tf.profiler.experimental.stop()
            self._is_on = False
        self._is_done = True


def checked_steps(steps: tuple[int, int] | None) -> tuple[int, int] | None:
    """Returns the steps to profile.

    Raises:
        ValueError: If they are not two integers of at least 1, in order.
    """
    if steps is None:
        return None
    try:
        first, last = (whole_number(step, "profile_steps") for step in steps)
    except (TypeError, ValueError):
        first, last = 1, 0
    if last < first:
        raise ValueError(
            "`profile_steps` must be a first and a last step to profile, counted from 1, such as (101, 200). "
            f"Received: profile_steps={steps!r}"
        )
    return first, last
