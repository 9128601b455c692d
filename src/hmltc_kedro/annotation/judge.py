"""Questions to a language model about single documents: which of these paths are right?

A document is asked about with a short list of paths, its best candidates. Where none of them is right, a second
question finds its first-level classes, and a third offers more paths below these. An offer is a list of paths, tuples
of class positions from the root down; the answers are the numbers of paths in the order shown.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict, Unpack

import pandas as pd
from pydantic import BaseModel

from hmltc_kedro.llm import ChatAnswer, ChatClient, ChatRequest
from hmltc_kedro.llm.prompts import render_prompt
from hmltc_kedro.llm.schemas import DocumentJudgement, RootJudgement
from hmltc_kedro.llm.text import clean_text
from hmltc_kedro.taxonomy import Taxonomy

Path = tuple[int, ...]

TASK = "judge_document"
"""The task whose recordings say which documents can be asked about."""

FURTHER = 100
"""Paths on offer below first-level classes: few documents come so far, and a longer list costs little."""

MOST_ROOTS = 100
"""First-level classes that are asked about at once: a longer list costs more than the answer is worth."""


class Asking(TypedDict):
    """How questions are asked.

    Attributes:
        max_characters: of the text.
        temperature: of the language model.
        max_tokens: of an answer.
        seed: of the order of the paths; it depends on seed, document and paths, and on nothing else.
    """

    max_characters: int
    temperature: float
    max_tokens: int
    seed: int


@dataclass(frozen=True)
class Judgement:
    """What was said about one document.

    Attributes:
        subject: `<split>/<doc_id>`.
        class_ids: union of the chosen paths, parents first; empty where none is right or there is no answer.
        confidence: `high`, `medium` or `low` as the judge says; empty where there is no answer.
        offered: the paths of the last question, as class ids, in the order of their numbers.
        answer: the answer to it as JSON, empty where there is none.
        error: why there is none, else empty.
        source: name of the client.
    """

    subject: str
    class_ids: tuple[str, ...]
    confidence: str
    offered: tuple[tuple[str, ...], ...]
    answer: str
    error: str
    source: str

    @property
    def is_none(self) -> bool:
        """Whether the judge said that nothing on offer is right."""
        return not self.error and not self.class_ids


# ---------------------------------------------------------------------- what is offered


def offer_paths(
    candidates: pd.DataFrame,
    taxonomy: Taxonomy,
    k: int,
    roots: Sequence[int] | None = None,
    refused: Collection[Path] = (),
) -> list[Path]:
    """Return the k best paths for a document, best first.

    Args:
        candidates: the document's rows of `candidate_scores`: rank, class_id, path (ids, root first).
        taxonomy: the classes.
        k: how many at most.
        roots: only paths that begin with one of these first-level classes. They themselves are on offer too, and where
            the candidates are too few, more of what lies below them, the general first. None for the candidates as
            they are; a document without candidates is offered what is at the top of the taxonomy.
        refused: paths that were on offer before and are not wanted again.
    """
    index = taxonomy.index
    ranked = [tuple(index[i] for i in path) for path in candidates.sort_values("rank", kind="stable")["path"]]
    if roots is None and ranked:
        paths = ranked
    else:
        starts = taxonomy.roots.tolist() if roots is None else list(roots)
        inside = [path for path in ranked if path[0] in set(starts)]
        further = _walk_down(taxonomy, starts, k + len(refused) + len(inside))
        # Not the roots: who refused one among better paths may well name it now.
        refused = {path for path in refused if len(path) > 1}
        paths = [*((root,) for root in starts), *inside, *further]
    left_out = set(refused)
    return [path for path in dict.fromkeys(paths) if path not in left_out][:k]


def _walk_down(taxonomy: Taxonomy, starts: Sequence[int], n: int) -> list[Path]:
    """Return the first n paths below classes level by level: a graph can have more than could ever be walked."""
    paths: list[Path] = [(start,) for start in starts]
    for path in paths:  # the list grows while it is walked
        if len(paths) >= n:
            break
        paths += [(*path, child) for child in taxonomy.children[path[-1]]]
    return paths[:n]


# ---------------------------------------------------------------------- questions


def ask_for_judgements(
    documents: pd.DataFrame,
    offers: Sequence[Sequence[Path]],
    taxonomy: Taxonomy,
    descriptions: Sequence[str],
    **settings: Unpack[Asking],
) -> list[ChatRequest]:
    """Return one question a document: which of the paths on offer are right?

    Args:
        documents: split, doc_id and text, n rows.
        offers: n lists of paths; each is shuffled, so that the place in the list tells the model nothing.
        taxonomy: the classes.
        descriptions: of the C classes; an empty one is left out.
        settings: see `Asking`.
    """
    return [
        _ask(TASK, DocumentJudgement, document, offer, taxonomy, descriptions, settings)
        for document, offer in zip(documents.itertuples(), offers, strict=True)
    ]


def ask_for_roots(
    documents: pd.DataFrame,
    taxonomy: Taxonomy,
    descriptions: Sequence[str],
    **settings: Unpack[Asking],
) -> list[ChatRequest]:
    """Return one question a document: which first-level classes does it belong to? They are paths of one class.

    The arguments are those of `ask_for_judgements`.
    """
    offer = [(root,) for root in taxonomy.roots.tolist()]
    return [
        _ask("judge_root", RootJudgement, document, offer, taxonomy, descriptions, settings)
        for document in documents.itertuples()
    ]


def _ask(
    task: str,
    schema: type[BaseModel],
    document: Any,
    offer: Sequence[Path],
    taxonomy: Taxonomy,
    descriptions: Sequence[str],
    settings: Asking,
) -> ChatRequest:
    """Return the question of a task about one row of the documents."""
    subject = name_subject(document.split, document.doc_id)
    options = _shuffle(offer, subject, taxonomy, settings["seed"])
    text = clean_text(str(document.text))[: settings["max_characters"]]
    return ChatRequest(
        task=task,
        subject=subject,
        prompt=render_prompt(task, paths=_number(options, taxonomy, descriptions), text=text),
        schema=schema,
        temperature=settings["temperature"],
        max_tokens=settings["max_tokens"],
        options=tuple(tuple(taxonomy.class_ids[c] for c in path) for path in options),
    )


def name_subject(split: str, doc_id: str) -> str:
    """Return the name of a document in questions and recordings."""
    return f"{split}/{doc_id}"


def _shuffle(paths: Sequence[Path], subject: str, taxonomy: Taxonomy, seed: int) -> list[Path]:
    """Return paths in the order of their digests: the same on every machine and in every version of a library."""

    def digest(path: Path) -> bytes:
        parts = [str(seed), subject, *(taxonomy.class_ids[c] for c in path)]
        return hashlib.sha256("\0".join(parts).encode("utf-8", errors="replace")).digest()

    return sorted(paths, key=digest)


def _number(paths: Sequence[Path], taxonomy: Taxonomy, descriptions: Sequence[str]) -> dict[str, str]:
    """Return paths as the prompt shows them, by their numbers."""
    shown = {}
    for number, path in enumerate(paths, start=1):
        names = " > ".join(taxonomy.spoken_name(c) for c in path)
        description = descriptions[path[-1]]
        shown[str(number)] = f"{names}: {description}" if description else names
    return shown


# ---------------------------------------------------------------------- answers


def read_judgements(answers: Sequence[ChatAnswer], taxonomy: Taxonomy) -> list[Judgement]:
    """Return what the answers to either question say, in their order."""
    label_sets = []
    for answer in answers:
        choices = answer.value.choices if isinstance(answer.value, DocumentJudgement | RootJudgement) else []
        label_sets.append([i for number in choices for i in answer.request.options[number - 1]])
    ordered = taxonomy.to_label_sets(taxonomy.to_matrix(label_sets))
    return [
        Judgement(
            subject=answer.request.subject,
            class_ids=tuple(class_ids),
            confidence=getattr(answer.value, "confidence", ""),
            offered=answer.request.options,
            answer="" if answer.value is None else answer.value.model_dump_json(),
            error=answer.error,
            source=answer.source,
        )
        for answer, class_ids in zip(answers, ordered, strict=True)
    ]


def judge_documents(
    documents: pd.DataFrame,
    candidates: pd.DataFrame,
    taxonomy: Taxonomy,
    descriptions: Sequence[str],
    llm: ChatClient,
    *,
    k: int,
    **settings: Unpack[Asking],
) -> list[Judgement]:
    """Return one judgement a document, that of the last question it took.

    1. Which of its k best paths are right? If none is:
    2. Which first-level classes does it belong to? Not asked where there is one, or more than `MOST_ROOTS`.
    3. Which of the `FURTHER` next paths below these are right?

    A question that stays without an answer leaves the document without one, whatever was answered before.

    Args:
        documents: split, doc_id and text of the n documents to ask about.
        candidates: `candidate_scores`; rows of other documents do not matter.
        taxonomy: the C classes.
        descriptions: of the C classes.
        llm: who is asked.
        k: paths on offer.
        settings: see `Asking`.
    """
    rows = _group_candidates(candidates, documents)
    offers = [offer_paths(own, taxonomy, k) for own in rows]
    requests = ask_for_judgements(documents, offers, taxonomy, descriptions, **settings)
    judgements = read_judgements(llm.ask(requests), taxonomy)

    roots = _find_roots(documents, judgements, taxonomy, descriptions, llm, settings)
    further = {n: offer_paths(rows[n], taxonomy, FURTHER, starts, offers[n]) for n, starts in roots.items()}
    further = {n: offer for n, offer in further.items() if any(len(path) > 1 for path in offer)}
    if further:
        asked = documents.iloc[list(further)]
        requests = ask_for_judgements(asked, list(further.values()), taxonomy, descriptions, **settings)
        for n, judgement in zip(further, read_judgements(llm.ask(requests), taxonomy), strict=True):
            judgements[n] = judgement
    return judgements


def _find_roots(
    documents: pd.DataFrame,
    judgements: list[Judgement],
    taxonomy: Taxonomy,
    descriptions: Sequence[str],
    llm: ChatClient,
    settings: Asking,
) -> dict[int, list[int]]:
    """Ask the second question where the first was answered with none; its judgement takes the place of the first.

    Returns:
        The first-level classes by row, for those documents that have one.
    """
    nones = [n for n, judgement in enumerate(judgements) if judgement.is_none]
    if len(taxonomy.roots) == 1:
        return {n: taxonomy.roots.tolist() for n in nones}
    if not nones or len(taxonomy.roots) > MOST_ROOTS:
        return {}
    requests = ask_for_roots(documents.iloc[nones], taxonomy, descriptions, **settings)
    for n, judgement in zip(nones, read_judgements(llm.ask(requests), taxonomy), strict=True):
        judgements[n] = judgement
    return {n: [taxonomy.index[i] for i in judgements[n].class_ids] for n in nones if judgements[n].class_ids}


def _group_candidates(candidates: pd.DataFrame, documents: pd.DataFrame) -> list[pd.DataFrame]:
    """Return the rows of `candidate_scores` document by document."""
    places = documents[["split", "doc_id"]].assign(place=range(len(documents)))
    rows = candidates[["split", "doc_id", "rank", "path"]].merge(places, on=["split", "doc_id"])
    groups = dict(iter(rows.groupby("place")))
    return [groups.get(n, rows.iloc[:0]) for n in range(len(documents))]
