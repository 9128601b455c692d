"""The pages in docs are current: generated tables, formulas, links, and one shape for all stages."""

import re
import shutil
from pathlib import Path

import pytest

from generate_docs import MARKED, STAGE_PAGES, main, make_anchor, render_pages
from kedro_project import REPOSITORY

DOCS = REPOSITORY / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
STAGES = [DOCS / "stages" / f"{stage}.md" for stage in STAGE_PAGES]
LINKED = [*PAGES, REPOSITORY / "README.md", REPOSITORY / "data/README.md", REPOSITORY / "data/01_raw/README.md"]


def name_page(path: Path) -> str:
    return path.relative_to(REPOSITORY).as_posix()


def read_source() -> str:
    """Return all code, with one space where there is white space."""
    files = sorted((REPOSITORY / "src").rglob("*.py"))
    return " ".join(" ".join(path.read_text("utf-8") for path in files).split())


SOURCE = read_source()


def find_anchors(path: Path) -> set[str]:
    return {make_anchor(title) for title in re.findall(r"^#+ (.+)$", path.read_text("utf-8"), re.MULTILINE)}


def test_generated_parts_are_current() -> None:
    stale = [name_page(path) for path, text in render_pages(REPOSITORY).items() if path.read_text("utf-8") != text]
    assert stale == [], "run `make docs` and look at what changed"


def test_every_generated_part_is_marked_to_its_end() -> None:
    for path in PAGES:
        text = path.read_text("utf-8")
        assert text.count("<!-- generated:") == text.count("<!-- end -->") == len(MARKED.findall(text)), path


def test_every_layer_of_the_catalog_is_in_the_data_dictionary() -> None:
    entries = (path.read_text("utf-8") for path in (REPOSITORY / "conf/base").glob("catalog_*.yml"))
    layers = {layer for text in entries for layer in re.findall(r"layer: (\w+)", text)}
    shown = re.findall(r"generated: entries (\w+)", (DOCS / "data_dictionary.md").read_text("utf-8"))
    assert set(shown) == layers


@pytest.mark.parametrize("path", LINKED, ids=name_page)
def test_links_lead_somewhere(path: Path) -> None:
    text = re.sub(r"```.*?```", "", path.read_text("utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" in target:
            continue
        file, _, anchor = target.partition("#")
        found = (path.parent / file).resolve() if file else path
        assert found.exists(), target
        assert not anchor or anchor in find_anchors(found), target


@pytest.mark.parametrize("path", STAGES, ids=name_page)
def test_stage_pages_have_one_shape(path: Path) -> None:
    text = path.read_text("utf-8")
    assert text.startswith(f"# {path.stem}\n\n")
    titles = re.findall(r"^## (.+)$", text, re.MULTILINE)
    shape = ["Reads and writes", "How it works", "Settings", "Costs", "Run it alone", "Common mistakes"]
    assert titles == shape
    assert f"<!-- generated: nodes {path.stem} -->" in text


@pytest.mark.parametrize("path", [*STAGES, DOCS / "thresholds.md"], ids=name_page)
def test_formulas_are_those_of_the_code(path: Path) -> None:
    """A block of text on these pages is a formula, and stands word for word in a docstring or a line of code."""
    for formula in re.findall(r"```text\n(.*?)```", path.read_text("utf-8"), re.DOTALL):
        assert " ".join(formula.split()) in SOURCE, formula


# ---------------------------------------------------------------------- the generator


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a copy of what the generator reads."""
    for name in ("conf", "docs"):
        shutil.copytree(REPOSITORY / name, tmp_path / name, ignore=shutil.ignore_patterns("local"))
    shutil.copy(REPOSITORY / "pyproject.toml", tmp_path)
    return tmp_path


def test_command_writes_what_is_stale_and_nothing_else(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page, values = checkout / "docs/stages/infer.md", checkout / "conf/base/parameters_infer.yml"
    values.write_text(values.read_text("utf-8").replace("beam_width: 10", "beam_width: 11"), "utf-8")
    before = page.read_text("utf-8")
    assert main([str(checkout)]) == 0
    assert capsys.readouterr().out.split() == [str(page)]
    old, new = "`decoding.beam_width` | `10`", "`decoding.beam_width` | `11`"
    assert page.read_text("utf-8") == before.replace(old, new) != before
    assert main([str(checkout)]) == 0
    assert capsys.readouterr().out == ""


def test_an_entry_without_a_description_is_refused(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = checkout / "conf/base/catalog_augment.yml"
    path.write_text(re.sub(r" +description: .*\n", "", path.read_text("utf-8"), count=1), "utf-8")
    assert main([str(checkout)]) == 1
    message = (
        "Error: catalog entry `synthetic_documents`: no metadata.description; write one in conf/base/catalog_*.yml"
    )
    assert capsys.readouterr().err.strip() == message


def test_a_setting_without_a_description_is_refused(
    checkout: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from hmltc_kedro.pipelines.ingest.params import IngestParams

    monkeypatch.setattr(IngestParams.model_fields["on_invalid"], "description", None)
    assert main([str(checkout)]) == 1
    assert "ingest, `on_invalid`: no description; write a docstring below the field" in capsys.readouterr().err


def test_an_unknown_marker_is_refused(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (checkout / "docs/new.md").write_text("# New\n\nText.\n\n<!-- generated: wishes -->\n<!-- end -->\n", "utf-8")
    assert main([str(checkout)]) == 1
    assert "nothing called 'wishes' to generate; use one of nodes, settings" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("What is new, in\ntwo lines. And more.", "What is new, in two lines."),
        ("```console\n$ new\n\nFirst. Second.\n```\n\nWhat it is. More.", "What it is."),
        ("## Part\n\n| a. b |\n\n- an item. Another\n\n<!-- a\n\nb. -->\n\nWhat it is.", "What it is."),
        ("Delta of eq. 2 (cf. Fig. 1), i.e. the gap. More.", "Delta of eq. 2 (cf. Fig. 1), i.e. the gap."),
        ("No full stop, version 1.2", "No full stop, version 1.2"),
    ],
)
def test_a_new_page_is_in_the_index_with_the_first_sentence_of_its_text(checkout: Path, text: str, shown: str) -> None:
    (checkout / "docs/new.md").write_text(f"# New things\n\n{text}\n", "utf-8")
    index = render_pages(checkout)[checkout / "docs/README.md"]
    assert f"| [New things](new.md) | {shown} |" in index


def test_a_page_without_a_sentence_is_refused(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (checkout / "docs/new.md").write_text("# New things\n\n```\ncode\n```\n", "utf-8")
    assert main([str(checkout)]) == 1
    assert "docs/new.md: no sentence below the title" in capsys.readouterr().err
