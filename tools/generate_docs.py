"""The generated parts of `docs/`: `python tools/generate_docs.py`, at the top of a checkout.

A page says in a marker what is to stand below it; everything outside the markers is written by hand:

    <!-- generated: settings train -->
    <!-- end -->

The tables come from the pipelines, the parameter models, `conf/base` and `conf/paper`; nothing is said twice.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node
from kedro.validation.type_extractor import TypeExtractor
from omegaconf import OmegaConf
from pydantic import BaseModel

from hmltc_kedro.config import ProjectConfigLoader
from hmltc_kedro.display import flatten
from hmltc_kedro.errors import InputError
from hmltc_kedro.pipeline_registry import create_stage
from hmltc_kedro.pipelines import STAGES, ablation
from hmltc_kedro.pipelines.ablation.variants import VARIANTS
from hmltc_kedro.settings import CONFIG_LOADER_ARGS

MARKED = re.compile(r"(<!-- generated: ([a-z]+) ?(\w*) -->\n).*?(<!-- end -->)", re.DOTALL)
SEED = "Top-level, shared by all stages: splits, order of batches, samples, bootstrap. Any number will do."
"""The one setting that belongs to no model."""
PLACES = {"${_dataset}": "<dataset>", "${_folder}": "<folder>"}
"""What stands in the paths of the catalog, and what readers are shown."""


@dataclass(frozen=True)
class Sources:
    """What the tables are made of, read once.

    Attributes:
        root: top of the checkout.
        catalog: entries of `conf/base` by name, in the order of the stages.
        parameters: by environment, `base` and `paper`.
        pipelines: the stages and what the ablation adds to them.
    """

    root: Path
    catalog: dict[str, dict[str, Any]]
    parameters: dict[str, dict[str, Any]]
    pipelines: dict[str, Pipeline]

    @classmethod
    def read(cls, root: Path) -> Sources:
        """Read configuration and pipelines."""
        stages = {name: create_stage(name) for name in (*STAGES, "label")}
        parameters = {environment: _read_parameters(root, environment) for environment in ("base", "paper")}
        return cls(root, _read_catalog(root), parameters, {**stages, "ablation": ablation.create_pipeline()})


Block = Callable[[Sources, str], Iterable[str]]


def render_pages(root: Path) -> dict[Path, str]:
    """Return every page below `root/docs` as it should read.

    Raises:
        InputError: a marker that is not known, or a setting or entry without a description.
    """
    sources = Sources.read(root)
    pages = {path: path.read_text("utf-8") for path in sorted((root / "docs").rglob("*.md"))}
    return {path: MARKED.sub(lambda found: _fill(sources, found), text) for path, text in pages.items()}


def _fill(sources: Sources, found: re.Match[str]) -> str:
    start, kind, argument, end = found.groups()
    if kind not in BLOCKS:
        raise InputError(f"docs: there is nothing called {kind!r} to generate; use one of {', '.join(BLOCKS)}")
    body = "\n".join(BLOCKS[kind](sources, argument)).strip()
    return f"{start}\n{body}\n\n{end}"


# ---------------------------------------------------------------------- what a stage reads, writes and can be told


def list_nodes(sources: Sources, stage: str) -> Iterator[str]:
    """Yield the table of a stage's nodes: what each does, the entries it reads and writes."""
    order = list(sources.catalog)
    yield from _head("node", "what it does", "reads", "writes")
    for name, nodes in _group_nodes(sources.pipelines[stage]).items():
        does = (inspect.getdoc(nodes[0].func) or "").splitlines()[0]
        reads = {_generalise(entry) for node in nodes for entry in node.inputs if not entry.startswith("param")}
        writes = {_generalise(entry) for node in nodes for entry in node.outputs}
        shown = [", ".join(map(_link, sorted(entries, key=order.index))) or "–" for entries in (reads, writes)]
        yield _row(f"`{name}`", does, *shown)


def list_settings(sources: Sources, stage: str) -> Iterator[str]:
    """Yield the table of a stage's settings: default, value in conf/paper where it differs, range, meaning.

    Raises:
        InputError: a setting without a docstring below its field.
    """
    pipeline = sources.pipelines[stage]
    models = TypeExtractor({stage: pipeline}).extract_types_from_pipelines()
    base, paper = sources.parameters["base"], sources.parameters["paper"]
    rows = list(_list_fields(models[stage], base[stage], paper[stage])) if stage in models else []
    if "params:seed" in pipeline.inputs():
        rows.append(("`seed`", _show(base["seed"]), "", "int", SEED))
    if silent := [f"{stage}, {row[0]}" for row in rows if not row[-1]]:
        raise InputError(f"{'; '.join(silent)}: no description; write a docstring below the field of the model")
    rows = [("setting", "default", "`conf/paper`", "allowed", "meaning, and why this default"), *rows]
    if not any(row[2] for row in rows[1:]):
        rows = [(*row[:2], *row[3:]) for row in rows]
    yield from _head(*rows[0])
    yield from (_row(*row) for row in rows[1:])
    if others := [f"[{name}]({name}.md#settings)" for name in sorted(models) if name != stage]:
        yield from ["", f"It also reads the settings of {', '.join(others)}."]


