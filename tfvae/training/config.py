"""Configuration of a run: four tables of settings, stored as TOML."""

import dataclasses
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import tomli_w

from tfvae._data_names import DATA_SETS, is_table
from tfvae._errors import quoted, reading, shortened
from tfvae.parts import FAMILIES, merged
from tfvae.parts.part import nearest
from tfvae.training.evaluation_settings import EvaluationConfig
from tfvae.training.settings import DataConfig, ModelConfig, TrainingConfig

# Training settings that may change when a run is resumed.
RESUMABLE = ("epochs", "learning_rate", "beta", "keep", "select", "checkpoint_steps", "on_nan", "strategy")

_HOW_TO_WRITE = "Expected TOML with tables such as [model] and [training]; the config.toml of a run is an example."
# Values that replace the defaults for a data set, unless the user gives others.
_PRESETS: dict[str, dict[str, dict[str, Any]]] = {
    # Ten latent dimensions give sharp strokes. Epochs are short, so there are many. At 8x8 pixels, sampling by the gray
    # value would be mostly noise, so values are binarised with a threshold.
    "digits": {
        "data": {"binarize": "threshold"},
        "model": {"latent_size": 10},
        "training": {"epochs": 200, "learning_rate": 3e-3},
    },
    # Network of the paper for Frey Face (appendix C). Its 1,565 images make short epochs too.
    "frey_face": {"model": {"hidden": (200,), "likelihood": "normal"}, "training": {"epochs": 200}},
}
# The same for the user's own data, which may be few: epochs by data size, and selection against overfitting.
_OWN_DATA: dict[str, dict[str, Any]] = {
    "data": {"validation_split": 0.1},
    "training": {"epochs": 0, "select": "auto"},
}
# The same for a table. Its rows are short, so that a small network and large batches train fast, and many passes pay.
TABLE_DEFAULTS: dict[str, dict[str, Any]] = {
    "model": {"hidden": (64,), "latent_size": 16, "activation": "relu"},
    "training": {"epochs": 0, "batch_size": 0, "learning_rate": 2e-3, "select": "auto"},
}
# Values of settings that did not exist in earlier versions, equivalent to what these versions did.
_EARLIER_VERSIONS: dict[str, dict[str, Any]] = {
    "data": {"validation_split": 0.0},
    "model": {"standardize": "off"},
    "training": {"select": "last"},
}


