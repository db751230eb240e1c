"""Training with measurements at given numbers of samples, which can be interrupted and resumed at any time."""

import dataclasses
import json
import math
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from tfvae._errors import reading
from tfvae._files import locked, write_json
from tfvae.models import VAE
from tfvae.papers.job import Job
from tfvae.papers.provenance import provenance

_RECORD = "curve.json"
_MAX_UNSAVED = 1_000_000


class Learner(Protocol):
    """Training algorithm with a model and its initial weights."""

    @property
    def vae(self) -> VAE:
        """Trained model."""

    def diagnostics(self) -> dict[str, float]:
        """Returns diagnostics that are recorded with each measurement."""

    def restart(self, learning_rate: float) -> None:
        """Resets the model to its initial weights and sets the learning rate."""

    def advance(self, num_samples: int) -> None:
        """Trains on `num_samples` more samples."""

    def save(self, folder: Path) -> None:
        """Saves everything that is needed to resume training."""

    def load(self, folder: Path) -> None:
        """Restores what `save` has written."""


@dataclasses.dataclass(frozen=True)
class Pilots:
    """Selection of the learning rate as in the paper: a short pilot run with each rate from the same initial weights.

    Attributes:
        learning_rates: Candidate learning rates.
        num_samples: Training samples per pilot run.
        score: Function of the trained model. The rate with the highest score is selected.
    """

    learning_rates: Sequence[float]
    num_samples: int
    score: Callable[[VAE], float]


@dataclasses.dataclass(frozen=True)
class Curve:
    """Measurements along a training run.

    Attributes:
        points: Measurements in order. Each has `samples`, the number of training samples seen, and the measured values
            by name. Values that were not finite are NaN.
        learning_rate: Selected learning rate, or None if there was no selection.
        seconds: Training time without the measurements.
        rates: Score of each candidate learning rate.
        folder: Folder of the trained model, for `Learner.load`.
        made: Machine, commits, time and duration of the training.
    """

    points: Sequence[Mapping[str, Any]]
    learning_rate: float | None
    seconds: float
    rates: Mapping[str, float | None]
    folder: Path
    made: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def column(self, name: str) -> list[Any]:
        """Returns one measured value at all points."""
        return [point[name] for point in self.points]

    def to_dict(self) -> dict[str, Any]:
        """Returns a JSON-compatible dictionary without the folder. None stands for NaN."""
        return {
            "learning_rate": self.learning_rate,
            "learning_rates_tried": dict(self.rates),
            "training_seconds": round(self.seconds, 1),
            "points": _as_json(self.points),
            "made": dict(self.made),
        }


def decades(first: int, last: int, points_per_decade: int, multiple: int) -> list[int]:
    """Returns numbers of samples that are evenly spaced on a logarithmic scale.

    Args:
        first: Smallest number.
        last: Largest number.
        points_per_decade: Numbers per power of ten.
        multiple: Each number is rounded to a multiple of this, such as the minibatch size.
    """
    steps = math.ceil(round(points_per_decade * math.log10(last / first), 9))
    spaced = [first * 10 ** (i / points_per_decade) for i in range(steps)] + [last]
    return sorted({max(multiple, multiple * round(number / multiple)) for number in spaced})


def trained_curve(
    job: Job,
    name: str,
    make_learner: Callable[[], Learner],
    measure: Callable[[VAE], Mapping[str, Any]],
    *,
    at: Sequence[int],
    setup: Mapping[str, Any],
    pilots: Pilots | None = None,
    most_unsaved: int = _MAX_UNSAVED,
) -> Curve:
    """Trains a model and measures it along the way. Finished parts are loaded from the folder of the job.

    Args:
        job: Job that provides folder, seed and progress messages.
        name: Name of the curve and of its folder.
        make_learner: Function that creates the model with its initial weights, called if work is left.
        measure: Function from the model to JSON-compatible values by name.
        at: Increasing numbers of training samples at which to measure.
        setup: Everything else that the values depend on. A folder with a different setup is refused.
        pilots: Selection of the learning rate. None is for a learner with a fixed one.
        most_unsaved: Maximum number of training samples between two checkpoints.

    Raises:
        ValueError: If the folder contains a curve with another setup, another process is training it, or training
            diverges with every learning rate.
    """
    folder = job.folder / name
    own: dict[str, Any] = {"seed": job.seed, "at": at, "most_unsaved": most_unsaved}
    if pilots is not None:
        own |= {"learning_rates": pilots.learning_rates, "pilot_samples": pilots.num_samples}
    setup = json.loads(json.dumps({**setup, **own}))
    if len(_read(folder, setup)["points"]) < len(at):
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder, f"Another process is training {folder}. Wait until it has finished, or stop it."):
            training = _Training(job, name, folder, _read(folder, setup), make_learner(), at)
            if pilots is not None:
                training.choose_rate(pilots)
            training.train(measure, most_unsaved)
    else:
        job.say(f"{name}: already done")
    record = _read(folder, setup)
    return Curve(
        _as_numbers(record["points"]),
        record["learning_rate"],
        record["seconds"]["training"],
        record["tried"],
        folder / record["state"],
        {**record["made"], "seconds": {key: round(value, 1) for key, value in record["seconds"].items()}},
    )


