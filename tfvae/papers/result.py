"""Result of an experiment: setup, numbers, pictures, and whether the claims of the paper hold."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure


@dataclasses.dataclass(frozen=True)
class Setting:
    """Row of the table that describes the setup of an experiment.

    Attributes:
        symbol: Symbol in the paper, such as "M", or empty.
        meaning: Meaning in words.
        code: Name in tfvae.
        value: Value in this experiment.
    """

    symbol: str
    meaning: str
    code: str
    value: str


@dataclasses.dataclass(frozen=True)
class Claim:
    """Claim of the paper, tested against our numbers.

    Attributes:
        statement: Claim as it is tested.
        holds: Whether our numbers support it.
        evidence: Numbers that decide it.
    """

    statement: str
    holds: bool
    evidence: str


@dataclasses.dataclass(frozen=True)
class Result:
    """Result of an experiment.

    Attributes:
        title: Title with the place in the paper.
        settings: Setup of the experiment.
        numbers: All measurements, JSON-compatible.
        claims: Claims of the paper that the numbers can decide.
        tables: Markdown tables by title.
        figures: Figures by name, which becomes part of the file name.
        remarks: Notes for the reader, such as differences from the paper and their reasons.
    """

    title: str
    settings: Sequence[Setting]
    numbers: Mapping[str, Any]
    claims: Sequence[Claim] = ()
    tables: Mapping[str, str] = dataclasses.field(default_factory=dict)
    figures: Mapping[str, Figure] = dataclasses.field(default_factory=dict)
    remarks: Sequence[str] = ()
