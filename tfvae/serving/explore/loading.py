"""Loading in a thread, so that a page is ready before everything behind it is."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

T = TypeVar("T")


class Loading(Generic[T]):
    """Calls a function once, in a thread that does not keep the process alive.

    Args:
        load: Function that returns what is loaded.

    Attributes:
        future: The result, which is not computed before `start`.
    """

    def __init__(self, load: Callable[[], T]):
        self._load, self.future = load, Future[T]()
        self._lock, self._has_started = threading.Lock(), False

    def start(self) -> Future[T]:
        """Starts the thread, unless it has been started. Returns the future result."""
        with self._lock:
            if not self._has_started:
                self._has_started = True
                threading.Thread(target=self._run, name="loading", daemon=True).start()
        return self.future

    def result(self) -> T:
        """Waits for the result. Raises the error of the function if there was one."""
        return self.start().result()

    def _run(self) -> None:
        try:
            self.future.set_result(self._load())
        except BaseException as error:
            self.future.set_exception(error)