def _list_fields(model: type[BaseModel], base: Any, paper: Any, above: str = "") -> Iterator[tuple[str, ...]]:
    """Yield (name, default, value in conf/paper if another, what is allowed, description) of each field and below."""
    schema = model.model_json_schema()
    for name, field in model.model_fields.items():
        default = field.get_default()
        values = [settings.get(name, default) for settings in (base, paper)]
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _list_fields(field.annotation, values[0], values[1], f"{above}{name}.")
        else:
            shown = [_show(value) for value in values]
            other = shown[1] if shown[1] != shown[0] else ""
            allowed = _describe_type(schema["properties"][name], schema.get("$defs", {}))
            yield f"`{above}{name}`", shown[0], other, allowed, " ".join((field.description or "").split())


def _describe_type(schema: dict[str, Any], definitions: dict[str, Any]) -> str:
    """Return what a JSON schema allows, in a few words."""
    if "$ref" in schema:
        return _describe_type(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    if "anyOf" in schema:
        return " or ".join(_describe_type(part, definitions) for part in schema["anyOf"])
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if schema["type"] == "array":
        return "list of " + _describe_type(schema["items"], definitions)
    names = {"integer": "int", "number": "float", "boolean": "true, false", "string": "text"}
    signs = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    bounds = [f"{sign} {schema[key]:g}" for key, sign in signs.items() if key in schema]
    return " ".join([names.get(schema["type"], schema["type"]), ", ".join(bounds)]).strip()


def list_variants(sources: Sources, _: str) -> Iterator[str]:
    """Yield the rows of the ablation: what each is, the nodes it runs for itself, the settings it lays over."""
    settings: Any = OmegaConf.to_container(OmegaConf.load(sources.root / "conf/base/parameters_ablation.yml"))
    yield from _head("variant", "what it is", "nodes of its own", "settings laid over the environment's")
    for name, variant in VARIANTS.items():
        own = [*([variant.labeller] if variant.labeller else []), *variant.own]
        changes = flatten(settings["ablation"]["variants"][name] or {})
        shown = "<br>".join(f"`{key}: {_show(value)[1:-1]}`" for key, value in changes)
        yield _row(f"`{name}`", variant.source, ", ".join(f"`{node}`" for node in own) or "–", shown or "–")
    yield from ["", f"Seeds, one training each: `ablation.seeds`, {_show(settings['ablation']['seeds'])}."]


# ---------------------------------------------------------------------- the data dictionary


def list_entries(sources: Sources, layer: str) -> Iterator[str]:
    """Yield a section for each catalog entry of a layer: file, type, who makes and reads it, columns.

    Raises:
        InputError: an entry without a description.
    """
    for name, entry in sources.catalog.items():
        if entry["metadata"]["kedro-viz"]["layer"] == layer:
            yield from _describe_entry(sources, name, entry)


def _describe_entry(sources: Sources, name: str, entry: dict[str, Any]) -> Iterator[str]:
    metadata = entry["metadata"]
    same = name.removeprefix("{variant}.")  # of the stages; a variant's own is like it unless it says otherwise
    shared = sources.catalog[same]["metadata"] if same != name and same in sources.catalog else {}
    said = metadata.get("description") or shared.get("description")
    if not said:
        raise InputError(f"catalog entry `{name}`: no metadata.description; write one in conf/base/catalog_*.yml")
    makers, readers = _find_users(sources, name)
    yield from [f"### `{name}`", "", said, ""]
    if "filepath" in entry:
        yield f"- file: `{entry['filepath']}`"
        yield f"- made by: {', '.join(makers) or metadata.get('made_by', 'you')}"
    yield f"- read by: {', '.join(readers) or 'people'}"
    yield f"- type: `{entry['type'].rpartition('.')[2]}`"
    if columns := metadata.get("columns"):
        yield from ["", *_head(metadata.get("parts", "column"), "dtype", "meaning")]
        yield from (_row(f"`{column}`", *text.split(", ", 1)) for column, text in columns.items())
    elif "columns" in shared:
        yield f"- columns: as {_link(same, '')}"
    yield ""


def _find_users(sources: Sources, name: str) -> tuple[list[str], list[str]]:
    """Return the nodes that write an entry and the stages that read it, as links."""
    makers, readers = [], []
    for stage, pipeline in sources.pipelines.items():
        link = f"[{stage}](stages/{stage}.md)"
        if any(name in map(_generalise, node.inputs) for node in pipeline.nodes):
            readers.append(link)
        for node, group in _group_nodes(pipeline).items():
            if any(name in map(_generalise, each.outputs) for each in group):
                makers.append(f"`{node}` of {link}")
    return makers, readers


# ---------------------------------------------------------------------- the index


def list_pages(sources: Sources, folder: str) -> Iterator[str]:
    """Yield the pages of `docs` or of a folder below it, each with the first sentence of its text."""
    here = sources.root / "docs" / folder
    paths = [here / f"{stage}.md" for stage in sources.pipelines] if folder else sorted(here.glob("*.md"))
    yield from _head("page", "")
    for path in paths:
        if path.name != "README.md":
            title, sentence = _read_opening(path)
            yield _row(f"[{title}]({path.relative_to(sources.root / 'docs').as_posix()})", sentence)


def _read_opening(path: Path) -> tuple[str, str]:
    """Return the title of a page and the first sentence below it."""
    title, text, *_ = re.split(r"\n\s*\n", path.read_text("utf-8").strip())
    return title.removeprefix("# "), re.split(r"(?<=\.)\s", " ".join(text.split()))[0]


BLOCKS: dict[str, Block] = {
    "nodes": list_nodes,
    "settings": list_settings,
    "variants": list_variants,
    "entries": list_entries,
    "pages": list_pages,
}
"""By the word in the marker; called with the sources and the word after it."""


# ---------------------------------------------------------------------- sources


def _read_catalog(root: Path) -> dict[str, dict[str, Any]]:
    """Return the entries of `conf/base` by name, in the order of the stages, with readable paths."""
    stages = [f"catalog_{stage}" for stage in (*STAGES, "label")]
    files = sorted((root / "conf/base").glob("catalog_*.yml"))
    entries: dict[str, dict[str, Any]] = {}
    for file in sorted(files, key=lambda file: stages.index(file.stem) if file.stem in stages else len(stages)):
        loaded: Any = OmegaConf.to_container(OmegaConf.load(file), resolve=False)
        for entry in loaded.values():
            for text, shown in PLACES.items():
                entry |= {"filepath": entry["filepath"].replace(text, shown)} if "filepath" in entry else {}
        entries |= loaded
    return entries


def _read_parameters(root: Path, environment: str) -> dict[str, Any]:
    """Return the parameters of an environment."""
    arguments: dict[str, Any] = CONFIG_LOADER_ARGS
    return ProjectConfigLoader(str(root / "conf"), env=environment, **arguments)["parameters"]


def _group_nodes(pipeline: Pipeline) -> dict[str, list[Node]]:
    """Return the nodes by name; those of all variants of the ablation are one."""
    groups: dict[str, list[Node]] = {}
    for node in pipeline.nodes:
        name = node.name.rpartition(".")[2]
        groups[name] = [*groups.pop(name, []), node]  # where its last one stands: a variant that runs everything
    return groups


def _generalise(entry: str) -> str:
    """Return the catalog's name of an entry: `gcn.scores` is `{variant}.scores`."""
    return "{variant}." + entry.partition(".")[2] if "." in entry else entry


# ---------------------------------------------------------------------- Markdown


def make_anchor(title: str) -> str:
    """Return the anchor that GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", title.strip().lower()).replace(" ", "-")


def _link(entry: str, page: str = "../data_dictionary.md") -> str:
    return f"[`{entry}`]({page}#{make_anchor(entry)})"


def _head(*cells: str) -> list[str]:
    return [_row(*cells), _row(*["---"] * len(cells))]


def _row(*cells: str) -> str:
    return f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |".replace("|  |", "| |")


def _show(value: Any) -> str:
    """Return a value as YAML would have it, as code."""
    if value is None or isinstance(value, bool):
        return f"`{str(value).lower().replace('none', 'null')}`"
    if isinstance(value, float):
        return "`.inf`" if value == float("inf") else f"`{np.format_float_positional(value, trim='0')}`"
    if isinstance(value, list | tuple):
        return f"`[{', '.join(map(str, value))}]`"
    return f"`{value}`"


def main(arguments: Sequence[str] | None = None) -> int:
    """Bring the pages below `docs` up to date; return 0, or 1 if something has no description."""
    root = Path(*(arguments if arguments is not None else sys.argv[1:]))
    try:
        pages = render_pages(root)
    except InputError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    stale = {path: text for path, text in pages.items() if path.read_text("utf-8") != text}
    for path, text in stale.items():
        path.write_text(text, "utf-8")
        print(path)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
