"""The embedded dataset: the properties it was written to have."""

import json
import re
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest

from hmltc_kedro.corpus.gold_labels import read_gold_labels
from hmltc_kedro.corpus.raw_documents import build_documents
from hmltc_kedro.corpus.raw_files import read_text_table
from hmltc_kedro.corpus.raw_taxonomy import build_taxonomy
from hmltc_kedro.llm import ChatRequest, RecordedClient
from hmltc_kedro.llm.schemas import ClassDescription, ClassReviews, DocumentJudgement
from hmltc_kedro.taxonomy import Taxonomy

SAMPLE = Path(__file__).parents[1] / "data" / "01_raw" / "sample"
TRAIN_PATHS = Path(__file__).parent / "data" / "sample_train_paths.txt"
"""What each training review was written about. No pipeline may read it: it lies among the tests."""

# A title ends with a sentence mark or a dash between spaces.
TITLE = re.compile(r".+?(?:[.!?…]| -)\s+")


def words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower().replace("’", "'"))


@pytest.fixture(scope="module")
def taxonomy() -> Taxonomy:
    names = [("classes.txt", "\t"), ("class_hierarchy.txt", "\t"), ("class_related_keywords.txt", ":")]
    return build_taxonomy(*(read_text_table(SAMPLE / name, separator) for name, separator in names))


@pytest.fixture(scope="module")
def texts() -> dict[tuple[str, str], str]:
    """Return the reviews by (split, doc_id)."""
    tables = {s: read_text_table(SAMPLE / s / f"{s}_corpus.txt", "\t") for s in ("train", "test")}
    documents, rejected = build_documents(tables, skip_invalid=False)
    assert rejected.empty
    return {(d.split, d.doc_id): d.text for d in documents.itertuples()}


@pytest.fixture(scope="module")
def paths(taxonomy: Taxonomy, texts: dict[tuple[str, str], str]) -> dict[tuple[str, str], list[str]]:
    """Return the path of each review by (split, doc_id)."""
    files = {"train": TRAIN_PATHS, "test": SAMPLE / "test" / "doc2labels.txt"}
    return {
        (split, doc_id): path
        for split, file in files.items()
        for doc_id, path in read_gold_labels(
            read_text_table(file, "\t"), taxonomy, {i for s, i in texts if s == split}
        ).items()
    }


@pytest.fixture(scope="module")
def answers() -> dict[tuple[str, str], dict[str, object]]:
    """Return the recorded answers by (task, class id)."""
    rows = [json.loads(line) for line in (SAMPLE / "llm_responses.jsonl").read_text("utf-8").splitlines()]
    found = {(row["task"], row["class_id"]): row["answer"] for row in rows}
    assert len(found) == len(rows)
    return found


@pytest.fixture(scope="module")
def sizes(taxonomy: Taxonomy, paths: dict[tuple[str, str], list[str]]) -> np.ndarray:
    """Return how many reviews each class is on the path of."""
    return np.asarray(taxonomy.to_matrix(paths.values()).sum(axis=0)).ravel()


# ---------------------------------------------------------------------- taxonomy


def test_taxonomy_is_a_small_shop(taxonomy: Taxonomy) -> None:
    assert 40 <= len(taxonomy) <= 50
    assert 4 <= len(taxonomy.roots) <= 6
    assert taxonomy.depth == 3


def test_taxonomy_is_a_real_dag(taxonomy: Taxonomy) -> None:
    assert sum(len(parents) > 1 for parents in taxonomy.parents) >= 4
    roots_above = [{path[0] for path in taxonomy.paths_to(c)} for c in range(len(taxonomy))]
    assert any(len(roots) > 1 for roots in roots_above)


def test_some_names_make_sense_under_their_parent_only(taxonomy: Taxonomy) -> None:
    twice = [name for name, n in Counter(taxonomy.names).items() if n > 1]
    assert twice
    for name in twice:
        parents = [taxonomy.parents[c] for c in range(len(taxonomy)) if taxonomy.names[c] == name]
        assert len(set(parents)) == len(parents)


def test_most_classes_have_keywords_but_not_all(taxonomy: Taxonomy) -> None:
    with_keywords = sum(bool(k) for k in taxonomy.keywords)
    assert 0.75 * len(taxonomy) <= with_keywords < len(taxonomy)


# ---------------------------------------------------------------------- reviews


def test_there_are_about_420_training_and_200_test_reviews(texts: dict[tuple[str, str], str]) -> None:
    counts = Counter(split for split, _ in texts)
    assert 400 <= counts["train"] <= 440
    assert 190 <= counts["test"] <= 210


def test_each_review_is_a_title_and_10_to_70_words(texts: dict[tuple[str, str], str]) -> None:
    lengths = {}
    for key, text in texts.items():
        title = TITLE.match(text)
        lengths[key] = len(text[title.end() :].split()) if title else 0
    assert {key: n for key, n in lengths.items() if not 10 <= n <= 70} == {}


def test_no_two_reviews_share_a_run_of_eight_words(
    texts: dict[tuple[str, str], str], answers: dict[tuple[str, str], dict[str, object]]
) -> None:
    written = [*texts.values()]
    for (task, _), answer in answers.items():
        if task == "write_reviews":
            written += ClassReviews.model_validate(answer).reviews
    owners = defaultdict(set)
    for number, text in enumerate(written):
        tokens = words(text)
        for start in range(len(tokens) - 7):
            owners[tuple(tokens[start : start + 8])].add(number)
    assert len(owners) > 5000
    assert {" ".join(run): [written[n] for n in who] for run, who in owners.items() if len(who) > 1} == {}


