"""Descriptions of the parts, for the command line."""

import inspect

from tfvae._errors import quoted
from tfvae.parts.building import arguments_of, constructor
from tfvae.parts.part import FAMILIES, nearest
from tfvae.parts.written import written


def families() -> dict[str, str]:
    """Returns the settings of all families by their short names, such as "prior".

    The second of two with the same last word has two words, such as "prior.transform".
    """
    names: dict[str, str] = {}
    for setting in FAMILIES:
        last = setting.rpartition(".")[2]
        names[setting.split(".", 1)[1] if last in names else last] = setting
    return names


def setting_of(name: str) -> str:
    """Returns the setting of a family by its short name.

    Raises:
        ValueError: If there is no such family.
    """
    known = families()
    if name not in known:
        raise ValueError(
            f"There is no kind of part {quoted(name)}.{nearest(name, known)} Expected one of: {', '.join(known)}."
        )
    return known[name]


def require_kind(setting: str, kind: str) -> None:
    """Raises ValueError if a family has no such part."""
    known = FAMILIES[setting].kinds
    if kind not in known:
        noun = FAMILIES[setting].noun
        raise ValueError(
            f"There is no {noun} {quoted(kind)}.{nearest(kind, known)} Expected one of: {', '.join(known)}."
        )


def summary(setting: str, kind: str) -> str:
    """Returns the first sentence of a part's documentation."""
    text = inspect.getdoc(constructor(FAMILIES[setting].kinds[kind])) or ""
    return text.split("\n\n")[0].replace("\n", " ")


def signature(setting: str, kind: str) -> str:
    """Returns the arguments of a part that can be given in a file, with their defaults."""
    return ", ".join(
        each.name if each.default is each.empty else f"{each.name} = {written(each.default)}"
        for each in arguments_of(setting, kind).values()
    )


def documentation(setting: str, kind: str) -> str:
    """Returns the whole documentation of a part.

    Raises:
        ValueError: If there is no such kind.
    """
    require_kind(setting, kind)
    return inspect.getdoc(constructor(FAMILIES[setting].kinds[kind])) or ""
