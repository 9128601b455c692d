"""The one door for classes: whatever says them, they come out as a taxonomy."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hmltc_kedro.corpus.class_lists import ClassList, list_nested, list_paths, read_listed
from hmltc_kedro.corpus.ontologies import READERS
from hmltc_kedro.corpus.raw_files import RawTable, make_rows, read_text_table
from hmltc_kedro.corpus.raw_taxonomy import build_taxonomy
from hmltc_kedro.errors import InputError
from hmltc_kedro.taxonomy import Taxonomy

CLASSES, HIERARCHY, KEYWORDS = "classes.txt", "class_hierarchy.txt", "class_related_keywords.txt"
"""Files of a raw dataset."""

GIVEN = "taxonomy"
"""What classes without a file are called in messages."""


def read_classes(path: Path) -> ClassList:
    """Read a file of classes: SKOS or OBO by its ending, or what `class_lists.read_listed` reads.

    Raises:
        InputError: with file and line where there are lines, for a missing or empty file, or one not in order.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file; give the file of your classes")
    found = READERS.get(path.suffix.lower(), read_listed)(path)
    if not found.classes:
        raise InputError(f"{path}:1: no classes; write one a line")
    return found


def read_taxonomy(source: Taxonomy | str | Path | Mapping[str, Any] | Sequence[Any]) -> Taxonomy:
    """Return the taxonomy that something says.

    Args:
        source: a taxonomy; the path of a file, see `read_classes`, or of a raw dataset; names within each other as in
            a nested YAML file, `{"kitchen": ["kettles", "mugs"]}`; or a list of names or of paths `a > b > c`.

    Raises:
        InputError: it says what is not in order.
    """
    if isinstance(source, Taxonomy):
        return source
    if isinstance(source, str | Path):
        path = Path(source)
        return read_folder(path) if path.is_dir() else read_classes(path).build_taxonomy()
    if isinstance(source, Sequence) and all(isinstance(name, str) for name in source):
        return _check(list_paths(GIVEN, list(source)))
    if not isinstance(source, Mapping | list | tuple):
        raise InputError(f"{GIVEN}: a {type(source).__name__}; give a Taxonomy, a file of classes, or names in a dict")
    try:
        text = json.dumps(source, indent=1, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(f"{GIVEN}: not names within each other ({error}); write dicts, lists and texts") from None
    return _check(list_nested(GIVEN, text))


def read_folder(folder: Path) -> Taxonomy:
    """Return the taxonomy in a raw dataset's folder; the file of keywords may be missing.

    Raises:
        InputError: another file is missing, or one is wrong.
    """
    for name in (CLASSES, HIERARCHY):
        if not (folder / name).is_file():
            raise InputError(f"{folder / name}: no such file; give a dataset's folder")
    classes, hierarchy = (read_text_table(folder / name, "\t") for name in (CLASSES, HIERARCHY))
    keywords = RawTable(str(folder / KEYWORDS), make_rows([], [], [], []), exists=False)
    if (folder / KEYWORDS).is_file():
        keywords = read_text_table(folder / KEYWORDS, ":")
    return build_taxonomy(classes, hierarchy, keywords)


def _check(found: ClassList) -> Taxonomy:
    if not found.classes:
        raise InputError(f"{GIVEN}: no classes; give one at least")
    return found.build_taxonomy()