def test_fewer_than_a_third_of_the_reviews_name_their_class(
    taxonomy: Taxonomy, texts: dict[tuple[str, str], str], paths: dict[tuple[str, str], list[str]]
) -> None:
    def names_class(text: str, class_id: str) -> bool:
        # Any word of the name, in plural or singular: "pots planters" is named by "a pot".
        spoken = taxonomy.spoken_name(taxonomy.index[class_id]).split()
        return not set(words(text)).isdisjoint({*spoken, *(word.removesuffix("s") for word in spoken)})

    named = [names_class(text, paths[key][-1]) for key, text in texts.items()]
    assert 0 < np.mean(named) < 1 / 3


# ---------------------------------------------------------------------- labels


def test_every_review_has_one_root_to_node_path(
    taxonomy: Taxonomy, texts: dict[tuple[str, str], str], paths: dict[tuple[str, str], list[str]]
) -> None:
    assert paths.keys() == texts.keys()
    for key, path in paths.items():
        positions = tuple(taxonomy.index[i] for i in path)
        assert positions in taxonomy.paths_to(positions[-1]), (key, path)


def test_reviews_reach_a_class_by_more_than_one_of_its_parents(
    taxonomy: Taxonomy, paths: dict[tuple[str, str], list[str]]
) -> None:
    ways = defaultdict(set)
    for path in paths.values():
        ways[path[-1]].add(tuple(path))
    assert sum(len(found) > 1 for found in ways.values()) >= 2


def test_6_to_12_classes_have_at_most_three_reviews_and_two_have_none(sizes: np.ndarray) -> None:
    assert 6 <= (sizes <= 3).sum() <= 12
    assert (sizes == 0).sum() == 2


def test_class_sizes_have_a_long_tail(taxonomy: Taxonomy, sizes: np.ndarray) -> None:
    leaves = np.sort(sizes[taxonomy.leaves])[::-1]
    assert leaves[: len(leaves) // 5].sum() > leaves.sum() / 3
    assert leaves[-(len(leaves) // 4) :].sum() < leaves.sum() / 20
    assert np.median(leaves) < leaves.mean()


# ---------------------------------------------------------------------- recorded answers


def test_every_class_has_a_recorded_description_and_reviews(
    taxonomy: Taxonomy, answers: dict[tuple[str, str], dict[str, object]]
) -> None:
    tasks = {"describe_class": ClassDescription, "write_reviews": ClassReviews}
    assert set(answers) == {(task, class_id) for task in tasks for class_id in taxonomy.class_ids}
    for (task, _), answer in answers.items():
        tasks[task].model_validate(answer)


def test_recorded_reviews_are_a_few_different_texts_a_class(
    answers: dict[tuple[str, str], dict[str, object]],
) -> None:
    written = [answer["reviews"] for (task, _), answer in answers.items() if task == "write_reviews"]
    assert all(3 <= len(reviews) for reviews in written)
    everything = [review for reviews in written for review in reviews]
    assert len(set(everything)) == len(everything)


def test_recorded_descriptions_are_one_sharp_sentence_each(
    answers: dict[tuple[str, str], dict[str, object]],
) -> None:
    descriptions = [str(a["description"]) for (task, _), a in answers.items() if task == "describe_class"]
    assert len(set(descriptions)) == len(descriptions)
    assert all(10 <= len(text.split()) <= 60 for text in descriptions)


# ---------------------------------------------------------------------- recorded judgements


def test_recorded_judgements_are_paths_of_single_documents(
    taxonomy: Taxonomy, texts: dict[tuple[str, str], str]
) -> None:
    rows = [json.loads(line) for line in (SAMPLE / "judgements.jsonl").read_text("utf-8").splitlines()]
    documents = [tuple(row["document"].split("/", 1)) for row in rows]
    assert set(documents) <= texts.keys() and len(set(documents)) == len(documents)
    counts = Counter(split for split, _ in documents)
    assert counts["train"] >= 50 and counts["test"] >= 40
    assert {row["task"] for row in rows} == {"judge_document"}
    for row in rows:
        assert set(row["answer"]) == {"paths", "confidence"} and row["answer"]["paths"]
        for path in row["answer"]["paths"]:
            positions = tuple(taxonomy.index[i] for i in path)
            assert positions in taxonomy.paths_to(positions[-1]), row
    assert {row["answer"]["confidence"] for row in rows} == {"high", "medium", "low"}


def test_recorded_judgements_are_answers_of_the_recorded_client(taxonomy: Taxonomy) -> None:
    client = RecordedClient(SAMPLE / "llm_responses.jsonl", SAMPLE / "judgements.jsonl")
    options = tuple(tuple(taxonomy.class_ids[c] for c in path) for path in taxonomy.iterate_paths())
    subjects = sorted(client.list_subjects("judge_document"))
    requests = [ChatRequest("judge_document", s, "", DocumentJudgement, options=options) for s in subjects]
    assert len(requests) >= 90
    assert all(answer.value and answer.value.choices for answer in client.ask(requests))  # type: ignore[attr-defined]


def test_readme_says_how_the_dataset_was_made() -> None:
    assert len((SAMPLE / "README.md").read_text("utf-8").split()) > 50