def _read(folder: Path, setup: Mapping[str, Any]) -> dict[str, Any]:
    path = folder / _RECORD
    if not path.exists():
        seconds = {"pilots": 0.0, "training": 0.0, "measuring": 0.0}
        return {"setup": setup, "tried": {}, "learning_rate": None, "samples": 0, "seconds": seconds, "points": []}
    with reading(path, f"Delete the folder {folder} to restart its training, or choose another --run-dir."):
        record = json.loads(path.read_text("utf-8"))
        before = dict(record["setup"])
    if before != setup:
        differing = sorted(key for key in {*setup, *before} if setup.get(key) != before.get(key))
        raise ValueError(
            f"{folder} was trained with other settings ({', '.join(differing)}). Choose another --run-dir or delete it."
        )
    return record


@dataclasses.dataclass
class _Training:
    """Training of a curve. `record` is the content of its JSON file."""

    job: Job
    name: str
    folder: Path
    record: dict[str, Any]
    learner: Learner
    at: Sequence[int]

    def choose_rate(self, pilots: Pilots) -> None:
        tried, rates = self.record["tried"], pilots.learning_rates
        if self.record["learning_rate"] is None:
            for rate in rates:
                if f"{rate:g}" not in tried:
                    self._say(f"trying the learning rate {rate:g} on {pilots.num_samples:,} samples")
                    start = time.perf_counter()
                    self.learner.restart(rate)
                    self.learner.advance(pilots.num_samples)
                    tried[f"{rate:g}"] = _as_json(pilots.score(self.learner.vae))
                    self._add_seconds("pilots", start)
                    write_json(self.folder / _RECORD, self.record)
            scores = {rate: tried[f"{rate:g}"] for rate in rates if tried[f"{rate:g}"] is not None}
            if not scores:
                raise ValueError(f"{self.name}: training diverges with every learning rate, {rates}.")
            self.record["learning_rate"] = max(scores, key=lambda rate: scores[rate])
            self._say(f"learning rate {self.record['learning_rate']:g}")
        self.learner.restart(self.record["learning_rate"])

    def train(self, measure: Callable[[VAE], Mapping[str, Any]], most_unsaved: int) -> None:
        record = self.record
        if record["samples"]:
            self.learner.load(self.folder / record["state"])
        for target in self.at:
            while record["samples"] < target:
                count = min(target - record["samples"], most_unsaved)
                start = time.perf_counter()
                self.learner.advance(count)
                self._add_seconds("training", start)
                record["samples"] += count
                point = None
                if record["samples"] == target:
                    start = time.perf_counter()
                    point = {**measure(self.learner.vae), **self.learner.diagnostics()}
                    self._add_seconds("measuring", start)
                self._save(point)
                self._say_progress(point)

    def _save(self, point: Mapping[str, Any] | None) -> None:
        """Saves the state under a new name before updating the record, so that a kill leaves the last one intact."""
        record, state = self.record, f"state-{self.record['samples']}"
        if point is not None:
            record["points"].append(_as_json({"samples": record["samples"], **point}))
        record["made"] = provenance(record.get("made"))
        shutil.rmtree(self.folder / state, ignore_errors=True)
        (self.folder / state).mkdir()
        self.learner.save(self.folder / state)
        record["state"] = state
        write_json(self.folder / _RECORD, record)
        for other in self.folder.glob("state-*"):  # also removes what a killed process left behind
            if other.name != state:
                shutil.rmtree(other, ignore_errors=True)

    def _add_seconds(self, what: str, start: float) -> None:
        self.record["seconds"][what] += time.perf_counter() - start

    def _say_progress(self, point: Mapping[str, Any] | None) -> None:
        record = self.record
        rate = record["samples"] / max(record["seconds"]["training"], 1e-9)
        numbers = [f"{key} {value:.2f}" for key, value in (point or {}).items() if isinstance(value, float)]
        parts = [f"{record['samples']:,} of {self.at[-1]:,} samples", *numbers, f"{rate:,.0f} samples/s"]
        self._say(", ".join(parts))

    def _say(self, line: str) -> None:
        self.job.say(f"{self.name}: {line}")


def _as_json(value: Any) -> Any:
    """Converts to plain numbers, lists and dictionaries. Numbers that are not finite become None."""
    if isinstance(value, Mapping):
        return {key: _as_json(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_as_json(item) for item in value]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    return value


def _as_numbers(value: Any) -> Any:
    """Reverts `_as_json`: None becomes NaN."""
    if isinstance(value, Mapping):
        return {key: _as_numbers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_as_numbers(item) for item in value]
    return math.nan if value is None else value
