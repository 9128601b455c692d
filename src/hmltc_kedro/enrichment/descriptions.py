"""One sharp sentence a class, from a language model or from a template."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import pandas as pd

from hmltc_kedro.enrichment.templates import write_template_description
from hmltc_kedro.llm import ChatAnswer, ChatRequest
from hmltc_kedro.llm.prompts import MAX_NAMED, MAX_PATHS, render_prompt
from hmltc_kedro.llm.schemas import ClassDescription
from hmltc_kedro.taxonomy import Taxonomy


def ask_for_descriptions(
    taxonomy: Taxonomy, temperature: float, max_tokens: int, max_siblings: int | None = None
) -> list[ChatRequest]:
    """Return one question a class, with its parents, siblings, children and keywords.

    Args:
        taxonomy: the classes.
        temperature: of the language model.
        max_tokens: of an answer.
        max_siblings: how many siblings are named, in the order of the taxonomy; None for as many as `MAX_NAMED`.
    """
    name = taxonomy.spoken_name
    n_siblings = MAX_NAMED if max_siblings is None else max_siblings
    return [
        ChatRequest(
            task="describe_class",
            subject=class_id,
            prompt=render_prompt(
                "describe_class",
                name=name(c),
                paths=[f"{taxonomy.labels[p]} > {name(c)}" for p in taxonomy.parents[c][:MAX_PATHS]] or [name(c)],
                parents=[name(p) for p in taxonomy.parents[c][:MAX_NAMED]],
                siblings=[name(s) for s in taxonomy.list_siblings(c, n_siblings)],
                children=[name(k) for k in taxonomy.children[c][:MAX_NAMED]],
                keywords=list(taxonomy.keywords[c]),
            ),
            schema=ClassDescription,
            temperature=temperature,
            max_tokens=max_tokens,
        )
        for c, class_id in enumerate(taxonomy.class_ids)
    ]


def collect_descriptions(taxonomy: Taxonomy, answers: Sequence[ChatAnswer]) -> pd.DataFrame:
    """Return class_id, name, description, source, prompt_sha, error: a template where there is no answer."""
    rows = []
    for c, answer in enumerate(answers):
        answered = isinstance(answer.value, ClassDescription)
        rows.append(
            {
                "class_id": taxonomy.class_ids[c],
                "name": taxonomy.names[c],
                "description": answer.value.description  # type: ignore[union-attr]
                if answered
                else write_template_description(taxonomy, c),
                "source": answer.source if answered else "template",
                "prompt_sha": hashlib.sha256(answer.request.prompt.encode()).hexdigest(),
                "error": answer.error,
            }
        )
    return pd.DataFrame(rows)
