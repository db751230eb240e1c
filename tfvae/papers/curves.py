"""Training with measurements on the way, that can be stopped at any time and goes on from where it was."""

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
_MOST_UNSAVED = 1_000_000


class Learner(Protocol):
    """A way to train a model, from its first weights on."""

    @property
    def vae(self) -> VAE:
        """What is trained."""

    def diagnostics(self) -> dict[str, float]:
        """What the learner says of itself at each measurement."""

    def restart(self, learning_rate: float) -> None:
        """Goes back to the first weights, with this rate."""

    def advance(self, num_samples: int) -> None:
        """Trains on so many more samples."""

    def save(self, folder: Path) -> None:
        """Writes everything that training goes on from."""

    def load(self, folder: Path) -> None:
        """Takes up what `save` has written."""


@dataclasses.dataclass(frozen=True)
class Pilots:
    """The paper's choice of the learning rate: each is tried from the same first weights on the first samples.

    Attributes:
        learning_rates: to choose from.
        num_samples: training samples that each is tried on.
        score: from the model to what is largest for the best rate.
    """

    learning_rates: Sequence[float]
    num_samples: int
    score: Callable[[VAE], float]


@dataclasses.dataclass(frozen=True)
class Curve:
    """Measurements along a training run.

    Attributes:
        points: in order; each has `samples`, the training samples seen, and the measured numbers by name, NaN where a
            number was not finite.
        learning_rate: the one chosen; None where there was no choice.
        seconds: of training, without the measurements.
        rates: what was measured of each learning rate that was tried, by the rate.
        folder: what `Learner.load` takes, of the trained model.
        made: where, by which commits and when it was last trained, and what all of it took.
    """

    points: Sequence[Mapping[str, Any]]
    learning_rate: float | None
    seconds: float
    rates: Mapping[str, float | None]
    folder: Path
    made: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def column(self, name: str) -> list[Any]:
        """One measured number at all points."""
        return [point[name] for point in self.points]

    def to_dict(self) -> dict[str, Any]:
        """As JSON, without the folder; None stands for NaN."""
        return {
            "learning_rate": self.learning_rate,
            "learning_rates_tried": dict(self.rates),
            "training_seconds": round(self.seconds, 1),
            "points": _as_json(self.points),
            "made": dict(self.made),
        }


def decades(first: int, last: int, points_per_decade: int, multiple: int) -> list[int]:
    """Numbers of samples evenly spaced in their logarithm, each rounded to a multiple of the minibatch.

    Args:
        first: the first of them.
        last: the last of them.
        points_per_decade: how many between one power of ten and the next.
        multiple: what they are multiples of.
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
    most_unsaved: int = _MOST_UNSAVED,
) -> Curve:
    """Trains a model and measures it along the way; what has been done before is not done again.

    Args:
        job: where to work.
        name: of the curve, and of its folder.
        make_learner: makes the model with its first weights; called only where there is something to do.
        measure: from the model to numbers by name, as JSON takes them.
        at: numbers of training samples at which to measure, in order.
        setup: all that the numbers depend on, besides; a folder of another set-up is refused.
        pilots: how to choose the learning rate; None is for a learner that has one of its own.
        most_unsaved: the most training samples between two savings.

    Raises:
        ValueError: where the folder holds a curve of another set-up, another process trains it, or no learning rate
            gives a finite score.
    """
    folder = job.folder / name
    own: dict[str, Any] = {"seed": job.seed, "at": at, "most_unsaved": most_unsaved}
    if pilots is not None:
        own |= {"learning_rates": pilots.learning_rates, "pilot_samples": pilots.num_samples}
    setup = json.loads(json.dumps({**setup, **own}))
    if len(_read(folder, setup)["points"]) < len(at):
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder, f"Another process is training {folder}. Wait for its end, or end it."):
            work = _Work(job, name, folder, _read(folder, setup), make_learner(), at)
            if pilots is not None:
                work.choose_rate(pilots)
            work.train(measure, most_unsaved)
    else:
        job.say(f"{name}: done before")
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
    with reading(path, f"Delete the folder {folder} to train it anew, or give another --run-dir."):
        record = json.loads(path.read_text("utf-8"))
        before = dict(record["setup"])
    if before != setup:
        differing = sorted(key for key in {*setup, *before} if setup.get(key) != before.get(key))
        raise ValueError(
            f"{folder} was trained with other settings ({', '.join(differing)}). Give another --run-dir, or delete it."
        )
    return record


@dataclasses.dataclass
class _Work:
    """A curve in the making; `record` is what its folder says."""

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
                    self._took("pilots", start)
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
                self._took("training", start)
                record["samples"] += count
                point = None
                if record["samples"] == target:
                    start = time.perf_counter()
                    point = {**measure(self.learner.vae), **self.learner.diagnostics()}
                    self._took("measuring", start)
                self._save(point)
                self._say_progress(point)

    def _save(self, point: Mapping[str, Any] | None) -> None:
        """The state is written under a name of its own before the record says so: a kill leaves the last one good."""
        record, state = self.record, f"state-{self.record['samples']}"
        if point is not None:
            record["points"].append(_as_json({"samples": record["samples"], **point}))
        record["made"] = provenance(record.get("made"))
        shutil.rmtree(self.folder / state, ignore_errors=True)
        (self.folder / state).mkdir()
        self.learner.save(self.folder / state)
        record["state"] = state
        write_json(self.folder / _RECORD, record)
        for other in self.folder.glob("state-*"):  # also what a kill left here
            if other.name != state:
                shutil.rmtree(other, ignore_errors=True)

    def _took(self, what: str, start: float) -> None:
        self.record["seconds"][what] += time.perf_counter() - start

    def _say_progress(self, point: Mapping[str, Any] | None) -> None:
        record = self.record
        rate = record["samples"] / max(record["seconds"]["training"], 1e-9)
        numbers = [f"{key} {value:.2f}" for key, value in (point or {}).items() if isinstance(value, float)]
        told = [f"{record['samples']:,} of {self.at[-1]:,} samples", *numbers, f"{rate:,.0f} samples a second"]
        self._say(", ".join(told))

    def _say(self, line: str) -> None:
        self.job.say(f"{self.name}: {line}")


def _as_json(value: Any) -> Any:
    """Plain numbers, lists and dictionaries; None for a number that is not finite."""
    if isinstance(value, Mapping):
        return {key: _as_json(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_as_json(item) for item in value]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    return value


def _as_numbers(value: Any) -> Any:
    """The other way: NaN for None."""
    if isinstance(value, Mapping):
        return {key: _as_numbers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_as_numbers(item) for item in value]
    return math.nan if value is None else value
