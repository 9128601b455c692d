"""What stands for a class: its texts, and their vectors by view."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hmltc_kedro.arrays import FloatArray, IntArray
from hmltc_kedro.enrichment.templates import write_templates
from hmltc_kedro.taxonomy import Taxonomy
from hmltc_kedro.text.encoder import TextEncoder
from hmltc_kedro.text.windows import normalise


def write_lexical_texts(taxonomy: Taxonomy) -> list[str]:
    """Return the words that stand for each class in the lexical view: name, path, keywords, parents and children.

    Not those of its description: a language model writes around a class, in words that its siblings share.
    """
    return [
        " ".join([taxonomy.spoken_name(c), taxonomy.labels[c], *taxonomy.keywords[c], template])
        for c, template in enumerate(write_templates(taxonomy))
    ]


def write_class_texts(taxonomy: Taxonomy, descriptions: Sequence[str]) -> list[str]:
    """Return the paper's text of each class: `Class Name: ... ; Keywords: ... ; Description: ...`."""
    return [
        f"Class Name: {taxonomy.spoken_name(c)} ; Keywords: {', '.join(taxonomy.keywords[c])} ; "
        f"Description: {descriptions[c]}"
        for c in range(len(taxonomy))
    ]


def write_path_texts(taxonomy: Taxonomy) -> tuple[list[str], IntArray]:
    """Return one text `root > ... > class` a parent edge (one for a root), and the class of each text."""
    texts: list[str] = []
    owners: list[int] = []
    for c, parents in enumerate(taxonomy.parents):
        name = taxonomy.spoken_name(c)
        above = [f"{taxonomy.labels[p]} > " for p in parents] or [""]
        texts += [prefix + name for prefix in above]
        owners += [c] * len(above)
    return texts, np.array(owners, dtype=np.int64)


def embed_classes(encoder: TextEncoder, taxonomy: Taxonomy, descriptions: Sequence[str]) -> dict[str, FloatArray]:
    """Return the views `text`, `template` and `path` of the classes: each (C, d), float32, unit length.

    `template` is `text` without a language model. A class with several parents has the normalised mean of its paths'
    vectors.
    """
    told, known = (write_class_texts(taxonomy, said) for said in (descriptions, write_templates(taxonomy)))
    text, template = np.split(encoder.encode([*told, *known], role="class"), 2)
    paths, owners = write_path_texts(taxonomy)
    summed = np.zeros_like(text)
    np.add.at(summed, owners, encoder.encode(paths, role="class"))
    return {"text": text, "template": template, "path": normalise(summed)}
