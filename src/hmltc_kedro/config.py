"""How the project reads its configuration: every stage's settings checked and complete before anything runs."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping, Set
from functools import cache
from pathlib import Path
from typing import Annotated, Any

from kedro.config import OmegaConfigLoader
from omegaconf.errors import OmegaConfBaseException
from pydantic import BaseModel, Field, TypeAdapter, ValidationError
from yaml.parser import ParserError  # type: ignore[import-untyped]

from hmltc_kedro.display import flatten
from hmltc_kedro.errors import InputError
from hmltc_kedro.pipelines.annotate.params import AnnotateParams
from hmltc_kedro.pipelines.augment.params import AugmentParams
from hmltc_kedro.pipelines.base import StageParams
from hmltc_kedro.pipelines.enrich.params import EnrichParams
from hmltc_kedro.pipelines.infer.params import InferParams
from hmltc_kedro.pipelines.ingest.params import IngestParams
from hmltc_kedro.pipelines.label.params import LabelParams
from hmltc_kedro.pipelines.pseudo_label.params import PseudoLabelParams
from hmltc_kedro.pipelines.report.params import ReportParams
from hmltc_kedro.pipelines.train.params import TrainParams

SETTINGS: dict[str, type[BaseModel]] = {
    "ingest": IngestParams,
    "enrich": EnrichParams,
    "pseudo_label": PseudoLabelParams,
    "annotate": AnnotateParams,
    "augment": AugmentParams,
    "train": TrainParams,
    "infer": InferParams,
    "report": ReportParams,
    "label": LabelParams,
}
"""What can be set, by stage."""

Seed = Annotated[int, Field(ge=0, lt=2**32)]
"""What every library that draws takes."""


class AblationParams(StageParams):
    """What the ablation trains with, and what its rows lay over the settings of the stages."""

    seeds: list[Seed] = Field(min_length=1)
    variants: dict[str, dict[str, dict[str, Any]] | None] = Field(default_factory=dict)


CHECKED: dict[str, Any] = {**SETTINGS, "seed": Seed, "ablation": AblationParams}
"""The types of all parameters."""


class HiddenDict(dict[Any, Any]):
    """Credentials on their way to a dataset: the values are there, and no log shows them."""

    def __repr__(self) -> str:
        return "{" + ", ".join(f"{key!r}: ***" for key in self) + "}"


class HiddenText(str):
    """A text of which no log shows more than that it is one."""

    def __repr__(self) -> str:
        return "'***'"


class ProjectConfigLoader(OmegaConfigLoader):
    """Kedro's loader; credentials hide, and settings come out checked and complete, those of the variants too.

    Kedro reads `conf/base` and the folder of one environment, `conf/local` where none is named. What a person keeps
    there of secrets holds in every environment here, and an environment's own goes before it. At its level DEBUG Kedro
    prints all credentials, hence the objects that hide them.

    Nodes take the slices of the settings that they read, so no node would notice a key that does not exist; and a slice
    has to be there, whether a file names it or not.
    """

    def __getitem__(self, key: str) -> dict[str, Any]:
        """Return the configuration `key`.

        Raises:
            InputError: there is no configuration here at all, or a setting of it that cannot be.
        """
        base = Path(self.conf_source) / self.base_env
        if self._protocol == "file" and not base.is_dir():
            raise InputError(
                f"{base}: no such folder; stand in the folder of `conf`, or give it with --conf-source, a folder or "
                "conf-hmltc_kedro.tar.gz"
            )
        if key == "credentials":
            # Storage of this machine needs none, and a credentials.yml of one's own need not name it.
            return HiddenDict(hide_values({"bulk": {}, **self._read_credentials()}))
        if key in {"catalog", "parameters"}:
            global_values = super().__getitem__("globals")
            check_folders({**global_values, **(self.runtime_params or {})})
        config = super().__getitem__(key)
        if key == "catalog":
            return anchor_paths(set_documents(config, self["parameters"]), self._root)
        if key != "parameters":
            return config
        check_homes(config, global_values, self.env or self.default_run_env)
        complete = complete_settings(config)
        if complete.get("label", {}).get("source"):
            complete["label"]["source"] = _anchor(complete["label"]["source"], self._root, False)
        return expand_variants(complete, find_variant_inputs()) if "ablation" in complete else complete

    project_path: Path | None = None
    """The project's folder, once a session has said it; the one that `conf` lies in until then."""

    @property
    def _root(self) -> Path:
        return self.project_path or Path(self.conf_source).resolve().parent

    def _read_credentials(self) -> dict[str, Any]:
        """Return the credentials of base, local and the environment, the later before the earlier.

        Raises:
            InputError: a file is no YAML, or an interpolation in it leads nowhere; the values are not shown.
        """
        local, env = self.default_run_env, self.env or self.default_run_env
        try:
            found: dict[str, Any] = super().__getitem__("credentials")
            if "credentials" in self or env == local or not (Path(self.conf_source) / local).is_dir():
                return found
            return {**found, **self._read_folder(local), **(self._read_folder(env) if env != self.base_env else {})}
        except ParserError as error:  # names file and line, and quotes nothing
            raise InputError(str(error)) from None
        except OmegaConfBaseException as error:  # its message may quote a value
            unset = re.search(r"Environment variable '(\w+)' not found", str(error))
            what = f"the environment variable {unset[1]} is not set" if unset else "a ${...} cannot be resolved"
            name = unset[1] if unset else "NAME"
            raise InputError(f"credentials.yml: {what}; set it, or write ${{oc.env:{name},null}}") from None

    def _read_folder(self, env: str) -> dict[str, Any]:
        folder, patterns = str(Path(self.conf_source) / env), self.config_patterns["credentials"]
        found: dict[str, Any] = self.load_and_merge_dir_config(folder, patterns, "credentials", set(), True)
        return found


