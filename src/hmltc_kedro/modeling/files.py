"""The directory of a classifier: safetensors and JSON only, and a digest of each file, so that no part is swapped."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hmltc_kedro import __version__
from hmltc_kedro.arrays import FloatArray
from hmltc_kedro.atomic import clean_up
from hmltc_kedro.decoding.decode import DecodingSettings
from hmltc_kedro.errors import InputError
from hmltc_kedro.freshness.digests import hash_file
from hmltc_kedro.modeling.student import Student
from hmltc_kedro.modeling.trained_head import TrainedHead
from hmltc_kedro.taxonomy import Taxonomy
from hmltc_kedro.text.lexical_view import LexicalView

FORMAT = 4
"""Of the directory; 4 has a digest of the settings too."""

SETTINGS = "settings.json"
UNCHECKED = (SETTINGS, "README.md")
"""Files without a digest among the parts; the settings have one of their own."""


def write_parts(
    directory: Path,
    head: TrainedHead,
    taxonomy: Taxonomy,
    nulls: FloatArray,
    lexical: LexicalView | None,
    student: Student | None,
) -> None:
    """Write every part but the encoder and the settings."""
    from safetensors.numpy import save_file

    save_file(head.to_tensors(), directory / "head.safetensors")
    save_file({"probabilities": nulls}, directory / "nulls.safetensors")
    taxonomy.write(directory / "taxonomy.json")
    if lexical is not None:
        lexical.save(directory)
    if student:
        student.save(directory)


def write_settings(directory: Path, settings: Mapping[str, Any]) -> None:
    """Write the settings with the digest of every file that lies there."""
    parts = {name: hash_file(directory / name) for name in _list_files(directory)}
    whole = {"format": FORMAT, "hmltc_kedro": __version__, **settings, "parts": parts}
    whole["digest"] = _digest_settings(whole)
    (directory / SETTINGS).write_text(json.dumps(whole, indent=2), "utf-8")


def _digest_settings(settings: Mapping[str, Any]) -> str:
    """Return the digest of all settings but the digest itself."""
    rest = {name: value for name, value in settings.items() if name != "digest"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def _list_files(directory: Path) -> list[str]:
    files = (file.relative_to(directory).as_posix() for file in directory.rglob("*") if file.is_file())
    return sorted(name for name in files if name not in UNCHECKED)


def read_parts(directory: Path) -> dict[str, Any]:
    """Return the parts of a classifier, but for the encoder, which is opened when it is needed.

    Raises:
        InputError: no such model, one this version does not read, or one whose files do not belong together.
    """
    if not directory.exists():
        clean_up(directory)
    if not (directory / SETTINGS).is_file():
        raise InputError(f"{directory}: no classifier here; `kedro run --pipeline=train` makes one")
    from safetensors import SafetensorError

    try:
        settings = json.loads((directory / SETTINGS).read_text("utf-8"))
        if settings["format"] != FORMAT:
            raise ValueError(f"format {settings['format']}, this version reads {FORMAT}")
        if settings["digest"] != _digest_settings(settings):
            raise ValueError(f"{SETTINGS} is not as it was saved")
        _check_digests(directory, settings["parts"])
        return _read_parts(directory, settings)
    except (AttributeError, KeyError, OSError, RuntimeError, SafetensorError, TypeError, ValueError) as error:
        what = " ".join(str(error).split())  # pydantic needs several lines
        raise InputError(f"{directory}: not a readable classifier ({what}); train it again") from error


def _check_digests(directory: Path, parts: Mapping[str, str]) -> None:
    """Refuse a file that is missing, was swapped or has come in: each changes labels without a word."""
    missing = [name for name in parts if not (directory / name).is_file()]
    if missing:
        raise FileNotFoundError(f"no {missing[0]}")
    for name, digest in parts.items():
        if hash_file(directory / name) != digest:
            raise ValueError(f"{name} is not the file that was saved")
    added = [name for name in _list_files(directory) if name not in parts and name.startswith("encoder/")]
    if added:
        raise ValueError(f"{added[0]} was not there when the model was saved")


def _read_parts(directory: Path, settings: Mapping[str, Any]) -> dict[str, Any]:
    from safetensors.numpy import load_file

    taxonomy = Taxonomy.read(directory / "taxonomy.json")
    head = TrainedHead.from_tensors(load_file(directory / "head.safetensors"))
    lexical = LexicalView.load(directory) if head.log_lexical is not None else None
    nulls = load_file(directory / "nulls.safetensors")["probabilities"]
    rows = [len(head), nulls.shape[1], *([lexical.classes.shape[0]] if lexical else [])]
    if set(rows) != {len(taxonomy)}:
        raise ValueError(f"vectors, nulls and words of {rows} classes for {len(taxonomy)} classes")
    if not (directory / "encoder" / "modules.json").is_file():  # the name would be looked up on the hub
        raise FileNotFoundError("no encoder/modules.json")
    has_student = "student.json" in settings["parts"]  # one that has come in was not taught with this classifier
    return {
        "head": head,
        "taxonomy": taxonomy,
        "decoding": DecodingSettings.model_validate(settings["decoding"]),
        "description": settings["description"],
        "lexical": lexical,
        "max_length": settings["max_length"],
        "max_windows": int(settings["max_windows"]),
        "backend": settings.get("backend", "torch"),  # models of before had no other
        "frozen": settings["frozen"],
        "nulls": nulls,
        "student": Student.load(directory, taxonomy) if has_student else None,
        "accept": settings["accept"],
    }


def write_card(taxonomy: Taxonomy, description: Mapping[str, Any], student: Student | None) -> str:
    """Return the model card."""
    roots = ", ".join(taxonomy.spoken_name(c) for c in taxonomy.roots[:20])
    facts = "\n".join(f"- {key}: {value}" for key, value in description.items())
    taught = f"{len(student):,} judged documents" if student else "no labelled document"
    return (
        "# Hierarchical text classifier\n\n"
        f"{taxonomy!r}; roots: {roots}.\n\n"
        f"Trained by hmltc_kedro on silver labels, which come from class names, keywords and descriptions, and on\n"
        f"{taught}. Expect errors in proportion to how well those tell the classes apart.\n\n"
        f"## How it was made\n\n{facts}\n\n"
        "## Use\n\n"
        "```python\nfrom hmltc_kedro import HierarchicalClassifier\n\n"
        'HierarchicalClassifier.load("<this directory>").predict(["some text"])\n```\n\n'
        "Files: `encoder/` (sentence-transformers), `head.safetensors`, `nulls.safetensors`, `taxonomy.json`,\n"
        "`settings.json` with a digest of each; `words.json` and `lexical.safetensors` where words count, `student.*`\n"
        "where documents were judged.\n"
    )
