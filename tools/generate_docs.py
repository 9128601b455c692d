"""The generated parts of `docs/`: `python tools/generate_docs.py`, at the top of a checkout.

A page says in a marker what is to stand below it; everything outside the markers is written by hand:

    <!-- generated: settings train -->
    <!-- end -->

The tables come from the pipelines, the parameter models, `conf/base` and `conf/paper`; nothing is said twice.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
import tomllib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node
from omegaconf import OmegaConf
from pydantic import BaseModel

import hmltc_kedro
from hmltc_kedro.config import SETTINGS, ProjectConfigLoader
from hmltc_kedro.display import flatten
from hmltc_kedro.errors import InputError
from hmltc_kedro.pipeline_registry import create_stage
from hmltc_kedro.pipelines import STAGES, ablation
from hmltc_kedro.pipelines.ablation.variants import VARIANTS
from hmltc_kedro.settings import CONFIG_LOADER_ARGS
from messages import list_messages

MARKED = re.compile(r"(<!-- generated: ([a-z]+) ?(\w*) -->\n).*?(<!-- end -->)", re.DOTALL)
STAGE_PAGES = (*STAGES, "label", "ablation")
"""Pipelines with a page of their own: the stages of a run, and the two that are no part of one."""
PACKAGE = Path(hmltc_kedro.__file__).parent
SEED = "Top-level, shared by all stages."
"""The one setting that belongs to no model."""
PLACES = {"${_dataset}": "<dataset>", "${_folder}": "<folder>"}
"""What stands in the paths of the catalog, and what readers are shown."""
LOCATIONS = ("filepath", "path", "source")
"""Keys of a catalog entry that say where it lies; the first that it has counts."""
ABBREVIATIONS = ("cf", "e.g", "eq", "etc", "fig", "i.e", "vs")
"""Words whose full stop ends no sentence."""


@dataclass(frozen=True)
class Sources:
    """What the tables are made of, read once.

    Attributes:
        root: top of the checkout.
        catalog: entries of `conf/base` by name, in the order of the stages.
        parameters: by environment, `base` and `paper`.
        pipelines: the stages, and what `label` and the ablation add to them.
    """

    root: Path
    catalog: dict[str, dict[str, Any]]
    parameters: dict[str, dict[str, Any]]
    pipelines: dict[str, Pipeline]

    @classmethod
    def read(cls, root: Path) -> Sources:
        """Read configuration and pipelines."""
        parameters = {environment: _read_parameters(root, environment) for environment in ("base", "paper")}
        stages = {name: create_stage(name) for name in (*STAGES, "label")}
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
        linked = ([_link(sources, entry) for entry in sorted(found, key=order.index)] for found in (reads, writes))
        shown = [", ".join(links) or "–" for links in linked]
        yield _row(f"`{name}`", does, *shown)


def list_settings(sources: Sources, stage: str) -> Iterator[str]:
    """Yield the table of a stage's settings: default, value in conf/paper where it differs, range, meaning.

    Raises:
        InputError: a setting without a docstring below its field.
    """
    read = {name.removeprefix("params:") for name in sources.pipelines[stage].inputs() if name.startswith("params:")}
    base, paper = sources.parameters["base"], sources.parameters["paper"]
    rows = list(_list_fields(SETTINGS[stage], base[stage], paper[stage])) if stage in SETTINGS else []
    if "seed" in read:
        rows.append(("`seed`", _show(base["seed"]), "", "int", SEED))
    if silent := [f"{stage}, {row[0]}" for row in rows if not row[-1]]:
        raise InputError(f"{'; '.join(silent)}: no description; write a docstring below the field of the model")
    rows = [("setting", "default", "`conf/paper`", "allowed", "meaning, and why this default"), *rows]
    if not any(row[2] for row in rows[1:]):
        rows = [(*row[:2], *row[3:]) for row in rows]
    yield from _head(*rows[0])
    yield from (_row(*row) for row in rows[1:])
    others = {name: name.partition(".")[0] for name in sorted(read)}
    if shown := [f"`{name}` ([{s}]({s}.md#settings))" for name, s in others.items() if s in SETTINGS and s != stage]:
        yield from ["", f"It also reads {', '.join(shown)}."]


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
        if entry["metadata"]["kedro-viz"]["layer"] == layer and _find_home(sources, name) == name:
            yield from _describe_entry(sources, name, entry)


def _describe_entry(sources: Sources, name: str, entry: dict[str, Any]) -> Iterator[str]:
    metadata = entry["metadata"]
    said = metadata.get("description")
    if not said:
        raise InputError(f"catalog entry `{name}`: no metadata.description; write one in conf/base/catalog_*.yml")
    makers, readers = _find_users(sources, name)
    yield from [f"### `{name}`", "", said, ""]
    if file := next((entry[key] for key in LOCATIONS if key in entry), None):
        yield f"- file: `{file}`"
        yield f"- made by: {', '.join(makers) or metadata.get('made_by', 'you')}"
    yield f"- read by: {', '.join(readers) or 'people'}"
    if _find_home(sources, f"{{variant}}.{name}") == name:
        yield f"- of a row of the ablation: `{sources.catalog[f'{{variant}}.{name}']['filepath']}`"
    yield f"- type: `{entry['type'].rpartition('.')[2]}`"
    if columns := metadata.get("columns"):
        yield from ["", *_head(metadata.get("parts", "column"), "dtype", "meaning")]
        yield from (_row(f"`{column}`", *text.split(", ", 1)) for column, text in columns.items())
    yield ""


def _find_home(sources: Sources, name: str) -> str:
    """Return the entry whose section describes this one: of a variant's own that says nothing new, the stage's."""
    metadata = sources.catalog[name]["metadata"] if name in sources.catalog else {"columns": {}}
    same = name.removeprefix("{variant}.")
    return same if same in sources.catalog and not metadata.keys() & {"description", "columns"} else name


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
    """Return the title of a page and the first sentence of its first paragraph.

    Raises:
        InputError: the page has no paragraph: headings, code, tables, lists and markers are none.
    """
    text = re.sub(r"^(```.*?^```|<!--.*?-->)$", "\n", path.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
    title, *blocks = (block.strip() for block in re.split(r"\n\s*\n", text.strip()))
    paragraph = next((block for block in blocks if block and not re.match(r"[#|>!]|[-*+] |\d+\. ", block)), None)
    if paragraph is None:
        raise InputError(f"{path}: no sentence below the title; write one that says what the page is about")
    return title.removeprefix("# "), _cut_sentence(" ".join(paragraph.split()))


def _cut_sentence(text: str) -> str:
    """Return the first sentence of a text; the full stop of an abbreviation does not end it."""
    for found in re.finditer(r"(\S*)[.!?](?= |$)", text):
        if found[1].lower().lstrip("(") not in ABBREVIATIONS:
            return text[: found.end()]
    return text


# ---------------------------------------------------------------------- the house


def draw_house(sources: Sources, _: str) -> Iterator[str]:
    """Yield the layers of import-linter's contract: a picture, and a table of what lies in each room."""
    layers = _read_layers(sources.root)
    yield from ["```mermaid", "flowchart TD"]
    yield from (f'  L{number}["{" · ".join(rooms)}"]' for number, rooms in enumerate(layers, 1))
    yield from [f"  {' --> '.join(f'L{number}' for number, _ in enumerate(layers, 1))}", "```", ""]
    yield from _head("layer", "room", "what is there", "modules")
    for number, rooms in enumerate(layers, 1):
        for room in rooms:
            folder = PACKAGE / room
            source = folder / "__init__.py" if folder.is_dir() else folder.with_suffix(".py")
            does = (ast.get_docstring(ast.parse(source.read_text("utf-8"))) or "").partition("\n")[0]
            modules = sorted({path.stem for path in folder.glob("[!_]*") if path.is_dir() or path.suffix == ".py"})
            yield _row(str(number), f"`{room}`", does, ", ".join(f"`{module}`" for module in modules) or "–")


