"""Classes out of SKOS and OBO files, by libraries of the extra `ontologies`.

These have ids of their own, which are kept, and other names of a class, which become its keywords.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from hmltc_kedro.corpus.class_lists import ClassList, check_cycles, clean_name
from hmltc_kedro.errors import InputError, import_extra

Concept = tuple[str, str, Sequence[str], Sequence[str]]
"""Id, name, ids of the parents, other names."""


def read_skos(path: Path) -> ClassList:
    """Read the concepts of a SKOS vocabulary: `prefLabel`, `altLabel`, `broader` and `narrower`."""
    rdflib = import_extra("rdflib", "ontologies", f"{path}: reading {path.suffix}")
    graph = rdflib.Graph()
    try:
        graph.parse(path.as_posix())
    except Exception as error:  # each of its formats has exceptions of its own
        raise _refuse(path, "RDF", error) from None
    skos = rdflib.Namespace("http://www.w3.org/2004/02/skos/core#")
    broader = {*graph.subject_objects(skos.broader), *((o, s) for s, o in graph.subject_objects(skos.narrower))}
    concepts = sorted({*graph.subjects(rdflib.RDF.type, skos.Concept), *(c for edge in broader for c in edge)})
    short = [str(c).rstrip("/#").replace("#", "/").rpartition("/")[2] for c in concepts]
    unique = len(set(short)) == len(short) and all(short)
    ids = dict(zip(concepts, short if unique else map(str, concepts), strict=True))
    parents: dict[Any, list[Any]] = {}
    for child, parent in sorted(broader):
        parents.setdefault(child, []).append(parent)
    found = []
    for concept in concepts:
        if not (names := _choose_language(graph.objects(concept, skos.prefLabel))):
            raise InputError(f"{path}: concept {concept} has no prefLabel; give it one")
        others = _choose_language(graph.objects(concept, skos.altLabel))
        found.append((ids[concept], names[0], [ids[p] for p in parents.get(concept, ())], others))
    return _list_concepts(path, "SKOS", found)


def _choose_language(labels: Iterable[Any]) -> list[str]:
    """Return the English labels; if there are none those without a language, or else of the first by name."""
    by_language: dict[str, list[str]] = {}
    for label in labels:
        by_language.setdefault((label.language or "").lower(), []).append(str(label))
    order = sorted(by_language, key=lambda language: (not language.startswith("en"), language))
    return sorted(by_language[order[0]]) if order else []


def read_obo(path: Path) -> ClassList:
    """Read the terms of an OBO or OWL ontology that are not obsolete: `name`, `is_a`, `synonym`."""
    pronto = import_extra("pronto", "ontologies", f"{path}: reading {path.suffix}")
    try:
        ontology = pronto.Ontology(path, import_depth=0)  # what it imports lies elsewhere
        terms = sorted((term for term in ontology.terms() if not term.obsolete), key=lambda term: term.id)
        found = [
            (
                term.id,
                term.name or "",
                sorted(parent.id for parent in term.superclasses(distance=1, with_self=False)),
                sorted(synonym.description for synonym in term.synonyms),
            )
            for term in terms
        ]
    except Exception as error:  # each of its formats has exceptions of its own
        raise _refuse(path, "an ontology", error) from None
    return _list_concepts(path, "ontology", found)


READERS: Mapping[str, Callable[[Path], ClassList]] = {
    **dict.fromkeys((".ttl", ".rdf", ".nt", ".jsonld"), read_skos),
    **dict.fromkeys((".obo", ".owl"), read_obo),
}
"""By the ending of the file."""


def _refuse(path: Path, kind: str, error: Exception) -> InputError:
    said = " ".join(str(error).split())[:200]
    return InputError(f"{path}: not readable as {kind} ({said}); check the file and its ending")


def _list_concepts(path: Path, form: str, concepts: Sequence[Concept]) -> ClassList:
    """Return concepts in the form of the other readers.

    Raises:
        InputError: one without a name, with a parent that is none of them, or below itself.
    """
    names = {concept: clean_name(name, f"{path}: {concept}") for concept, name, _, _ in concepts}
    edges = [(0, parent, concept) for concept, _, parents, _ in concepts for parent in parents]
    if unknown := [edge for edge in edges if edge[1] not in names]:
        _, parent, child = unknown[0]
        raise InputError(f"{path}: {child} is below {parent}, which is not there; add it or remove the edge")
    check_cycles(str(path), {(parent, child): None for _, parent, child in edges})
    words = {
        concept: [word for word in (" ".join(o.replace(",", " ").replace(":", " ").split()) for o in others) if word]
        for concept, _, _, others in concepts
    }
    listed = [(0, concept, name) for concept, name in names.items()]
    return ClassList(str(path), form, listed, edges, {concept: found for concept, found in words.items() if found})