NAME = r"\w([\w .+-]*[\w+-])?"
"""Of a folder: letters of any script and digits, and between them a few signs; no way to another place."""


def check_folders(settings: Mapping[str, Any]) -> None:
    """Refuse names that paths of the catalog cannot be made of.

    Raises:
        InputError: the dataset or the variant is no text, or no name of a folder.
    """
    dataset, variant = settings.get("dataset", "sample"), settings.get("variant", "")
    rule = "it is the name of a folder in data/01_raw: letters, digits, _, - and ."
    if not isinstance(dataset, str):
        raise InputError(f"dataset: {dataset!r} is no text; write the name in quotes")
    if not re.fullmatch(NAME, dataset):
        raise InputError(f"dataset: {dataset!r} is no name; {rule}")
    if not isinstance(variant, str) or not re.fullmatch(f"(/{NAME})?", variant):
        raise InputError(f"variant: {variant!r} is no folder; write / and a name, or nothing")


CREDENTIALS = ("credentials", "openai", "bulk", "api_key", "base_url_key", "OPENAI_API_KEY", "LLM_API_KEY")
"""Names under which people look for secrets, which are no parameters."""

RESOURCES = {
    "llm": {"client": "llm", "model": "llm_model", "base_url": "llm_base_url"},
    "encoder": {"model": "encoder", "backend": "encoder_backend"},
}
"""Entries of `catalog_resources.yml` that share their name with a global, and which of their settings are globals."""


def check_homes(parameters: Mapping[str, Any], global_values: Mapping[str, Any], env: str) -> None:
    """Refuse parameters that are something else, and say what; no value is shown, since it may be a secret.

    Args:
        parameters: by their names at the top.
        global_values: the globals; `dataset` is one that may be a parameter as well.
        env: the environment whose files hold before those of `conf/base`.

    Raises:
        InputError: one line each.
    """
    problems = []
    for name, value in parameters.items():
        for path, _ in flatten({name: value}):
            below = path.removeprefix(f"{name}.")
            home = RESOURCES.get(name, {}).get(below, name if path == name else "")
            if name in CREDENTIALS or (name in RESOURCES and below in CREDENTIALS):
                where = "it is a credential; write it into conf/local/credentials.yml, as in conf/base/credentials.yml"
            elif home in global_values and home != "dataset":
                where = f"it is a global; write `{home}: ...` into conf/{env}/globals.yml"
            elif name in RESOURCES:
                where = f"look for it below `{name}` in conf/base/catalog_resources.yml"
            else:
                continue
            problems.append(f"there is no parameter `{path}`: {where}")
    if problems:
        raise InputError.from_problems(problems)


PATHS = ("cache", "recordings", "source", "target", "model")
"""Settings of catalog entries that may be paths; Kedro itself knows `filepath` alone."""


