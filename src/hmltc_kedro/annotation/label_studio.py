"""Documents to review as tasks of Label Studio: https://labelstud.io/guide/predictions, /guide/task_format."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from hmltc_kedro.annotation.review_items import (
    MODEL,
    Answers,
    ReviewItem,
    as_list,
    collect,
    list_objects,
    parse_json,
)
from hmltc_kedro.corpus.labels import ClassReader
from hmltc_kedro.errors import InputError
from hmltc_kedro.taxonomy import Taxonomy

MAX_MENU = 20_000
"""Paths that are given as one menu."""


def write_label_studio(items: Sequence[ReviewItem], path: Path, taxonomy: Taxonomy) -> dict[Path, str]:
    """Return tasks in Label Studio's JSON, each with its prediction, and the labelling configuration in XML."""
    n_paths = taxonomy.count_paths()
    if n_paths > MAX_MENU:
        raise InputError(f"{n_paths:,} paths are too many for a menu of Label Studio ({MAX_MENU:,}); use --format csv")
    reader = ClassReader(taxonomy)
    tasks = []
    for item in items:
        data = {
            "split": item.split,
            "doc_id": item.doc_id,
            "text": item.text,
            "candidates": reader.write(item.runners_up) or "none",
            "doubt": round(item.doubt, 3),
            "expected_f1": round(item.expected_f1, 3),
        }
        steps = [_name_steps(path, taxonomy) for path in item.paths]
        result = {"from_name": "classes", "to_name": "text", "type": "taxonomy", "value": {"taxonomy": steps}}
        prediction = {"model_version": MODEL, "score": max(item.scores, default=0.0), "result": [result]}
        tasks.append({"data": data, "predictions": [prediction] if steps else []})
    view = ElementTree.Element("View")
    ElementTree.SubElement(view, "Text", name="text", value="$text")
    ElementTree.SubElement(view, "Header", value="Other candidates")
    ElementTree.SubElement(view, "Text", name="candidates", value="$candidates")
    menu = ElementTree.SubElement(view, "Taxonomy", name="classes", toName="text", showFullPath="true")
    menu.set("pathSeparator", " > ")
    _add_choices(menu, None, taxonomy)
    ElementTree.indent(view)
    xml = ElementTree.tostring(view, encoding="unicode")
    return {path: json.dumps(tasks, ensure_ascii=False, indent=1) + "\n", path.with_suffix(".xml"): xml + "\n"}


def _add_choices(menu: ElementTree.Element, above: int | None, taxonomy: Taxonomy) -> None:
    for name, c in _name_children(above, taxonomy).items():
        _add_choices(ElementTree.SubElement(menu, "Choice", value=name), c, taxonomy)


def _name_children(above: int | None, taxonomy: Taxonomy) -> dict[str, int]:
    """Return the children of a class, or the roots, by names that tell them apart."""
    classes = [int(c) for c in (taxonomy.roots if above is None else taxonomy.children[above])]
    numbers = Counter(taxonomy.spoken_name(c) for c in classes)
    names = (taxonomy.spoken_name(c) for c in classes)
    return {n if numbers[n] == 1 else f"{n} ({taxonomy.class_ids[c]})": c for n, c in zip(names, classes, strict=True)}


def _name_steps(path: Sequence[int], taxonomy: Taxonomy) -> list[str]:
    steps = []
    for above, c in zip([None, *path], path, strict=False):
        steps.append(next(name for name, child in _name_children(above, taxonomy).items() if child == c))
    return steps


def _write_steps(steps: Sequence[str], taxonomy: Taxonomy, reader: ClassReader) -> str:
    """Return a choice in the menu as `labels.csv` has it; one that is not in the menu comes back as it is."""
    path: list[int] = []
    for step in steps:
        c = _name_children(path[-1] if path else None, taxonomy).get(step)
        if c is None:
            return " > ".join(steps)
        path.append(c)
    return reader.write([path])


def read_label_studio(path: Path, taxonomy: Taxonomy) -> Answers:
    """Read an export of the kind JSON; of each task the annotations that were submitted and not cancelled."""
    reader = ClassReader(taxonomy)
    tasks = parse_json(path.read_bytes(), f"{path}")
    if not isinstance(tasks, list):
        raise InputError(f"{path}: no list of tasks; export the project as JSON")

    def find_answers(task: Any) -> tuple[str, list[str]]:
        data = task.get("data") if isinstance(task, dict) else None
        if not isinstance(data, dict) or not {"split", "doc_id"} <= data.keys():
            raise InputError("no split and doc_id in its data; export as JSON (not JSON-MIN) what was exported here")
        answers = []
        for annotation in list_objects(task.get("annotations")):
            texts = []
            for result in [] if annotation.get("was_cancelled") else list_objects(annotation.get("result")):
                value = result.get("value")
                value = value if isinstance(value, dict) else {}
                chosen = [[*map(str, as_list(steps))] for steps in as_list(value.get("taxonomy"))]
                texts += [_write_steps(steps, taxonomy, reader) for steps in chosen]
                texts += [str(choice) for choice in as_list(value.get("choices"))]  # of a configuration of one's own
            answers.append("; ".join(texts))
        return f"{data['split']}/{data['doc_id']}", answers

    return collect(path, list(enumerate(tasks, 1)), find_answers, "task")
