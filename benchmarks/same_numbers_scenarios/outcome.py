"""What a scenario gave, on its way from the process that ran it."""

import dataclasses
import fnmatch
import hashlib
import json

import numpy as np

_NAMES = "names of scenarios.json"


@dataclasses.dataclass(frozen=True)
class Outcome:
    """Arrays of a scenario by name, the SHA-256 of each, and the error that ended it, if one did."""

    arrays: dict
    digests: dict
    seconds: float
    error: str | None = None

    @classmethod
    def absent(cls):
        """Of a scenario that was not run."""
        return cls({}, {}, 0.0, "There is no such scenario.")


def write_names(folder, names):
    """Writes the names of all scenarios of a group, in their order."""
    (folder / _NAMES).write_text(json.dumps(list(names)))


def write_outcome(folder, name, arrays, seconds, error=None):
    """Writes an outcome to two files, the one that `is_done` looks for last."""
    arrays = {key: np.asarray(value) for key, value in arrays.items()}
    path = _path(folder, name)
    values = (array.astype("float32") if array.dtype.name == "bfloat16" else array for array in arrays.values())
    np.savez(path.with_suffix(".npz"), **{str(i): array for i, array in enumerate(values)})
    digests = {key: _digest(array) for key, array in arrays.items()}
    path.write_text(json.dumps({"seconds": seconds, "error": error, "digests": digests}))


def is_done(folder, name):
    """Whether there is an outcome that is not an error."""
    path = _path(folder, name)
    return path.exists() and json.loads(path.read_text())["error"] is None


def is_complete(folder, patterns):
    """Whether every scenario of the group that a pattern stands for is done."""
    return (folder / _NAMES).exists() and all(is_done(folder, name) for name in _names(folder, patterns))


def read_outcomes(folder, patterns):
    """Outcomes by name, in the order of the group."""
    found = {}
    for name in _names(folder, patterns):
        path = _path(folder, name)
        about = json.loads(path.read_text())
        with np.load(path.with_suffix(".npz")) as file:
            arrays = {key: file[str(i)] for i, key in enumerate(about["digests"])}
        found[name] = Outcome(arrays, about["digests"], about["seconds"], about["error"])
    return found


def _names(folder, patterns):
    names = json.loads((folder / _NAMES).read_text())
    return [name for name in names if any(fnmatch.fnmatch(name, pattern) for pattern in patterns)]


def _path(folder, name):
    return folder / f"{name.split('/')[1]}.json"


def _digest(array):
    said = f"{array.dtype} {array.shape} ".encode()
    return hashlib.sha256(said + np.ascontiguousarray(array).tobytes()).hexdigest()
