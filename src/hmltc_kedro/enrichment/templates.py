"""What is said of a class without a language model."""

from __future__ import annotations

from hmltc_kedro.taxonomy import Taxonomy


def write_template_description(taxonomy: Taxonomy, c: int) -> str:
    """Return a description of class `c` from its name, parents, children and keywords."""
    name = taxonomy.spoken_name
    parents = " and ".join(name(p) for p in taxonomy.parents[c])
    parts = [f"{name(c)} in {parents}" if parents else name(c)]
    if taxonomy.keywords[c]:
        parts.append("such as " + ", ".join(taxonomy.keywords[c]))
    if taxonomy.children[c]:
        parts.append("with " + ", ".join(name(k) for k in taxonomy.children[c]))
    return ", ".join(parts)


def write_templates(taxonomy: Taxonomy) -> list[str]:
    """Return the template description of each class."""
    return [write_template_description(taxonomy, c) for c in range(len(taxonomy))]
