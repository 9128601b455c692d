"""Keywords for the classes that have none."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from hmltc_kedro.llm import ChatAnswer, ChatRequest
from hmltc_kedro.llm.prompts import MAX_NAMED, MAX_PATHS, render_prompt
from hmltc_kedro.llm.schemas import ClassKeywords
from hmltc_kedro.taxonomy import Taxonomy


def ask_for_keywords(taxonomy: Taxonomy, count: int, temperature: float, max_tokens: int) -> list[ChatRequest]:
    """Return one question for each class without keywords: `count` words or phrases of its texts."""
    name = taxonomy.spoken_name
    return [
        ChatRequest(
            task="write_keywords",
            subject=class_id,
            prompt=render_prompt(
                "write_keywords",
                name=name(c),
                paths=[[name(node) for node in path] for path in islice(taxonomy.iterate_paths([c]), MAX_PATHS)],
                siblings=[name(s) for s in taxonomy.list_siblings(c, MAX_NAMED)],
                children=[name(k) for k in taxonomy.children[c][:MAX_NAMED]],
                count=count,
            ),
            schema=ClassKeywords,
            temperature=temperature,
            max_tokens=max_tokens,
        )
        for c, class_id in enumerate(taxonomy.class_ids)
        if not taxonomy.keywords[c]
    ]


def complete_keywords(taxonomy: Taxonomy, answers: Sequence[ChatAnswer], count: int) -> Taxonomy:
    """Return the taxonomy with up to `count` keywords for each class that an answer is about."""
    return taxonomy.with_keywords(
        {
            answer.request.subject: list(dict.fromkeys(answer.value.keywords))[:count]
            for answer in answers
            if isinstance(answer.value, ClassKeywords)
        }
    )
