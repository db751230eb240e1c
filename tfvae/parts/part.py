"""A part of a run as it stands in a file: a name, or a table with `kind` and the arguments of the constructor."""

import dataclasses
import difflib
import re
from collections.abc import Mapping
from typing import Any

from tfvae._errors import quoted
from tfvae.parts import kinds


@dataclasses.dataclass(frozen=True)
class Family:
    """Parts that a setting chooses from.

    Attributes:
        noun: What one of them is called.
        kinds: The constructors by kind, as "module:name".
        given: Arguments that the run provides.
        shared: Settings of the same table that are arguments of some kinds: `model.hidden` is `hidden` of a network.
        default: The part in a table without `kind`.
        own_code: Whether `kind` can name a function of the user's own, as "module:function".
        several: Whether a part has several of this part. It then gets the value as in a file, and makes them.
    """

    noun: str
    kinds: Mapping[str, str]
    given: tuple[str, ...] = ()
    shared: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    default: str | None = None
    own_code: bool = False
    several: bool = False


_OF_LAYERS = ("event_size", "event_shape", "schema", "name")
_TRANSFORMS = Family("transform", kinds.TRANSFORMS, given=("input_order", "seed"), several=True)

# By the setting that they are chosen in.
FAMILIES = {
    "model.network": Family(
        "network",
        kinds.ENCODERS,
        given=("output_size", "image_shape", "name"),
        shared={
            "hidden": tuple(kinds.OF_ANY_SHAPE),
            "filters": tuple(kind for kind in kinds.ENCODERS if kind not in kinds.OF_ANY_SHAPE),
            "activation": tuple(kinds.ENCODERS),
        },
        default="mlp",
        own_code=True,
    ),
    "model.posterior": Family("posterior", kinds.POSTERIORS, given=_OF_LAYERS, default="diag"),
    "model.posterior.transform": _TRANSFORMS,
    "model.likelihood": Family("likelihood", kinds.LAYERS, given=_OF_LAYERS),
    "model.prior": Family(
        "prior",
        kinds.PRIORS,
        given=("latent_size", "encoder", "input_shape", "seed", "condition_shape"),
        default="standard_normal",
    ),
    "model.prior.transform": _TRANSFORMS,
    "training.estimator": Family(
        "estimator",
        kinds.ESTIMATORS,
        given=("label",),
        shared={
            "num_samples": (
                "dreg",
                "enumerated",
                "hamiltonian",
                "iwae",
                "score_function",
                "sgvb",
                "sticking_the_landing",
                "wake_sleep",
            ),
            "kl": ("enumerated", "score_function", "sgvb"),
        },
        default="sgvb",
    ),
    "training.estimator.baseline": Family("baseline", kinds.BASELINES),
    "training.beta": Family("schedule or weighting of the KL", {**kinds.SCHEDULES, **kinds.WEIGHTINGS}),
    "training.optimizer": Family(
        "optimizer", kinds.OPTIMIZERS, shared={"learning_rate": tuple(kinds.OPTIMIZERS)}, default="adam"
    ),
    "training.callbacks": Family("callback", kinds.CALLBACKS, given=("restore_best_weights", "verbose")),
    "training.learning_rate": Family("schedule of the learning rate", kinds.LEARNING_RATES),
    "optuna.sampler": Family("sampler", kinds.SAMPLERS, given=("seed", "trial_seed")),
    "optuna.pruner": Family("pruner", kinds.PRUNERS),
}


def part_of(value: Any, setting: str) -> tuple[str, dict[str, Any]]:
    """Returns the kind and the arguments of a part.

    Args:
        value: A name, or a table with `kind` and arguments.
        setting: The setting that the value belongs to, such as "model.prior".

    Raises:
        ValueError: If it is neither, or the kind is unknown.
    """
    family = FAMILIES[setting]
    if isinstance(value, Mapping):
        table = dict(value)
        kind = table.pop("kind", None)
        if kind is None:
            raise ValueError(
                f"{setting} needs a `kind`, as in {setting} = {{kind = {quoted(next(iter(family.kinds)))}}}. "
                f"Received: {setting}={quoted(value)}"
            )
    else:
        kind, table = value, {}
    is_known = isinstance(kind, str) and (kind in family.kinds or (family.own_code and is_own_code(kind)))
    if not is_known:
        raise ValueError(
            f"{setting} must be one of {', '.join(family.kinds)}, or a table with one of these as `kind`."
            f"{nearest(kind, family.kinds)} Received: {setting}={quoted(value)}"
        )
    return kind, table


def is_part(value: Any) -> bool:
    """Whether the value of a setting that is a number or a part, such as beta, is a part."""
    return isinstance(value, str | Mapping)


def is_own_code(kind: Any) -> bool:
    """Whether a kind names a function of the user's own, as "module:function"."""
    return isinstance(kind, str) and re.fullmatch(r"\w+(\.\w+)*:\w+", kind) is not None


def named(kind: str, arguments: Mapping[str, Any]) -> Any:
    """Returns a part in its shortest form: a name if there are no arguments, otherwise a table."""
    return {"kind": kind, **arguments} if arguments else kind


def described(value: Any) -> Any:
    """Returns a part as one line, such as "vamp(num_components=500)". Other values are returned unchanged."""
    if isinstance(value, Mapping) and "kind" in value:
        arguments = ", ".join(f"{name}={each}" for name, each in value.items() if name != "kind")
        return f"{value['kind']}({arguments})" if arguments else value["kind"]
    if isinstance(value, list | tuple) and any(isinstance(each, Mapping) for each in value):
        return ", ".join(str(described(each)) for each in value)
    return value


def merged(before: Any, value: Any) -> Any:
    """Returns a part after a change: a table without `kind` changes arguments of the part before, others replace it."""
    if not isinstance(value, Mapping) or "kind" in value:
        return value
    table = dict(before) if isinstance(before, Mapping) else {"kind": before} if isinstance(before, str) else {}
    return {**table, **value}


def nearest(name: Any, known: Any) -> str:
    """Returns a question with the known name that is most like another one, or "" if there is none."""
    found = difflib.get_close_matches(str(name), list(known), n=1)
    return f" Did you mean {found[0]!r}?" if found else ""
