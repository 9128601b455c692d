"""How the project reads its configuration."""

import re
from pathlib import Path
from typing import Any

from kedro.config import OmegaConfigLoader
from omegaconf.errors import OmegaConfBaseException
from yaml.parser import ParserError  # type: ignore[import-untyped]

from hmltc_kedro.errors import InputError


class HiddenDict(dict[Any, Any]):
    """Credentials on their way to a dataset: the values are there, and no log shows them."""

    def __repr__(self) -> str:
        return "{" + ", ".join(f"{key!r}: ***" for key in self) + "}"


class HiddenText(str):
    """A text of which no log shows more than that it is one."""

    def __repr__(self) -> str:
        return "'***'"


class ProjectConfigLoader(OmegaConfigLoader):
    """Kedro's loader; credentials hide, and the ablation's variants come out as complete settings.

    Kedro reads `conf/base` and the folder of one environment, `conf/local` where none is named. What a person keeps
    there of secrets holds in every environment here, and an environment's own goes before it. At its level DEBUG Kedro
    prints all credentials, hence the objects that hide them.

    `ablation.variants` holds overlays: what differs from the stages' own settings. They are laid over the settings
    after environment and command line have had their say, so that a variant follows both, and so that Kedro checks
    a variant's settings against the same models as the stages' own.
    """

    def __getitem__(self, key: str) -> dict[str, Any]:
        """Return the configuration `key`: credentials hidden, variants expanded."""
        if key == "credentials":
            return HiddenDict(hide_values(self._read_credentials()))
        config = super().__getitem__(key)
        return expand_variants(config) if key == "parameters" and "ablation" in config else config

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


def hide_values(value: Any) -> Any:
    """Return the same values in objects whose representation does not show them."""
    if isinstance(value, dict):
        return HiddenDict({key: hide_values(item) for key, item in value.items()})
    if isinstance(value, list):
        return [hide_values(item) for item in value]
    return HiddenText(value) if isinstance(value, str) else value


def expand_variants(parameters: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters with every stage's settings below each variant, its overlays applied.

    Raises:
        InputError: an overlay on something that is no stage's settings.
    """
    ablation = parameters["ablation"]
    stages = {name: value for name, value in parameters.items() if isinstance(value, dict) and name != "ablation"}
    variants = {}
    for variant, overlays in ablation["variants"].items():
        for name in sorted((overlays or {}).keys() - stages.keys()):
            raise InputError(
                f"ablation.variants.{variant}.{name}: no such stage; use one of {', '.join(sorted(stages))}"
            )
        variants[variant] = {name: overlay(value, (overlays or {}).get(name, {})) for name, value in stages.items()}
    return {**parameters, "ablation": {**ablation, "variants": variants}}


def overlay(settings: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Return `settings` with `changes` laid over them, key by key at every depth; neither is altered."""
    merged = dict(settings)
    for key, value in changes.items():
        below = merged.get(key)
        merged[key] = overlay(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return merged
