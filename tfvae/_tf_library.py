"""Runs a SavedModel through the C interface of the TensorFlow library, without importing TensorFlow's Python packages.

Importing TensorFlow takes seconds, most of them for Python modules that a finished graph does not need. Loading its
library and a SavedModel takes half a second. The kernels are the same, and so are the results.

References:
    TensorFlow, `tensorflow/c/c_api.h`, https://www.tensorflow.org/install/lang_c.
"""

import ctypes
import functools
import importlib.util
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

_NAMES = ("libtensorflow_cc.so.2", "libtensorflow_cc.2.dylib")
_TAG = b"serve"
_FLOAT32, _INT32 = 1, 3
_CODES = {np.dtype(np.float32): _FLOAT32, np.dtype(np.int32): _INT32}
_DTYPES = {code: dtype for dtype, code in _CODES.items()}
# tf.random.Algorithm.AUTO_SELECT, the default of TensorFlow's stateless draws.
_AUTO_SELECT = 3


class TensorFlowError(RuntimeError):
    """Error that TensorFlow reports, such as for an input that a graph refuses."""


class _Output(ctypes.Structure):
    """Output of an operation of a graph."""

    _fields_ = (("operation", ctypes.c_void_p), ("index", ctypes.c_int))


_POINTER, _TEXT, _INT, _SIZE = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int, ctypes.c_size_t
_LONGS, _OUTPUTS, _POINTERS = (ctypes.POINTER(kind) for kind in (ctypes.c_int64, _Output, ctypes.c_void_p))
_FUNCTIONS: Mapping[str, tuple[Any, Sequence[Any]]] = {
    "TF_NewStatus": (_POINTER, []),
    "TF_DeleteStatus": (None, [_POINTER]),
    "TF_GetCode": (_INT, [_POINTER]),
    "TF_Message": (_TEXT, [_POINTER]),
    "TF_NewGraph": (_POINTER, []),
    "TF_NewSessionOptions": (_POINTER, []),
    "TF_DeleteSessionOptions": (None, [_POINTER]),
    "TF_LoadSessionFromSavedModel": (
        _POINTER,
        [_POINTER, _POINTER, _TEXT, ctypes.POINTER(_TEXT), _INT, _POINTER, _POINTER, _POINTER],
    ),
    "TF_CloseSession": (None, [_POINTER, _POINTER]),
    "TF_DeleteSession": (None, [_POINTER, _POINTER]),
    "TF_DeleteGraph": (None, [_POINTER]),
    "TF_GraphOperationByName": (_POINTER, [_POINTER, _TEXT]),
    "TF_AllocateTensor": (_POINTER, [_INT, _LONGS, _INT, _SIZE]),
    "TF_DeleteTensor": (None, [_POINTER]),
    "TF_TensorData": (_POINTER, [_POINTER]),
    "TF_TensorByteSize": (_SIZE, [_POINTER]),
    "TF_TensorType": (_INT, [_POINTER]),
    "TF_NumDims": (_INT, [_POINTER]),
    "TF_Dim": (ctypes.c_int64, [_POINTER, _INT]),
    "TF_SessionRun": (
        None,
        [_POINTER, _POINTER, *(_OUTPUTS, _POINTERS, _INT) * 2, _POINTER, _INT, _POINTER, _POINTER],
    ),
    "TF_NewOperation": (_POINTER, [_POINTER, _TEXT, _TEXT]),
    "TF_AddInput": (None, [_POINTER, _Output]),
    "TF_SetAttrType": (None, [_POINTER, _TEXT, _INT]),
    "TF_SetAttrTensor": (None, [_POINTER, _TEXT, _POINTER, _POINTER]),
    "TF_FinishOperation": (_POINTER, [_POINTER, _POINTER]),
}


@functools.cache
def library() -> Any | None:
    """Loads the TensorFlow library. Returns None where the installed TensorFlow does not have it as a file."""
    spec = importlib.util.find_spec("tensorflow")
    folders = [] if spec is None else spec.submodule_search_locations or []
    files = [Path(folder) / name for folder in folders for name in _NAMES]
    for file in filter(Path.is_file, files):
        loaded = ctypes.CDLL(str(file))
        if all(hasattr(loaded, name) for name in _FUNCTIONS):
            for name, (result, arguments) in _FUNCTIONS.items():
                function = getattr(loaded, name)
                function.restype, function.argtypes = result, arguments
            return loaded
    return None