def set_documents(catalog: Mapping[str, Any], parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the catalog with what parameters say of documents in the entries that read them.

    These are `ingest.columns` and `label.source`: parameters and no settings of entries, so that they are said once, on
    the command line too, and a change makes stale what was made from others.
    """
    columns, source = parameters.get("ingest", {}).get("columns"), parameters.get("label", {}).get("source")
    named = {"columns": {"key": [columns["doc_id"]], "values": list(columns["text"])}} if columns else {}
    changed = dict(catalog)
    for name, entry in catalog.items():
        if isinstance(entry, Mapping) and entry.get("corpus"):
            changed[name] = {**entry, **named}
        elif isinstance(entry, Mapping) and str(entry.get("type")).endswith(".BulkDataset"):
            changed[name] = {**entry, **named, **({"source": source} if source else {})}
    return changed


def anchor_paths(catalog: Mapping[str, Any], root: Path) -> dict[str, Any]:
    """Return the catalog with every relative path meant from the project's folder, wherever the command is run from.

    A `model` is a path if there is such a folder, and otherwise a name; addresses such as `s3://...` stay.
    """
    anchored = {}
    for name, entry in catalog.items():
        own = isinstance(entry, Mapping) and str(entry.get("type", "")).startswith("hmltc_kedro.")
        changes = {key: _anchor(entry[key], root, key == "model") for key in PATHS if key in entry} if own else {}
        anchored[name] = {**entry, **changes} if changes else entry
    return anchored


def _anchor(value: Any, root: Path, must_exist: bool) -> Any:
    if isinstance(value, list):
        return [_anchor(item, root, must_exist) for item in value]
    if not isinstance(value, str) or "://" in value or Path(value).is_absolute():
        return value
    return str(root / value) if not must_exist or (root / value).is_dir() else value


def hide_values(value: Any) -> Any:
    """Return the same values in objects whose representation does not show them."""
    if isinstance(value, dict):
        return HiddenDict({key: hide_values(item) for key, item in value.items()})
    if isinstance(value, list):
        return [hide_values(item) for item in value]
    return HiddenText(value) if isinstance(value, str) else value


def complete_settings(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters with the defaults of every stage filled in.

    Raises:
        InputError: one line a setting that does not exist or has a value that it cannot have.
    """
    return {name: _complete(name, value) if name in CHECKED else value for name, value in parameters.items()}


def _complete(name: str, value: Any, where: str | None = None) -> Any:
    """Return a parameter, such as a stage's settings, through its type; `where` it stands, if not at the top."""
    adapter = TypeAdapter(CHECKED[name])
    try:
        return adapter.dump_python(adapter.validate_python(value))
    except ValidationError as error:
        problems = [_explain(CHECKED[name], where or name, problem) for problem in error.errors()]
        raise InputError.from_problems(problems) from error


def _explain(model: Any, stage: str, problem: Mapping[str, Any]) -> str:
    """Return what is wrong with one setting, in a line."""
    places = [str(part) for part in problem["loc"]]
    name = ".".join([stage, *places])
    if problem["type"] != "extra_forbidden":
        if isinstance(problem["input"], Mapping):  # about several of its values at once; the message says which
            return f"parameter `{name}`: {problem['msg'].removeprefix('Value error, ')}"
        return f"parameter `{name}`: {problem['msg'][:1].lower()}{problem['msg'][1:]}; it is {problem['input']!r}"
    for part in places[:-1]:
        model = model.model_fields[part].annotation
    return f"there is no parameter `{name}`; use {', '.join(model.model_fields)}"


# ---------------------------------------------------------------------- variants of the ablation


@cache
def find_variant_inputs() -> dict[str, frozenset[str]]:
    """Return the parameters that each row of the ablation reads, such as `train` or `pseudo_label.gap`."""
    from hmltc_kedro.pipelines.ablation.pipeline import create_variant
    from hmltc_kedro.pipelines.ablation.variants import VARIANTS

    found = {}
    for row, variant in VARIANTS.items():
        prefix = f"params:ablation.variants.{row}."
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "One or more dataset names contain '.'")  # namespaces, as it should be
            names = create_variant(row, variant).inputs()
        found[row] = frozenset(name.removeprefix(prefix) for name in names if name.startswith(prefix))
    return found


def expand_variants(parameters: dict[str, Any], inputs: Mapping[str, Set[str]]) -> dict[str, Any]:
    """Return the parameters with every stage's settings below each variant, its overlays applied.

    `ablation.variants` holds overlays: what differs from the stages' own settings. They are laid over the settings
    after environment and command line have had their say, so that a variant follows both.

    Args:
        parameters: complete, with the overlays.
        inputs: the parameters that each row reads.

    Raises:
        InputError: an overlay on a row that does not exist, or on something that the row does not read: it would
            change nothing, and say so nowhere.
    """
    ablation = parameters["ablation"]
    stages = {name: value for name, value in parameters.items() if name in SETTINGS}
    variants: dict[str, Any] = {}
    for row, overlays in ablation["variants"].items():
        if row not in inputs:
            raise InputError(f"ablation.variants.{row}: there is no such row; use one of {', '.join(inputs)}")
        overlays = overlays or {}
        for name, _ in flatten(overlays):
            if not any(name == read or f"{name}.".startswith(f"{read}.") for read in inputs[row]):
                raise InputError(
                    f"ablation.variants.{row}.{name}: the row `{row}` does not read this, it would change nothing; "
                    f"it reads {', '.join(sorted(inputs[row]))}"
                )
        merged = {name: overlay(value, overlays.get(name, {})) for name, value in stages.items()}
        variants[row] = {
            name: _complete(name, value, f"ablation.variants.{row}.{name}") for name, value in merged.items()
        }
    return {**parameters, "ablation": {**ablation, "variants": variants}}


def overlay(settings: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Return `settings` with `changes` laid over them, key by key at every depth; neither is altered."""
    merged = dict(settings)
    for key, value in changes.items():
        below = merged.get(key)
        merged[key] = overlay(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return merged