@dataclasses.dataclass(frozen=True)
class RunConfig:
    """Complete configuration of a run, in four tables."""

    data: DataConfig = dataclasses.field(default_factory=DataConfig)
    model: ModelConfig = dataclasses.field(default_factory=ModelConfig)
    training: TrainingConfig = dataclasses.field(default_factory=TrainingConfig)
    evaluation: EvaluationConfig = dataclasses.field(default_factory=EvaluationConfig)

    @classmethod
    def from_dict(cls, *tables: Mapping[str, Mapping[str, Any]]) -> Self:
        """Merges nested tables with the preset of the data set and the defaults. Later tables take precedence.

        Raises:
            ValueError: If a table or key is unknown, or a value is out of range.
        """
        classes: dict[str, Any] = {field.name: field.default_factory for field in dataclasses.fields(cls)}
        result: dict[str, dict[str, Any]] = {name: {} for name in classes}
        given = [table for table in tables if table]
        data = [table["data"] for table in reversed(given) if isinstance(table.get("data"), Mapping)]
        name = next((table["name"] for table in data if "name" in table), DataConfig.name)
        preset = _PRESETS.get(str(name), {} if str(name) in DATA_SETS else _preset_of_own_data(str(name)))
        for table in (preset, *given):
            for section, values in table.items():
                if section not in result:
                    unknown = shortened(section)
                    raise ValueError(
                        f"Unknown table [{unknown}] in the configuration.{nearest(section, sorted(result))} Expected "
                        f"one of: {', '.join(sorted(result))}."
                    )
                if not isinstance(values, Mapping):
                    raise ValueError(
                        f"[{section}] must be a table: a line [{section}] followed by its settings, as in "
                        f"docs/settings.md. Received: {section}={quoted(values)}"
                    )
                known = {field.name for field in dataclasses.fields(classes[section])}
                for key, value in values.items():
                    if key not in known:
                        unknown = shortened(key)
                        raise ValueError(
                            f"Unknown setting {section}.{unknown}.{nearest(key, sorted(known))} Expected one of: "
                            f"{', '.join(sorted(known))}."
                        )
                    if f"{section}.{key}" in FAMILIES:
                        _merge_part(result[section], section, key, value)
                    else:
                        result[section][key] = value
        likelihood = result["model"].get("likelihood", "auto")
        if likelihood not in ("auto", "bernoulli") and not any("binarize" in table for table in data):
            result["data"].pop("binarize", None)  # the preset is for the default likelihood of its data
        return cls(**{name: classes[name](**values) for name, values in result.items()})

    @classmethod
    def from_toml(cls, path: str | os.PathLike[str], *overrides: Mapping[str, Mapping[str, Any]]) -> Self:
        """Reads a TOML file and applies overrides.

        Raises:
            ValueError: If the file is missing or is not valid TOML, or `from_dict` refuses its content.
        """
        return cls._from_file(path, {}, *overrides)

    @classmethod
    def of_run(cls, path: str | os.PathLike[str], *overrides: Mapping[str, Mapping[str, Any]]) -> Self:
        """Reads the `config.toml` of a run folder. Settings that earlier versions lacked keep their former behaviour.

        Raises:
            ValueError: If the file is missing or is not valid TOML, or `from_dict` refuses its content.
        """
        return cls._from_file(path, _EARLIER_VERSIONS, *overrides)

    @classmethod
    def _from_file(
        cls, path: str | os.PathLike[str], defaults: Mapping[str, Any], *overrides: Mapping[str, Any]
    ) -> Self:
        tables = read_toml(path)
        try:
            cls.from_dict(defaults, tables)
        except ValueError as error:
            raise ValueError(f"{os.fspath(path)} is not a valid configuration: {error}") from error
        return cls.from_dict(defaults, tables, *overrides)

    def to_dict(self) -> dict[str, dict[str, Any]]:
        """Returns the four tables with all settings."""
        return dataclasses.asdict(self)

    def to_toml(self) -> str:
        """Returns the content of a file for `from_toml`."""
        return tomli_w.dumps(self.to_dict())


def _preset_of_own_data(name: str) -> dict[str, dict[str, Any]]:
    path = Path(name)
    return TABLE_DEFAULTS if is_table(path) or _is_folder_of_rows(path) else _OWN_DATA


def _is_folder_of_rows(path: Path) -> bool:
    if not os.path.isdir(path):
        return False
    from tfvae.data.shard_header import has_schema  # imported here, because other data do not need NumPy

    return has_schema(path)


def _merge_part(settings: dict[str, Any], section: str, key: str, value: Any) -> None:
    """Changes a part among the settings of a table, and the settings that are its arguments."""
    family = FAMILIES[f"{section}.{key}"]
    part = merged(settings.get(key, family.default), value)
    if isinstance(part, Mapping):
        shared = {name: part[name] for name in family.shared if name in part}
        kind = part.get("kind")
        for name in shared:
            if isinstance(kind, str) and kind in family.kinds and kind not in family.shared[name]:
                raise ValueError(
                    f"{section}.{key}.{name} is not an argument of the {family.noun} {quoted(kind)}. It is one of "
                    f"{', '.join(family.shared[name])}. Received: {section}.{key}={quoted(dict(part))}"
                )
        for name, each in shared.items():
            _merge_part(settings, section, name, each) if f"{section}.{name}" in FAMILIES else settings.update(
                {name: each}
            )
        rest = {name: each for name, each in part.items() if name not in shared}
        part = rest["kind"] if list(rest) == ["kind"] else rest
    settings[key] = part


def read_toml(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Reads a TOML file. Raises ValueError if it is missing or is not valid TOML."""
    if not os.path.exists(path):
        raise ValueError(f"There is no configuration file {shortened(os.fspath(path))}.")
    with reading(path, _HOW_TO_WRITE):
        return tomllib.loads(Path(path).read_text("utf-8"))