class Session:
    """Loaded SavedModel whose tensors are computed by name. It may be used from several threads.

    Args:
        folder: Folder of the SavedModel. It is a program: open only what you trust.

    Raises:
        NotImplementedError: If `library` is None.
        TensorFlowError: If the SavedModel cannot be loaded.
    """

    def __init__(self, folder: Path):
        found = library()
        if found is None:
            raise NotImplementedError("The installed TensorFlow has no library with the C interface.")
        self._tf = found
        self._graph = self._tf.TF_NewGraph()
        options, status = self._tf.TF_NewSessionOptions(), _Status(self._tf)
        tags = (_TEXT * 1)(_TAG)
        self._session = self._tf.TF_LoadSessionFromSavedModel(
            options, None, str(folder).encode(), tags, 1, self._graph, None, status.pointer
        )
        self._tf.TF_DeleteSessionOptions(options)
        status.check()
        weakref.finalize(self, _close, self._tf, self._session, self._graph).atexit = False

    def run(self, inputs: Mapping[str, np.ndarray], names: Sequence[str]) -> list[np.ndarray]:
        """Computes tensors.

        Args:
            inputs: Values of tensors by name, such as "x:0", float32 or int32.
            names: Names of the tensors to compute.

        Raises:
            TensorFlowError: If an operation fails.
        """
        count, status = len(names), _Status(self._tf)
        keys = (_Output * len(inputs))(*map(self._output, inputs))
        wanted = (_Output * count)(*map(self._output, names))
        values = (_POINTER * len(inputs))(*map(self._tensor, inputs.values()))
        found = (_POINTER * count)()
        try:
            self._tf.TF_SessionRun(
                self._session, None, keys, values, len(inputs), wanted, found, count, None, 0, None, status.pointer
            )
            status.check()
            return [self._array(tensor) for tensor in found if tensor is not None]
        finally:
            for tensor in (*values, *found):
                if tensor is not None:
                    self._tf.TF_DeleteTensor(tensor)

    def fold_in(self, seed: np.ndarray, step: int) -> np.ndarray:
        """Returns the seed `[2]` of `tf.random.experimental.stateless_fold_in` for a seed `[2]` and an integer."""
        (drawn,) = self.run({self._seed: seed}, [self._draw])
        return np.array([drawn, step], np.int32)

    @functools.cached_property
    def _seed(self) -> str:
        return self._operation("Placeholder", "seed", dtype=_INT32)

    @functools.cached_property
    def _draw(self) -> str:
        """A whole number that is drawn from the seed."""
        key = self._operation("StatelessRandomGetKeyCounter", "key", [self._seed])
        shape = self._operation("Const", "shape", dtype=_INT32, value=np.zeros([0], np.int32))
        algorithm = self._operation("Const", "algorithm", dtype=_INT32, value=np.array(_AUTO_SELECT, np.int32))
        inputs = [shape, key, f"{key[:-1]}1", algorithm]
        return self._operation("StatelessRandomUniformFullIntV2", "draw", inputs, dtype=_INT32)

    def _operation(self, kind: str, name: str, inputs: Sequence[str] = (), **attributes: Any) -> str:
        """Adds an operation to the graph. Returns the name of its first output."""
        name = f"tfvae/{name}"
        new = self._tf.TF_NewOperation(self._graph, kind.encode(), name.encode())
        for each in inputs:
            self._tf.TF_AddInput(new, self._output(each))
        status = _Status(self._tf)
        for attribute, value in attributes.items():
            if isinstance(value, np.ndarray):
                tensor = self._tensor(value)
                self._tf.TF_SetAttrTensor(new, attribute.encode(), tensor, status.pointer)
                self._tf.TF_DeleteTensor(tensor)
                status.check()
            else:
                self._tf.TF_SetAttrType(new, attribute.encode(), value)
        self._tf.TF_FinishOperation(new, status.pointer)
        status.check()
        return f"{name}:0"

    def _output(self, tensor: str) -> _Output:
        name, _, index = tensor.rpartition(":")
        operation = self._tf.TF_GraphOperationByName(self._graph, name.encode())
        if operation is None:
            raise TensorFlowError(f"The graph has no operation {name!r}")
        return _Output(operation, int(index))

    def _tensor(self, array: np.ndarray) -> int:
        array = np.asarray(array, order="C")
        shape = (ctypes.c_int64 * array.ndim)(*array.shape)
        tensor = self._tf.TF_AllocateTensor(_CODES[array.dtype], shape, array.ndim, array.nbytes)
        ctypes.memmove(self._tf.TF_TensorData(tensor), array.ctypes.data, array.nbytes)
        return int(tensor)

    def _array(self, tensor: int) -> np.ndarray:
        shape = [self._tf.TF_Dim(tensor, axis) for axis in range(self._tf.TF_NumDims(tensor))]
        array = np.empty(shape, _DTYPES[self._tf.TF_TensorType(tensor)])
        ctypes.memmove(array.ctypes.data, self._tf.TF_TensorData(tensor), array.nbytes)
        return array


def _close(tf: Any, session: int, graph: int) -> None:
    status = _Status(tf)
    tf.TF_CloseSession(session, status.pointer)
    tf.TF_DeleteSession(session, status.pointer)
    tf.TF_DeleteGraph(graph)


class _Status:
    """Result of a call of the library."""

    def __init__(self, tf: Any):
        self._tf, self.pointer = tf, tf.TF_NewStatus()

    def __del__(self) -> None:
        self._tf.TF_DeleteStatus(self.pointer)

    def check(self) -> None:
        """Raises TensorFlowError if the call failed."""
        if self._tf.TF_GetCode(self.pointer):
            raise TensorFlowError(self._tf.TF_Message(self.pointer).decode("utf-8", "replace"))
