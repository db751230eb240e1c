"""What an experiment of a paper comes to: set-up, numbers, pictures, and whether the paper's claims hold."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure


@dataclasses.dataclass(frozen=True)
class Setting:
    """A row of the table that says how an experiment is set up.

    Attributes:
        symbol: the paper's, such as "M"; empty where it has none.
        meaning: in words.
        code: the name it has in tfvae.
        value: here.
    """

    symbol: str
    meaning: str
    code: str
    value: str


@dataclasses.dataclass(frozen=True)
class Claim:
    """What the paper says of an experiment, held to our numbers.

    Attributes:
        statement: the claim, as it is tested.
        holds: whether our numbers bear it out.
        evidence: the numbers that decide.
    """

    statement: str
    holds: bool
    evidence: str


@dataclasses.dataclass(frozen=True)
class Result:
    """What an experiment returns.

    Attributes:
        title: what it is, with its place in the paper.
        settings: the set-up.
        numbers: everything measured, as JSON takes it.
        claims: those of the paper that the numbers can decide.
        tables: Markdown tables by title.
        figures: pictures by name; the name becomes the file's.
        remarks: what a reader has to know: where we differ from the paper, and why.
    """

    title: str
    settings: Sequence[Setting]
    numbers: Mapping[str, Any]
    claims: Sequence[Claim] = ()
    tables: Mapping[str, str] = dataclasses.field(default_factory=dict)
    figures: Mapping[str, Figure] = dataclasses.field(default_factory=dict)
    remarks: Sequence[str] = ()
