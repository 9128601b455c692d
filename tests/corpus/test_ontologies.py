"""Classes out of SKOS and OBO, where their libraries are installed, and one line where they are not."""

import sys
from pathlib import Path

import pytest

from hmltc_kedro.corpus.class_sources import read_classes
from hmltc_kedro.corpus.new_dataset import make_dataset
from hmltc_kedro.corpus.raw_files import read_text_table
from hmltc_kedro.corpus.raw_taxonomy import build_taxonomy
from hmltc_kedro.errors import InputError

SKOS = """@prefix skos: <http://www.w3.org/2004/02/skos/core#> .
@prefix x: <http://example.org/things/> .
x:pets a skos:Concept ; skos:prefLabel "Haustiere"@de, "Pets"@en ; skos:narrower x:cats .
x:cats a skos:Concept ; skos:prefLabel "cats" ; skos:altLabel "felines, all", "kitten" .
x:beds a skos:Concept ; skos:prefLabel "pet beds" ; skos:broader x:cats, x:pets .
"""

OBO = """format-version: 1.2

[Term]
id: X:1
name: pets

[Term]
id: X:2
name: cats
synonym: "kitten" EXACT []
is_a: X:1

[Term]
id: X:3
name: gone
is_obsolete: true
"""


def write(tmp_path: Path, name: str, content: str) -> Path:
    (tmp_path / name).write_text(content, "utf-8")
    return tmp_path / name


def test_skos_concepts_keep_ids_parents_and_other_names(tmp_path: Path) -> None:
    pytest.importorskip("rdflib")
    classes, texts = write(tmp_path, "a.ttl", SKOS), write(tmp_path, "texts.txt", "a\nb\n")
    made = make_dataset(tmp_path / "mine", classes, texts)
    tables = [
        read_text_table(tmp_path / "mine" / name, separator)
        for name, separator in (
            ("classes.txt", "\t"),
            ("class_hierarchy.txt", "\t"),
            ("class_related_keywords.txt", ":"),
        )
    ]
    taxonomy = build_taxonomy(*tables)
    assert taxonomy.class_ids == ("beds", "cats", "pets") and taxonomy.names == ("pet_beds", "cats", "Pets")
    assert taxonomy.parents == ((1, 2), (2,), ()) and made.taxonomy.parents == taxonomy.parents
    assert taxonomy.keywords == ((), ("felines all", "kitten"), ())
    assert "remark     classes with other names, which are their keywords: 1" in made.describe()


def test_obo_terms_that_are_not_obsolete_are_classes(tmp_path: Path) -> None:
    pytest.importorskip("pronto")
    found = read_classes(write(tmp_path, "a.obo", OBO))
    assert found.classes == [(0, "X:1", "pets"), (0, "X:2", "cats")]
    assert found.edges == [(0, "X:1", "X:2")] and found.keywords == {"X:2": ["kitten"]}


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ("x:lost a skos:Concept .", "concept http://example.org/things/lost has no prefLabel; give it one"),
        ("x:pets skos:broader x:cats .", "this edge closes a cycle: "),
        ("x:pets skos:", "not readable as RDF ("),
    ],
)
def test_what_is_wrong_with_skos_is_one_line(tmp_path: Path, more: str, says: str) -> None:
    pytest.importorskip("rdflib")
    with pytest.raises(InputError) as raised:
        read_classes(write(tmp_path, "a.ttl", SKOS + more))
    assert str(raised.value).startswith(f"{tmp_path / 'a.ttl'}: {says}") and "\n" not in str(raised.value)


@pytest.mark.parametrize(("name", "package"), [("a.ttl", "rdflib"), ("a.obo", "pronto")])
def test_missing_library_is_one_line(tmp_path: Path, name: str, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(InputError) as raised:
        read_classes(write(tmp_path, name, ""))
    says = f"reading {Path(name).suffix} needs the package {package}; pip install 'hmltc_kedro[ontologies]'"
    assert str(raised.value) == f"{tmp_path / name}: {says}"
