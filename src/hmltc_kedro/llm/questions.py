"""The questions about the classes of a taxonomy, one builder a task."""

from __future__ import annotations

from collections.abc import Sequence

from hmltc_kedro.llm.client import ChatRequest
from hmltc_kedro.llm.prompts import render_prompt
from hmltc_kedro.llm.schemas import ClassDescription, ClassKeywords, ClassReviews
from hmltc_kedro.taxonomy import Taxonomy


def describe_class(
    taxonomy: Taxonomy,
    c: int,
    *,
    keywords: Sequence[str] | None = None,
    max_siblings: int | None = None,
    temperature: float = 0.7,
    max_tokens: int = 200,
) -> ChatRequest:
    """Ask for one sharp sentence about class `c`.

    Args:
        taxonomy: gives name, paths, parents, siblings, children.
        c: position of the class.
        keywords: None for those of the taxonomy.
        max_siblings: the first so many only; None for all.
        temperature: sampling temperature.
        max_tokens: bound on the answer.
    """
    prompt = render_prompt(
        "describe_class",
        name=taxonomy.spoken_name(c),
        paths=_paths(taxonomy, c),
        parents=_names(taxonomy, taxonomy.parents[c]),
        siblings=_names(taxonomy, taxonomy.siblings[c][:max_siblings]),
        children=_names(taxonomy, taxonomy.children[c]),
        keywords=list(taxonomy.keywords[c] if keywords is None else keywords),
    )
    return ChatRequest(
        task="describe_class",
        class_id=taxonomy.class_ids[c],
        prompt=prompt,
        schema=ClassDescription,
        temperature=temperature,
        max_tokens=max_tokens,
    )


def write_keywords(
    taxonomy: Taxonomy,
    c: int,
    *,
    count: int = 10,
    max_siblings: int | None = None,
    temperature: float = 0.7,
    max_tokens: int = 200,
) -> ChatRequest:
    """Ask for `count` keywords of class `c`, for a class that has none."""
    prompt = render_prompt(
        "write_keywords",
        name=taxonomy.spoken_name(c),
        paths=_paths(taxonomy, c),
        siblings=_names(taxonomy, taxonomy.siblings[c][:max_siblings]),
        children=_names(taxonomy, taxonomy.children[c]),
        count=count,
    )
    return ChatRequest(
        task="write_keywords",
        class_id=taxonomy.class_ids[c],
        prompt=prompt,
        schema=ClassKeywords,
        temperature=temperature,
        max_tokens=max_tokens,
    )


def write_reviews(
    taxonomy: Taxonomy,
    c: int,
    *,
    path: Sequence[int],
    description: str,
    examples: Sequence[str],
    count: int = 5,
    keywords: Sequence[str] | None = None,
    max_siblings: int | None = None,
    temperature: float = 0.8,
    max_tokens: int = 1000,
    sample: int = 0,
) -> ChatRequest:
    """Ask for `count` texts of class `c` in the style of `examples`.

    Args:
        taxonomy: gives names and siblings.
        c: position of the class.
        path: positions from a root to `c`; the texts belong to all of them.
        description: what the class is.
        examples: texts of the collection, see `draw_examples`.
        count: number of texts.
        keywords: None for those of the taxonomy.
        max_siblings: the first so many only; None for all.
        temperature: sampling temperature.
        max_tokens: bound on the answer; 200 a text of a review's length.
        sample: another number asks for another set of texts.
    """
    prompt = render_prompt(
        "write_reviews",
        name=taxonomy.spoken_name(c),
        path=[taxonomy.spoken_name(node) for node in path],
        description=description,
        keywords=list(taxonomy.keywords[c] if keywords is None else keywords),
        siblings=_names(taxonomy, taxonomy.siblings[c][:max_siblings]),
        examples=list(examples),
        count=count,
    )
    return ChatRequest(
        task="write_reviews",
        class_id=taxonomy.class_ids[c],
        prompt=prompt,
        schema=ClassReviews,
        temperature=temperature,
        max_tokens=max_tokens,
        sample=sample,
    )


def _names(taxonomy: Taxonomy, classes: Sequence[int]) -> list[str]:
    return list(dict.fromkeys(taxonomy.spoken_name(c) for c in classes))


def _paths(taxonomy: Taxonomy, c: int) -> list[list[str]]:
    return [[taxonomy.spoken_name(node) for node in path] for path in taxonomy.paths_to(c)]
