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
    assert (len(taxonomy), len(taxonomy.roots), taxonomy.depth) == (49, 5, 3)


def test_taxonomy_is_a_real_dag(taxonomy: Taxonomy) -> None:
    assert Counter(len(parents) for parents in taxonomy.parents) == {0: 5, 1: 38, 2: 6}
    roots_above = [{path[0] for path in taxonomy.iterate_paths([c])} for c in range(len(taxonomy))]
    assert [taxonomy.names[c] for c, roots in enumerate(roots_above) if len(roots) > 1] == ["picnicware"]


def test_some_names_make_sense_under_their_parent_only(taxonomy: Taxonomy) -> None:
    twice = [name for name, n in Counter(taxonomy.names).items() if n > 1]
    assert twice == ["sets", "accessories"]
    for name in twice:
        parents = [taxonomy.parents[c] for c in range(len(taxonomy)) if taxonomy.names[c] == name]
        assert len(set(parents)) == len(parents)


def test_most_classes_have_keywords_but_not_all(taxonomy: Taxonomy) -> None:
    assert sum(bool(k) for k in taxonomy.keywords) == 46


# ---------------------------------------------------------------------- reviews


def test_there_are_432_training_and_204_test_reviews(texts: dict[tuple[str, str], str]) -> None:
    assert Counter(split for split, _ in texts) == {"train": 432, "test": 204}


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
    assert len(owners) == sum(max(len(words(text)) - 7, 0) for text in written), "nor one review with itself"
    assert {" ".join(run): [written[n] for n in who] for run, who in owners.items() if len(who) > 1} == {}


def test_about_one_in_seven_reviews_has_a_word_of_its_class_name(
    taxonomy: Taxonomy, texts: dict[tuple[str, str], str], paths: dict[tuple[str, str], list[str]]
) -> None:
    def names_class(text: str, class_id: str) -> bool:
        # Any word of the name, in plural or singular: "pots planters" is named by "a pot".
        spoken = taxonomy.spoken_name(taxonomy.index[class_id]).split()
        return not set(words(text)).isdisjoint({*spoken, *(word.removesuffix("s") for word in spoken)})

    assert sum(names_class(text, paths[key][-1]) for key, text in texts.items()) == 86


# ---------------------------------------------------------------------- labels


def test_every_review_has_one_root_to_node_path(
    taxonomy: Taxonomy, texts: dict[tuple[str, str], str], paths: dict[tuple[str, str], list[str]]
) -> None:
    assert paths.keys() == texts.keys()
    for key, path in paths.items():
        positions = tuple(taxonomy.index[i] for i in path)
        assert positions in taxonomy.iterate_paths([positions[-1]]), (key, path)


def test_reviews_reach_a_class_by_more_than_one_of_its_parents(
    taxonomy: Taxonomy, paths: dict[tuple[str, str], list[str]]
) -> None:
    ways = defaultdict(set)
    for path in paths.values():
        ways[path[-1]].add(tuple(path))
    several = {class_id for class_id, found in ways.items() if len(found) > 1}
    assert several == {i for i, parents in zip(taxonomy.class_ids, taxonomy.parents, strict=True) if len(parents) > 1}


def test_eight_classes_have_at_most_three_reviews_and_two_have_none(taxonomy: Taxonomy, sizes: np.ndarray) -> None:
    assert (sizes <= 3).sum() == 8
    assert [taxonomy.names[c] for c in np.flatnonzero(sizes == 0)] == ["stamps_stickers", "sleeping_bags"]


def test_class_sizes_have_a_long_tail(taxonomy: Taxonomy, sizes: np.ndarray) -> None:
    assert np.sort(sizes[taxonomy.leaves])[::-1].tolist() == [
        *(50, 44, 38, 36, 35, 35, 32, 26, 26, 26, 21, 21, 21, 18, 18, 18, 18, 17, 16, 15, 11, 3, 3, 3, 3, 3, 2, 0, 0)
    ]


# ---------------------------------------------------------------------- recorded answers


def test_every_class_has_a_recorded_description_and_reviews(
    taxonomy: Taxonomy, answers: dict[tuple[str, str], dict[str, object]]
) -> None:
    tasks = {"describe_class": ClassDescription, "write_reviews": ClassReviews}
    assert set(answers) == {(task, class_id) for task in tasks for class_id in taxonomy.class_ids}
    for (task, _), answer in answers.items():
        tasks[task].model_validate(answer)


def test_recorded_reviews_are_five_different_texts_a_class(
    answers: dict[tuple[str, str], dict[str, object]],
) -> None:
    written = [answer["reviews"] for (task, _), answer in answers.items() if task == "write_reviews"]
    assert {len(reviews) for reviews in written} == {5}
    everything = [review for reviews in written for review in reviews]
    assert len(set(everything)) == len(everything)


def test_recorded_descriptions_are_one_sharp_sentence_each(
    answers: dict[tuple[str, str], dict[str, object]],
) -> None:
    descriptions = [str(a["description"]) for (task, _), a in answers.items() if task == "describe_class"]
    assert len(set(descriptions)) == len(descriptions)
    lengths = [len(text.split()) for text in descriptions]
    assert (min(lengths), max(lengths)) == (30, 40)


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
            assert positions in taxonomy.iterate_paths([positions[-1]]), row
    assert {row["answer"]["confidence"] for row in rows} == {"high", "medium", "low"}


def test_recorded_judgements_are_answers_of_the_recorded_client(taxonomy: Taxonomy) -> None:
    client = RecordedClient(SAMPLE / "llm_responses.jsonl", SAMPLE / "judgements.jsonl")
    options = tuple(tuple(taxonomy.class_ids[c] for c in path) for path in taxonomy.iterate_paths())
    subjects = sorted(client.list_subjects("judge_document"))
    requests = [ChatRequest("judge_document", s, "", DocumentJudgement, options=options) for s in subjects]
    assert len(requests) >= 90
    assert all(answer.value and answer.value.choices for answer in client.ask(requests))  # type: ignore[attr-defined]


def test_readme_says_how_the_dataset_was_made() -> None:
    readme = " ".join((SAMPLE / "README.md").read_text("utf-8").split())
    for fact in (
        "49 classes in 5 roots and 3 levels, 432 training and 204 test reviews",
        "six classes have two parents",
        "`picnicware`) lies under two roots",
        "eight classes have three documents or fewer, two of these (`stamps_stickers`, `sleeping_bags`) none",
        "a description and five reviews for every class",
    ):
        assert fact in readme
