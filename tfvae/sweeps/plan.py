"""The runs of a sweep, from its file."""

import dataclasses
import functools
import itertools
import json
import math
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tfvae._errors import quoted
from tfvae.parts import described
from tfvae.training.config import RunConfig, read_toml
from tfvae.training.run_folder import RunFolder

_TABLES = ("data", "model", "training", "evaluation")
_WAYS = ("grid", "runs", "random")
_MAX_SLUG = 60
_NUMBERS = ("seed", "learning_rate", "beta")  # of a training, which are values of variables


@dataclasses.dataclass(frozen=True)
class PlannedRun:
    """One run of a sweep.

    Attributes:
        variant: Name of its row in the table.
        seed: Its random seed.
        config: Its configuration.
        folder: Its place within the folder of the sweep.
    """

    variant: str
    seed: int
    config: RunConfig
    folder: Path

    @functools.cached_property
    def structure(self) -> str:
        """A key that is equal for runs that differ only in the numbers with which a model trains."""
        tables = self.config.to_dict()
        training = tables["training"]
        numbers = [name for name in _NUMBERS if isinstance(training[name], int | float)]
        others = {name: value for name, value in training.items() if name not in numbers}
        return json.dumps({**tables, "training": others}, default=str)

    def run_folder(self, sweep: Path) -> RunFolder:
        """Returns its run folder."""
        return RunFolder(sweep / self.folder)

    def settings_file(self, sweep: Path) -> Path:
        """Returns the path of the settings with which it starts."""
        return (sweep / self.folder).with_suffix(".toml")

    def log_file(self, sweep: Path) -> Path:
        """Returns the path of what its process prints."""
        return (sweep / self.folder).with_suffix(".log")

    def failure_file(self, sweep: Path) -> Path:
        """Returns the path of the reason for which it failed. The file exists only if it did."""
        return (sweep / self.folder).with_suffix(".failed.txt")


@dataclasses.dataclass(frozen=True)
class Plan:
    """All runs of a sweep.

    Attributes:
        variants: Names of the rows of the table, in order. The others are compared with the first.
        runs: The runs, all variants of the first seed first.
    """

    variants: tuple[str, ...]
    runs: tuple[PlannedRun, ...]


def read_plan(path: str | os.PathLike[str]) -> Plan:
    """Reads the file of a sweep.

    Its tables `[data]`, `[model]`, `[training]` and `[evaluation]` are those of every run. What varies stands in one of
    three places:

    - `[grid]`: a list of values for each setting; every combination is a row.
    - `[[runs]]`: one table of settings for each row, with an optional `name`.
    - `[random]`: `num_runs` draws of settings, each from a list or from a table `{low, high, log}`.

    `[sweep]` has `seeds`, a number or a list.

    Raises:
        ValueError: If the file or a setting is not valid. The message names the row.
    """
    tables = read_toml(path)
    base = {name: tables[name] for name in _TABLES if name in tables}
    unknown = set(tables).difference(_TABLES, _WAYS, ("sweep",))
    if unknown:
        raise ValueError(
            f"Unknown table [{min(unknown)}] in {os.fspath(path)}. Expected one of: "
            f"{', '.join(sorted((*_TABLES, *_WAYS, 'sweep')))}."
        )
    ways = [way for way in _WAYS if way in tables]
    if len(ways) > 1:
        raise ValueError(
            f"A sweep varies its settings in one of [grid], [[runs]] and [random]. Received: {', '.join(ways)}"
        )
    rows = _rows(tables, ways[0]) if ways else [("run", {})]
    names = [name for name, _ in rows]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise ValueError(f"Each row of a sweep needs its own name. Received: {quoted(min(twice))} more than once")
    runs = []
    for seed in _seeds(tables):
        for index, (name, change) in enumerate(rows):
            try:
                config = RunConfig.from_dict(base, change, {"training": {"seed": seed}})
            except ValueError as error:
                raise ValueError(f"{os.fspath(path)}, row {quoted(name)}: {error}") from error
            runs.append(PlannedRun(name, seed, config, Path("runs") / _slug(index, name) / f"seed-{seed}"))
    return Plan(tuple(names), tuple(runs))


def _rows(tables: Mapping[str, Any], way: str) -> list[tuple[str, dict[str, Any]]]:
    found = tables[way]
    if way == "runs":
        if not isinstance(found, list) or not all(isinstance(row, Mapping) for row in found):
            raise ValueError("`runs` must be a list of tables: write [[runs]] above each row.")
        rows = [dict(row) for row in found]
        named = [(row.pop("name", None), row) for row in rows]
        return [(str(name or _name(row)), row) for name, row in named]
    if not isinstance(found, Mapping):
        raise ValueError(f"[{way}] must be a table. Received: {way}={quoted(found)}")
    return list(_grid(found)) if way == "grid" else list(_random(found))


