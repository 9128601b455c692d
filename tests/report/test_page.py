"""The page: nothing in it is markup that should not be, nothing is asked for from outside, nothing is required."""

import base64
import hashlib
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest

from hmltc_kedro.pseudo_labels import starvation
from hmltc_kedro.report import document_summaries, page
from hmltc_kedro.taxonomy import Taxonomy
from report_run import NASTY, UNKNOWN, make_predictions, make_run, write_page

VOID = {"meta", "input", "br", "link", "img"}


class Reader(HTMLParser):
    """Collects the elements of a page, and its text by the element it is in."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, Any]]] = []
        self.texts: list[tuple[str, str]] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag) -> None:
        assert self.open.pop() == tag, f"</{tag}> closes another element"

    def handle_data(self, data) -> None:
        self.texts.append((self.open[-1] if self.open else "", data))

    def find(self, tag: str) -> list[dict[str, Any]]:
        return [attributes for name, attributes in self.elements if name == tag]

    def text_of(self, tag: str) -> list[str]:
        return [text for name, text in self.texts if name == tag and text.strip()]


@pytest.fixture
def written(diamond) -> str:
    record = {"build_taxonomy": {"stage": "ingest", "seconds": 61.2, "finished": "2026-01-02T10:00:00+00:00"}}
    return write_page(make_run(diamond, run_record=record), NASTY)


def test_page_is_well_formed_and_its_parts_are_named(written) -> None:
    reader = Reader(written)
    assert reader.open == []
    assert len(reader.find("caption")) == len(reader.find("table")) == 22
    assert reader.find("html") == [{"lang": "en"}]
    levels = [int(tag[1]) for tag, _ in reader.elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(b <= a + 1 for a, b in zip(levels, levels[1:], strict=False)), "no level of heading is skipped"
    ids = [attributes["id"] for _, attributes in reader.elements if attributes.get("id")]
    assert len(ids) == len(set(ids))
    fields = [a["id"] for tag, a in reader.elements if tag in ("input", "select") and a.get("type") != "checkbox"]
    assert {a.get("for") for a in reader.find("label")} >= set(fields)
    anchors = {a["href"][1:] for a in reader.find("a") if "=" not in a["href"]}
    assert anchors <= set(ids)
    assert all(svg["role"] == "img" and svg["aria-label"] for svg in reader.find("svg"))


def test_texts_of_documents_stay_texts(written) -> None:
    reader = Reader(written)
    assert not reader.find("img")
    assert [a.get("type") for a in reader.find("script")] == ["application/json", None]
    assert "<!--" not in written
    assert "".join(reader.text_of("h1")) == NASTY
    (packed, _) = reader.text_of("script")
    assert json.loads(packed)["documents"][0][1] == NASTY


def test_nothing_is_asked_for_from_outside(written) -> None:
    reader = Reader(written)
    assert not {tag for tag, _ in reader.elements} & {"link", "img", "iframe", "object", "embed", "base", "video"}
    targets = [a[key] for _, a in reader.elements for key in ("href", "src", "action", "data") if key in a]
    assert targets and all(target.startswith("#") for target in targets)
    assert not re.search(r"https?://|url\(|@import", written)


def test_only_the_pages_own_script_may_run(written) -> None:
    reader = Reader(written)
    (policy,) = [a["content"] for a in reader.find("meta") if a.get("http-equiv") == "Content-Security-Policy"]
    digest = base64.b64encode(hashlib.sha256(reader.text_of("script")[1].encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}';" in policy
    assert policy.startswith("default-src 'none'")
    assert not [key for _, a in reader.elements for key in a if key.startswith("on")]


def test_page_says_what_was_done_and_how_long_it_took(written) -> None:
    text = " ".join(t for _, t in Reader(written).texts)
    for words in ("14 documents read", "5 of 6 silver labels kept", "2026-01-02 10:00", "build_taxonomy", "gap.value"):
        assert words in text
    assert "not recorded" not in text
    assert re.search(r"ingest .* 61 ", text, re.DOTALL)


def test_scores_have_their_interval(diamond) -> None:
    run = make_run(diamond)
    low, high = run.metrics["sample_f1_interval"]
    assert f"{low:.3f} to {high:.3f}" in write_page(run)


def test_what_people_came_for_is_before_how_it_was_made(written) -> None:
    parts = re.findall(r'<h2 id="(\w+)">', written)
    found, made = ["predictions", "classes", "worth", "annotations", "trust", "scores"], ["input", "stages", "silver"]
    made += ["starved", "training", "studies", "settings"]
    assert parts == [*found, *made]
    linked = [a["href"][1:] for a in Reader(written).find("a") if not re.fullmatch(r"#(content|class=\d)", a["href"])]
    first = linked.index("made")
    assert linked[:first] == ["doubtful=1", "decision=review", *found[1:]]
    assert [part for part in linked[first + 1 :] if part in made] == made


def read_section(written: str, name: str) -> str:
    """Return the section of that name, one space for white space."""
    (section,) = re.findall(rf'<section aria-labelledby="{name}">.*?</section>', written, re.DOTALL)
    return " ".join(section.split())


def test_page_says_what_the_run_is_worth_by_gold_labels_and_by_the_judge(diamond) -> None:
    run = make_run(diamond)
    by_source = {"recorded": run.metrics["by_source"]["model"] | {"n_docs": 1}, **run.metrics["by_source"]}
    section = read_section(write_page(replace(run, metrics=run.metrics | {"by_source": by_source})), "worth")
    low, high = run.metrics["sample_f1_interval"]
    assert f'<td class="number">{low:.3f} to {high:.3f}</td>' in section
    assert '<th scope="row">the judge (recorded)</th><td class="number">1</td>' in section
    assert "agree with the judge&#39;s by 0.736 (mean sample-F1, 95 % interval 0.640 to 0.819)" in section
    assert "confirm 0.765 (95 % interval 0.694 to 0.833); its own errors are not in these numbers." in section
    assert "Of the 8 predictions 5 are accepted and 3 to review." in section
    assert "this is agreement with a model and not with the truth" in section
    high_row = '<tr><th scope="row">high</th><td class="number">45</td><td class="number">0.770</td></tr>'
    assert high_row in section
    assert "By who gave the labels" not in read_section(write_page(run), "worth"), "all scored are the model's"


def test_page_of_too_few_judged_documents_says_so(diamond) -> None:
    run = make_run(diamond, gold=False, calibration=UNKNOWN)
    run = replace(run, predictions=run.predictions.assign(decision=""))
    written = write_page(run)
    section = read_section(written, "worth")
    assert "There are no gold labels" in section
    assert "Too few documents were judged to say what the run is worth: 6 of those drawn at random, 50" in section
    assert "<table>" not in section
    assert "#decision=review" not in written
    assert "".join(Reader(written).text_of("li")).count("agreement with the judge") == 0


def test_page_counts_annotations(diamond) -> None:
    section = read_section(write_page(make_run(diamond)), "annotations")
    assert "What people and the language model said of 6 single documents of both splits." in section
    cells = re.findall(r"<t[hd][^>]*>([^<]*)</t[hd]>", section)
    assert cells[6:18] == [
        *("a person", "given by people", "2", "2", "0", "0"),
        *("the judge (recorded)", "drawn at random (audit)", "2", "1", "1", "0"),
    ]
    assert '<th scope="row">number 99 is not on offer</th><td class="number">1</td>' in section
    run = make_run(diamond)
    section = read_section(write_page(replace(run, annotations=run.annotations.iloc[:0])), "annotations")
    assert "Nobody was asked about a document, and no person labelled one." in section


def test_page_offers_decisions_and_sources(written) -> None:
    options = Reader(written).text_of("option")
    assert options[-9:] == [
        *("any", "accept (5)", "review (3)", "anyone", "the model (6)", "the judge (recorded) (1)", "a person (1)"),
        *("doubtful first", "surest first"),
    ]


def test_page_says_how_far__to_trust_the_run(diamond) -> None:
    run = make_run(diamond)
    written = write_page(run)
    section = read_section(written, "trust")
    for value in ("0.500", "25.0%", "37.5%", "Over 6 of 8 documents", "Out of 7."):
        assert value in section
    assert section.count("<figure>") == 1
    assert all(f'class="key {key}"' in section for key in ("confirmed", "changed", "new"))
    assert "animals &gt; cats (1)" in section, "the class that loses most to animals > dogs"
    assert "sample-F1" not in section, "nothing there may be taken for a score"


def test_page_of_predictions_that_are_the_silver_labels_names_no_taker(diamond) -> None:
    run = make_run(diamond)
    bare = replace(run, class_diagnostics=run.class_diagnostics.assign(n_taken=0))
    assert "No class takes documents from another" in write_page(bare)


def test_run_without_gold_labels_says_so(diamond) -> None:
    written = write_page(make_run(diamond, gold=False))
    assert "There are no gold labels" in written
    assert "sample-F1" not in "".join(Reader(written).text_of("h3") + Reader(written).text_of("li"))
    assert Reader(written).open == []


def test_run_without_record_synthetic_documents_and_map_is_shown(diamond) -> None:
    run = make_run(diamond)
    bare = replace(
        run,
        synthetic_documents=run.synthetic_documents.iloc[:0],
        rejected_documents=run.rejected_documents.iloc[:0],
        starved_classes=run.starved_classes.iloc[:0],
    )
    written = write_page(bare)
    assert "seconds and money were not recorded" in written
    assert "No class is starved." in written
    assert "that were set aside" not in written


def test_map_that_is_too_large_is_left_out(diamond, monkeypatch) -> None:
    monkeypatch.setattr("hmltc_kedro.report.charts.MAX_POINTS", 2)
    written = write_page(make_run(diamond))
    assert "it is in the entry <code>gcn_map</code>" in written
    assert "t-SNE map" not in written


def test_no_kept_label_and_no_predicted_class_are_shown(diamond) -> None:
    run = make_run(diamond, gold=False)
    labels = run.silver_labels.assign(kept=False)
    predictions = run.predictions.assign(class_ids=[[]] * 8, paths=[[]] * 8, scores=[[]] * 8)
    statistics = starvation.summarise_classes(labels, diamond, diamond.class_ids)
    empty = replace(run, silver_labels=labels, predictions=predictions, label_statistics=statistics)
    assert Reader(write_page(empty)).open == []


def test_one_class_is_enough() -> None:
    one = Taxonomy.from_edges([("an", "animals")], [])
    many = make_run(Taxonomy.from_edges([(i, i) for i in ("an", "do", "ca", "be", "ga", "to", "ct")], []), gold=False)
    sets = [["an"]] * 8
    labels = many.silver_labels.assign(class_ids=sets[:6])
    run = replace(
        many,
        taxonomy=one,
        enriched_taxonomy=one,
        class_descriptions=many.class_descriptions.head(1),
        silver_labels=labels,
        label_statistics=starvation.summarise_classes(labels, one, []),
        starved_classes=starvation.find_starved_classes(labels, one, "documents", 1),
        synthetic_documents=many.synthetic_documents.iloc[:0],
        candidate_scores=many.candidate_scores.iloc[:0],
        predictions=many.predictions.assign(class_ids=sets, paths=[[s] for s in sets], scores=[[0.5]] * 8),
    )
    assert "animals (8)" in write_page(run)


def test_large_run_makes_a_page_of_a_few_megabytes(diamond) -> None:
    n = 5_000
    run = make_run(diamond, texts=[f"{i} " + "word < " * 400 for i in range(n)])
    written = write_page(replace(run, predictions=make_predictions(n)))
    shown = json.loads(Reader(written).text_of("script")[0])["documents"]
    assert len(shown) == 391, "four label sets, 50 documents each, and the 200 most doubtful ones, of which 9 are both"
    assert "Not all documents are here: 391 of 5,000 predictions are on this page" in " ".join(written.split())
    assert min(len(row[1]) for row in shown) > 2800, "whole texts"
    assert "Texts are cut" not in written
    assert len(written.encode()) < 3_000_000


def test_texts_that_are_too_long_for_a_page_are_cut_and_the_page_says_so(diamond, monkeypatch) -> None:
    monkeypatch.setattr(document_summaries, "MAX_CHARACTERS", 8000)
    written = write_page(make_run(diamond, texts=["word " * 400] * 8))
    assert "Texts are cut after 1,000 characters, and the search sees no more of them." in written
    assert "Not all documents" not in written


def test_json_cannot_leave_its_element() -> None:
    text = page.embed_json({"text": NASTY})
    assert not set(text) & set("<>&\u2028")
    assert json.loads(text) == {"text": NASTY}


@pytest.mark.parametrize(
    ("value", "shown"), [(None, "–"), (float("nan"), "–"), (0, "0"), (0.04, "0.0"), (2.5, "2.5"), (1234.5, "1,234")]
)
def test_numbers_are_for_people(value, shown) -> None:
    assert page.show_number(value) == shown


def test_missing_scores_are_dashes() -> None:
    assert (page.show_score(None), page.show_score(0.12345), page.show_share(0.5)) == ("–", "0.123", "50.0%")
    assert page.show_share(float("nan")) == "–"
