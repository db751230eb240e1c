"""The runs of a sweep, from its file."""

import dataclasses
import itertools
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tfvae._errors import quoted
from tfvae.sweeps.planned_run import PlannedRun
from tfvae.sweeps.rows import leaves, nested, row_name
from tfvae.sweeps.search_plan import Outcome, SearchPlan, read_search
from tfvae.sweeps.space import read_space
from tfvae.training.config import RunConfig, read_toml

_TABLES = ("data", "model", "training", "evaluation")
_WAYS = ("grid", "runs", "random", "optuna")
_MAX_SLUG = 60


@dataclasses.dataclass(frozen=True)
class Plan:
    """All runs of a sweep.

    Attributes:
        variants: Names of the rows of the table, in order. The others are compared with the first.
        runs: The runs, all variants of the first seed first.
        search: How trials are chosen, for a sweep by Optuna, whose rows and runs come from its trials.
        outcomes: What a search says about each of its rows.
        remarks: Sentences below the table.
    """

    variants: tuple[str, ...]
    runs: tuple[PlannedRun, ...]
    search: SearchPlan | None = None
    outcomes: Mapping[str, Outcome] = dataclasses.field(default_factory=dict)
    remarks: tuple[str, ...] = ()


def read_plan(path: str | os.PathLike[str]) -> Plan:
    """Reads the file of a sweep.

    Its tables `[data]`, `[model]`, `[training]` and `[evaluation]` are those of every run. What varies stands in one of
    four places:

    - `[grid]`: a list of values for each setting; every combination is a row.
    - `[[runs]]`: one table of settings for each row, with an optional `name`.
    - `[random]`: `num_runs` draws of settings, each from a list or from a table `{low, high, log}`.
    - `[optuna]`: the same, but Optuna chooses the settings of each of `num_trials` rows from the results before it.

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
            "A sweep varies its settings in one of [grid], [[runs]], [random] and [optuna]. "
            f"Received: {', '.join(ways)}"
        )
    if ways == ["optuna"]:
        return Plan((), (), read_search(os.fspath(path), tables["optuna"], base, _seeds(tables)))
    rows = _rows(tables, ways[0]) if ways else [("run", {})]
    for name, table in [("[training]", base), *((f"row {quoted(name)}", row) for name, row in rows)]:
        if isinstance(table.get("training"), Mapping) and "seed" in table["training"]:
            raise ValueError(
                f"training.seed of a sweep is set by its seeds. Write [sweep] with seeds = [0, 1], and leave it out of "
                f"{name}. Received: training.seed={quoted(table['training']['seed'])}"
            )
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
        wrong = [name for name, _ in named if not (name is None or isinstance(name, str))]
        if wrong:
            raise ValueError(f"The name of a row must be text. Received: name={quoted(wrong[0])}")
        return [(str(name or row_name(row)), row) for name, row in named]
    if not isinstance(found, Mapping):
        raise ValueError(f"[{way}] must be a table. Received: {way}={quoted(found)}")
    return list(_grid(found)) if way == "grid" else list(_random(found))


def _grid(table: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    listed = list(leaves(table))
    for setting, values in listed:
        if not isinstance(values, list) or not values:
            raise ValueError(f"[grid] needs a list of values for {setting}. Received: {setting}={quoted(values)}")
    for values in itertools.product(*(values for _, values in listed)):
        row = nested(zip((setting for setting, _ in listed), values, strict=True))
        yield row_name(row), row


def _random(table: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    drawn = dict(table)
    num_runs, seed = drawn.pop("num_runs", 10), drawn.pop("seed", 0)
    if type(num_runs) is not int or num_runs < 1 or type(seed) is not int or seed < 0:
        raise ValueError(
            f"[random] needs num_runs, an integer of at least 1, and seed, of at least 0. "
            f"Received: num_runs={quoted(num_runs)}, seed={quoted(seed)}"
        )
    space, generator = read_space(drawn, "random"), np.random.default_rng(seed)
    for index in range(num_runs):
        row = nested((setting, values.draw(generator)) for setting, values in space.items())
        yield f"{index + 1}: {row_name(row)}", row


def _slug(index: int, name: str) -> str:
    text = re.sub(r"[^A-Za-z0-9.=]+", "-", name).strip("-.")[:_MAX_SLUG]
    return f"{index + 1:03d}-{text}"


def _seeds(tables: Mapping[str, Any]) -> tuple[int, ...]:
    sweep = tables.get("sweep", {})
    if not isinstance(sweep, Mapping):
        raise ValueError(f"[sweep] must be a table. Received: sweep={quoted(sweep)}")
    unknown = set(sweep).difference(("seeds",))
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
