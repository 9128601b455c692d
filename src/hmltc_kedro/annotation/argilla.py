"""Documents to review as records of Argilla 2: https://docs.argilla.io/latest/how_to_guides/import_export."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hmltc_kedro.annotation.review_items import MODEL, Answers, ReviewItem, collect, list_objects, parse_json
from hmltc_kedro.corpus.labels import ClassReader
from hmltc_kedro.errors import InputError
from hmltc_kedro.taxonomy import Taxonomy

MAX_OPTIONS, MAX_OPTION_LENGTH = 500, 200
"""Labels of one question, and characters of a label, that a server takes by default."""


def write_argilla(items: Sequence[ReviewItem], path: Path, taxonomy: Taxonomy) -> dict[Path, str]:
    """Return records as `rg.Record.from_dict` reads them, one a line, and the dataset as `rg.Settings.from_json` does.

    The question is one of labels, the paths; with more of them than a server takes, it is one of text.
    """
    reader = ClassReader(taxonomy)
    options: list[str] = []
    if 2 <= taxonomy.count_paths() <= MAX_OPTIONS:
        options = [reader.write([p]) for p in taxonomy.iterate_paths()]
        options = options if max(map(len, options)) <= MAX_OPTION_LENGTH else []
    lines = []
    for item in items:
        labels, scores = [reader.write([p]) for p in item.paths], [*item.scores]
        suggestion = {
            "value": labels if options else "; ".join(labels),
            "score": scores if options else max(scores, default=0.0),
            "agent": MODEL,
        }
        record = {
            "id": f"{item.split}/{item.doc_id}",
            "fields": {"text": item.text, "candidates": reader.write(item.runners_up) or "none"},
            "metadata": {"doubt": round(item.doubt, 3), "expected_f1": round(item.expected_f1, 3)},
            "suggestions": {"classes": suggestion} if labels else {},
            "responses": {},
            "vectors": {},
        }
        lines.append(json.dumps(record, ensure_ascii=False) + "\n")
    asked: dict[str, Any] = {"type": "text", "use_markdown": False}
    if options:
        asked = {
            "type": "multi_label_selection",
            "options": [{"value": option, "text": option} for option in options],
            "visible_options": None,
            "options_order": "suggestion",
        }
    plain = {"type": "text", "use_markdown": False}
    settings = {
        "guidelines": "Which classes is the text about? Paths begin at a root, a > b > c; several with ; between them.",
        "allow_extra_metadata": True,
        "fields": [
            {"name": "text", "title": "Text", "required": True, "settings": plain},
            {"name": "candidates", "title": "Other candidates", "required": False, "settings": plain},
        ],
        "questions": [
            {"name": "classes", "title": "Classes", "description": None, "required": True, "settings": asked}
        ],
        "metadata": [],
        "vectors": [],
    }
    settings_path = path.with_suffix(".settings.json")
    return {path: "".join(lines), settings_path: json.dumps(settings, ensure_ascii=False, indent=1) + "\n"}


def read_argilla(path: Path) -> Answers:
    """Read records of `to_dict`: one a line, or the list that `records.to_json` writes."""
    content = path.read_bytes()
    if content.lstrip().startswith(b"["):
        whole = parse_json(content, f"{path}")
        return collect(path, list(enumerate(whole, 1)), _find_answers, "record")
    lines = [(n, line) for n, line in enumerate(content.split(b"\n"), 1) if line.strip()]
    records = [(number, parse_json(line, f"{path}:{number}")) for number, line in lines]
    return collect(path, records, _find_answers, "")


def _find_answers(record: Any) -> tuple[str, list[str]]:
    key = record.get("id") if isinstance(record, dict) else None
    if not isinstance(key, str) or "/" not in key:
        raise InputError("no id <split>/<doc_id>; write records with to_dict, as they were exported")
    responses = record.get("responses")
    given = [r.get("value") for r in list_objects(responses.get("classes") if isinstance(responses, dict) else None)]
    return key, ["; ".join(map(str, value)) if isinstance(value, list) else str(value or "") for value in given]