def _read_layers(root: Path) -> list[list[str]]:
    """Return the rooms of each layer, from the top down."""
    settings = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]
    (layers,) = (contract["layers"] for contract in settings["contracts"] if contract["type"] == "layers")
    return [layer.split(" | ") for layer in layers]


BLOCKS: dict[str, Block] = {
    "nodes": list_nodes,
    "settings": list_settings,
    "variants": list_variants,
    "entries": list_entries,
    "pages": list_pages,
    "house": draw_house,
    "messages": list_messages,
}
"""By the word in the marker; called with the sources and the word after it."""


# ---------------------------------------------------------------------- sources


def _read_catalog(root: Path) -> dict[str, dict[str, Any]]:
    """Return the entries of `conf/base` by name, in the order of the stages, with readable paths."""
    stages = [f"catalog_{stage}" for stage in STAGE_PAGES]
    files = sorted((root / "conf/base").glob("catalog_*.yml"))
    entries: dict[str, dict[str, Any]] = {}
    for file in sorted(files, key=lambda file: stages.index(file.stem) if file.stem in stages else len(stages)):
        loaded: Any = OmegaConf.to_container(OmegaConf.load(file), resolve=False)
        for entry in loaded.values():
            for key in entry.keys() & set(LOCATIONS):
                for text, shown in PLACES.items():
                    entry[key] = entry[key].replace(text, shown)
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


def _link(sources: Sources, entry: str) -> str:
    return f"[`{entry}`](../data_dictionary.md#{make_anchor(_find_home(sources, entry))})"


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