def _grid(table: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    leaves = list(_leaves(table))
    for setting, values in leaves:
        if not isinstance(values, list) or not values:
            raise ValueError(f"[grid] needs a list of values for {setting}. Received: {setting}={quoted(values)}")
    for values in itertools.product(*(values for _, values in leaves)):
        row = _nested(zip((setting for setting, _ in leaves), values, strict=True))
        yield _name(row), row


def _random(table: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    drawn = dict(table)
    num_runs, seed = drawn.pop("num_runs", 10), drawn.pop("seed", 0)
    if not isinstance(num_runs, int) or num_runs < 1 or not isinstance(seed, int) or seed < 0:
        raise ValueError(
            f"[random] needs num_runs, an integer of at least 1, and seed, of at least 0. "
            f"Received: num_runs={quoted(num_runs)}, seed={quoted(seed)}"
        )
    leaves = list(_leaves(drawn, stop=("low", "choices")))
    generator = np.random.default_rng(seed)
    for index in range(num_runs):
        row = _nested((setting, _draw(generator, setting, values)) for setting, values in leaves)
        yield f"{index + 1}: {_name(row)}", row


def _draw(generator: np.random.Generator, setting: str, values: Any) -> Any:
    if isinstance(values, list) and values:
        return values[int(generator.integers(len(values)))]
    if isinstance(values, Mapping) and {"low", "high"} <= set(values) <= {"low", "high", "log"}:
        low, high, is_log = values["low"], values["high"], values.get("log", False)
        numbers = all(isinstance(each, int | float) and math.isfinite(each) for each in (low, high))
        if numbers and low < high and (low > 0 or not is_log):
            if isinstance(low, int) and isinstance(high, int) and not is_log:
                return int(generator.integers(low, high + 1))
            drawn = (
                math.exp(generator.uniform(math.log(low), math.log(high))) if is_log else generator.uniform(low, high)
            )
            return round(drawn) if isinstance(low, int) and isinstance(high, int) else float(f"{drawn:.4g}")
    raise ValueError(
        f"[random] needs a list of values for {setting}, or {{low = ..., high = ...}} with low below high, and above 0 "
        f"with log = true. Received: {setting}={quoted(values)}"
    )


def _leaves(table: Mapping[str, Any], prefix: str = "", stop: Sequence[str] = ()) -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        if isinstance(value, Mapping) and not set(stop) & set(value):
            yield from _leaves(value, f"{prefix}{key}.", stop)
        else:
            yield f"{prefix}{key}", value


def _nested(pairs: Any) -> dict[str, Any]:
    tables: dict[str, Any] = {}
    for setting, value in pairs:
        *path, key = setting.split(".")
        table = tables
        for name in path:
            table = table.setdefault(name, {})
        table[key] = value
    return tables


def _name(row: Mapping[str, Any]) -> str:
    """Returns a name for a row from its settings."""
    return ", ".join(_described(row)) or "run"


def _described(row: Mapping[str, Any]) -> Iterator[str]:
    for key, value in row.items():
        if isinstance(value, Mapping) and "kind" in value:
            yield f"{key}={described(value)}"
        elif isinstance(value, Mapping):
            yield from _described(value)
        else:
            yield f"{key}={value:g}" if isinstance(value, float) else f"{key}={value}"


def _slug(index: int, name: str) -> str:
    text = re.sub(r"[^A-Za-z0-9.=]+", "-", name).strip("-.")[:_MAX_SLUG]
    return f"{index + 1:03d}-{text}"


def _seeds(tables: Mapping[str, Any]) -> tuple[int, ...]:
    sweep = tables.get("sweep", {})
    unknown = set(sweep).difference(("seeds",)) if isinstance(sweep, Mapping) else {"sweep"}
    if unknown:
        raise ValueError(f"Unknown setting sweep.{min(unknown)}. Expected one of: seeds.")
    seeds = sweep.get("seeds", 1)
    if isinstance(seeds, int) and not isinstance(seeds, bool) and seeds >= 1:
        return tuple(range(seeds))
    is_list = isinstance(seeds, list) and seeds and all(isinstance(seed, int) for seed in seeds)
    if is_list and len(set(seeds)) == len(seeds):
        return tuple(seeds)
    raise ValueError(
        f"sweep.seeds must be a number of seeds of at least 1, or a list of different integers. "
        f"Received: sweep.seeds={quoted(seeds)}"
    )
