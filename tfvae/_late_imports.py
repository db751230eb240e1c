"""Late import of parts of Keras, TensorFlow and TFP that few programs use.

`keras.wrappers` imports scikit-learn, `keras.visualization` imports pyplot, `tf.lite` imports converters, and a
log-density of TFP imports `tfp.experimental`, with everything in it, for one of its sub-packages. This takes more than
a second at every start. With the finder of this module, they are imported when a program first reads one of their
attributes.

TFP imports `tfp.experimental` and `tfp.layers` at their first use, but at once if TensorFlow is imported before it. The
finder therefore imports TFP, which takes a few milliseconds, when TensorFlow is about to be imported. For a TensorFlow
that is imported already, as by `import keras`, see `unforced`.
"""

import contextlib
import importlib.abc
import importlib.machinery
import sys
import threading
from collections.abc import Iterator, Sequence
from types import ModuleType
from typing import Any

_PARTS = ("wrappers", "visualization")
LATE = frozenset(
    [f"{parent}.{part}" for parent in ("keras", "keras._tf_keras.keras", "keras.src") for part in _PARTS]
    + [f"tensorflow._api.v2.{part}lite" for part in ("", "compat.v1.", "compat.v2.")]
    + [f"tensorflow_probability.python.{part}" for part in ("experimental", "layers")]
)


_TFP, _TF_LITE = "tensorflow_probability", "tensorflow._api.v2.lite"
_is_unforced = False


@contextlib.contextmanager
def unforced() -> Iterator[None]:
    """Lets `dir` of a late module not import it. TFP calls `dir` for that purpose if TensorFlow is imported."""
    global _is_unforced
    _is_unforced = True
    try:
        yield
    finally:
        _is_unforced = False


def install() -> None:
    """Imports the parts late from now on. It has no effect on parts that are imported already, as by `import keras`."""
    if not any(isinstance(finder, LateFinder) for finder in sys.meta_path):
        sys.meta_path.insert(0, LateFinder())


class LateFinder(importlib.abc.MetaPathFinder):
    """Finds the modules in `LATE` like Python, with a loader that executes them later."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Returns the specification of a module in `LATE`. None leaves the others to Python."""
        if fullname == "tensorflow" and _TFP not in sys.modules:
            with contextlib.suppress(ImportError):
                importlib.import_module(_TFP)
        if fullname not in LATE:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _LateLoader(spec.loader)
        return spec


class _LateLoader(importlib.abc.Loader):
    """Loader of a module that is executed when an attribute is missing, in one thread while others wait."""

    def __init__(self, loader: Any):
        self._loader = loader
        self._lock = threading.RLock()
        self._is_executing = False

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        if module.__name__ == _TF_LITE:
            # The package tensorflow.lite, which is almost empty, would replace the attribute `tf.lite` when it is
            # imported. TensorFlow is about to set this attribute.
            importlib.import_module("tensorflow.lite")

        def read(name: str) -> Any:
            self._execute(module)
            if name in module.__dict__:
                return module.__dict__[name]
            raise AttributeError(f"module {module.__name__!r} has no attribute {name!r}")

        def names() -> list[str]:
            if not _is_unforced:
                self._execute(module)
            return sorted(module.__dict__)

        module.__getattr__, module.__dir__ = read, names  # type: ignore[method-assign]

    def _execute(self, module: ModuleType) -> None:
        with self._lock:
            if self._is_executing or "__getattr__" not in module.__dict__:
                return
            self._is_executing = True
            try:
                self._loader.exec_module(module)
            finally:
                self._is_executing = False
            module.__spec__.loader = module.__loader__ = self._loader  # type: ignore[union-attr]
            del module.__getattr__, module.__dir__
