"""Training with measurements on the way, that can be stopped at any time and goes on from where it was."""

import dataclasses
import json
import math
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from tfvae._files import write_json
from tfvae.models import VAE
from tfvae.papers.job import Job

_RECORD = "curve.json"
_MOST_UNSAVED = 1_000_000


class Learner(Protocol):
    """A way to train a model, from its first weights on."""

    @property
    def vae(self) -> VAE:
        """What is trained."""

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
        points: in order; each has `samples`, the training samples seen, and the measured numbers by name.
        learning_rate: the one chosen; None where there was no choice.
        seconds: of training, without the measurements.
        rates: what was measured of each learning rate that was tried, by the rate.
        folder: what `Learner.load` takes, of the trained model.
    """

    points: Sequence[Mapping[str, Any]]
    learning_rate: float | None
    seconds: float
    rates: Mapping[str, float | None]
    folder: Path

    def column(self, name: str) -> list[Any]:
        """One measured number at all points."""
        return [point[name] for point in self.points]

    def to_dict(self) -> dict[str, Any]:
        """As JSON, without the folder."""
        return {
            "learning_rate": self.learning_rate,
            "learning_rates_tried": dict(self.rates),
            "training_seconds": round(self.seconds, 1),
            "points": [dict(point) for point in self.points],
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
        ValueError: where the folder holds a curve of another set-up.
    """
    folder = job.folder / name
    own = {"seed": job.seed, "at": at, "most_unsaved": most_unsaved}
    if pilots is not None:
        own |= {"learning_rates": pilots.learning_rates, "pilot_samples": pilots.num_samples}
    setup = json.loads(json.dumps({**setup, **own}))
    record = _read(folder, setup)
    if [point["samples"] for point in record["points"]] != list(at):
        learner = make_learner()
        if pilots is not None:
            _choose_rate(job, name, folder, record, learner, pilots)
        _train(job, name, folder, record, learner, measure, at, most_unsaved)
    return Curve(
        record["points"], record["learning_rate"], record["seconds"], record["tried"], folder / record["state"]
    )


def _read(folder: Path, setup: Mapping[str, Any]) -> dict[str, Any]:
    path = folder / _RECORD
    if not path.exists():
        return {"setup": setup, "tried": {}, "learning_rate": None, "samples": 0, "seconds": 0.0, "points": []}
    record = json.loads(path.read_text())
    if record["setup"] != setup:
        differing = sorted(key for key in {*setup, *record["setup"]} if setup.get(key) != record["setup"].get(key))
        raise ValueError(
            f"{folder} was trained with other settings ({', '.join(differing)}). Give another --run-dir, or delete it."
        )
    return record


def _choose_rate(job: Job, name: str, folder: Path, record: dict[str, Any], learner: Learner, pilots: Pilots) -> None:
    tried = record["tried"]
    if record["learning_rate"] is None:
        for rate in pilots.learning_rates:
            if f"{rate:g}" not in tried:
                learner.restart(rate)
                learner.advance(pilots.num_samples)
                value = pilots.score(learner.vae)
                tried[f"{rate:g}"] = value if math.isfinite(value) else None
                write_json(folder / _RECORD, record)
        scores = {rate: tried[f"{rate:g}"] for rate in pilots.learning_rates}
        record["learning_rate"] = max(scores, key=lambda rate: -math.inf if scores[rate] is None else scores[rate])
        job.say(f"{name}: learning rate {record['learning_rate']:g}")
    learner.restart(record["learning_rate"])


def _train(
    job: Job,
    name: str,
    folder: Path,
    record: dict[str, Any],
    learner: Learner,
    measure: Callable[[VAE], Mapping[str, Any]],
    at: Sequence[int],
    most_unsaved: int,
) -> None:
    if record["samples"]:
        learner.load(folder / record["state"])
    for target in at:
        while record["samples"] < target:
            count = min(target - record["samples"], most_unsaved)
            start = time.perf_counter()
            learner.advance(count)
            record["seconds"] += time.perf_counter() - start
            record["samples"] += count
            point = dict(measure(learner.vae)) if record["samples"] == target else None
            _save(folder, record, learner, point)
            job.say(f"{name}: {_told(record, point or {})}")


def _save(folder: Path, record: dict[str, Any], learner: Learner, point: dict[str, Any] | None) -> None:
    """The state is written under a name of its own before the record says so: a kill leaves the last one good."""
    before, state = record.get("state"), f"state-{record['samples']}"
    if point is not None:
        record["points"].append(json.loads(json.dumps({"samples": record["samples"], **point})))
    shutil.rmtree(folder / state, ignore_errors=True)
    (folder / state).mkdir(parents=True)
    learner.save(folder / state)
    record["state"] = state
    write_json(folder / _RECORD, record)
    if before is not None and before != state:
        shutil.rmtree(folder / before, ignore_errors=True)


def _told(record: dict[str, Any], point: dict[str, Any]) -> str:
    numbers = ", ".join(f"{key} {value:.2f}" for key, value in point.items() if isinstance(value, float))
    return (
        f"{record['samples']:,} samples, {numbers} ({record['samples'] / max(record['seconds'], 1e-9):,.0f} a second)"
    )
