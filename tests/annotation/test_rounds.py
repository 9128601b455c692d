"""Two rounds of asking on the diamond: nobody twice, nobody whose labels people gave, and within the budget."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hmltc_kedro.annotation import rounds as module
from hmltc_kedro.annotation.judge import Judgement
from hmltc_kedro.annotation.rounds import (
    COLUMNS,
    OFFSET,
    ask_in_rounds,
    draw_others,
    estimate_worth,
    find_last_classes,
    find_rows,
    read_targets,
    select_teaching,
)
from hmltc_kedro.annotation.selection import Budget
from hmltc_kedro.taxonomy import Taxonomy
from judged_corpus import SETS, judge, make_annotations, make_corpus, make_documents

QUEUE = {"split": "str", "doc_id": "str", "round": "int64", "reason": "str", "priority": "float64"}
NOBODY = pd.DataFrame({"split": pd.Series([], dtype="str"), "doc_id": pd.Series([], dtype="str"), "class_ids": []})


@dataclass
class Judge:
    """Answers rightly and remembers what it was asked."""

    documents: pd.DataFrame
    changes: dict[str, object] = field(default_factory=dict)
    asked: list[list[int]] = field(default_factory=list)

    def __call__(self, rows: np.ndarray) -> list[Judgement]:
        self.asked.append(rows.tolist())
        return [judge(self.documents.iloc[row], **self.changes) for row in rows]


def ask(
    taxonomy: Taxonomy,
    documents: pd.DataFrame,
    budget: Budget,
    given_labels: pd.DataFrame = NOBODY,
    answerable: np.ndarray | None = None,
    **changes: object,
) -> tuple[pd.DataFrame, pd.DataFrame, Judge]:
    client = Judge(documents, changes)
    fine = np.ones(len(documents), dtype=bool) if answerable is None else answerable
    corpus = make_corpus(taxonomy, documents)
    queue, annotations = ask_in_rounds(corpus, given_labels, fine, budget, client, "recorded", seed=3)
    return queue, annotations, client


def count_reasons(queue: pd.DataFrame) -> dict[tuple[str, str, int], int]:
    return queue.groupby(["reason", "split", "round"]).size().to_dict()


# ---------------------------------------------------------------------- who


def test_budget_is_spent_on_audit_coverage_and_doubt(diamond: Taxonomy) -> None:
    queue, annotations, client = ask(diamond, make_documents(60, 40), Budget(total=50, test=20, audit=20))
    assert count_reasons(queue) == {
        ("audit", "train", 1): 12,
        ("audit", "test", 1): 8,
        ("coverage", "train", 1): 9,
        ("doubt", "test", 2): 12,
        ("doubt", "train", 2): 9,
    }
    assert [len(rows) for rows in client.asked] == [29, 21]
    assert not queue.duplicated(["split", "doc_id"]).any()
    pd.testing.assert_frame_equal(
        queue[["split", "doc_id", "reason", "round"]], annotations[["split", "doc_id", "reason", "round"]]
    )
    assert dict(queue.dtypes.astype(str)) == QUEUE
    assert list(queue.columns) == list(QUEUE)


def test_doubt_is_where_the_first_round_expects_least(diamond: Taxonomy) -> None:
    documents = make_documents(60, 40)
    queue, annotations, _ = ask(diamond, documents, Budget(total=50, test=20, audit=20))
    first = annotations[annotations["round"] == 1]
    doubt = queue[(queue["reason"] == "doubt") & (queue["split"] == "test")]
    rest = np.setdiff1d(np.flatnonzero(documents["split"] == "test"), find_rows(documents, first))
    worth = estimate_worth(make_corpus(diamond, documents), first, rest, seed=3)
    np.testing.assert_allclose(np.sort(doubt["priority"]), np.sort(worth)[: len(doubt)], rtol=1e-5)
    places = {row: value for row, value in zip(rest.tolist(), worth, strict=True)}
    np.testing.assert_allclose(doubt["priority"], [places[row] for row in find_rows(documents, doubt)], rtol=1e-5)
    assert ((worth > 0) & (worth <= 1)).all() and len(np.unique(worth)) > 10
    assert queue.loc[queue["reason"] != "doubt", "priority"].isna().all()


def test_documents_that_people_labelled_are_never_asked_about(diamond: Taxonomy) -> None:
    documents = make_documents(30, 20)
    people = documents.iloc[[0, 5, 31, 40]].assign(class_ids=[["ga", "to"]] * 4)
    queue, annotations, _ = ask(diamond, documents, Budget(total=50, test=20, audit=10), people)
    assert len(queue) == 46, "all the others"
    known = set(zip(people["split"], people["doc_id"], strict=True))
    assert not known & set(zip(queue["split"], queue["doc_id"], strict=True))
    top = annotations.iloc[:4]
    assert list(zip(top["split"], top["doc_id"], strict=True)) == list(
        zip(people["split"], people["doc_id"], strict=True)
    )
    assert top["class_ids"].tolist() == [["ga", "to"]] * 4
    for column, value in {
        "source": "person",
        "confidence": "",
        "reason": "given",
        "round": 0,
        "answer": "",
        "error": "",
    }.items():
        assert (top[column] == value).all(), column
    assert top["offered"].tolist() == [[]] * 4


@pytest.mark.parametrize("given_labels", [0, 3])
def test_nothing_answerable_asks_nothing(given_labels: int, diamond: Taxonomy) -> None:
    documents = make_documents(30, 20)
    people = documents.iloc[:given_labels].assign(class_ids=[["an"]] * given_labels)
    nobody = np.zeros(50, dtype=bool)
    queue, annotations, client = ask(diamond, documents, Budget(50, 20, 10), people, nobody)
    assert client.asked == [[], []] or client.asked == []
    assert len(queue) == 0 and dict(queue.dtypes.astype(str)) == QUEUE
    assert list(annotations.columns) == COLUMNS
    assert annotations["doc_id"].tolist() == people["doc_id"].tolist()
    assert annotations["round"].dtype == "int64"


def test_only_answerable_documents_are_asked_about(diamond: Taxonomy) -> None:
    documents = make_documents(60, 40)
    answerable = np.arange(100) % 3 == 0
    queue, _, client = ask(diamond, documents, Budget(total=100, test=40, audit=30), answerable=answerable)
    assert sorted(row for rows in client.asked for row in rows) == np.flatnonzero(answerable).tolist()
    assert len(queue) == 34


@pytest.mark.parametrize(
    ("n_train", "n_test", "limits"), [(200, 60, (20, 1.0, 8)), (200, 60, (30, 0.5, 30)), (40, 40, (30, 1.0, 0))]
)
def test_no_more_are_asked_about_than_the_budget_has(
    n_train: int, n_test: int, limits: tuple[int, float, int], diamond: Taxonomy
) -> None:
    """Also where the test documents alone could take all of it."""
    documents = make_documents(n_train, n_test)
    budget = Budget.plan(documents["split"], max_documents=limits[0], share=limits[1], audit=limits[2])
    queue, _, client = ask(diamond, documents, budget)
    assert sum(map(len, client.asked)) == len(queue) == limits[0]
    assert (queue["split"] == "test").sum() <= budget.test
    assert (queue["reason"] == "audit").sum() == budget.audit


@settings(deadline=None, max_examples=15)
@given(
    n_train=st.integers(0, 30),
    n_test=st.integers(0, 30),
    most=st.integers(0, 40),
    share=st.sampled_from([0.0, 0.2, 0.5, 1.0]),
    audit=st.integers(0, 20),
    every=st.integers(1, 3),
)
def test_rounds_keep_every_limit(n_train: int, n_test: int, most: int, share: float, audit: int, every: int) -> None:
    diamond = Taxonomy.from_edges(
        [(i, i) for i in ("an", "ga", "do", "ca", "be", "ct", "to")],
        [("an", "do"), ("an", "ca"), ("do", "be"), ("ca", "be"), ("ca", "ct"), ("ga", "to")],
    )
    documents = make_documents(n_train + 4, n_test)  # a corpus has words
    budget = Budget.plan(documents["split"], max_documents=most, share=share, audit=audit)
    people = documents.iloc[1:3].assign(class_ids=[["an"]] * 2)
    answerable = np.arange(len(documents)) % every == 0
    queue, annotations, client = ask(diamond, documents, budget, people, answerable)
    asked = [row for rows in client.asked for row in rows]
    assert len(asked) == len(set(asked)) == len(queue) == len(annotations) - 2 <= budget.total
    assert answerable[asked].all() and not {1, 2} & set(asked)
    assert (queue["split"] == "test").sum() <= budget.test
    assert find_rows(documents, queue).tolist() == asked
    assert dict(queue.dtypes.astype(str)) == QUEUE and list(annotations.columns) == COLUMNS


# ---------------------------------------------------------------------- what is written


def test_annotations_hold_what_was_said(diamond: Taxonomy) -> None:
    documents = make_documents(60, 40)
    _, annotations, client = ask(diamond, documents, Budget(total=50, test=20, audit=20))
    assert list(annotations.columns) == COLUMNS
    rows = [row for part in client.asked for row in part]
    assert annotations["class_ids"].tolist() == [SETS[documents["kind"][row]] for row in rows]
    assert annotations["offered"].tolist() == [[SETS[documents["kind"][row]], ["an"]] for row in rows]
    assert (annotations["source"] == "recorded").all() and (annotations["confidence"] == "high").all()
    assert (annotations["error"] == "").all()
    assert annotations["round"].dtype == "int64"


def test_judgements_that_say_nothing_are_kept_and_teach_nothing(diamond: Taxonomy) -> None:
    documents = make_documents(40, 20)
    failed = {"class_ids": (), "confidence": "", "answer": "", "error": "prose"}
    queue, annotations, _ = ask(diamond, documents, Budget(total=30, test=10, audit=8), **failed)
    assert len(annotations) == len(queue) == 30
    assert (annotations["error"] == "prose").all() and (annotations["class_ids"].map(len) == 0).all()
    assert len(select_teaching(annotations)) == 0
    assert (queue.loc[queue["reason"] == "doubt", "priority"] == 0).all(), "nothing is known of any document"


def test_teaching_is_weighed_by_who_said_it(diamond: Taxonomy) -> None:
    documents = make_documents(4, 0)
    annotations = pd.concat(
        [
            make_annotations(documents.iloc[:1], source="person"),
            make_annotations(documents.iloc[1:3], class_ids=[["an"], []]),
            make_annotations(documents.iloc[3:], source="some model"),
        ]
    )
    taught = select_teaching(annotations)
    assert taught["doc_id"].tolist() == ["0", "1", "3"] and taught.index.tolist() == [0, 1, 2]
    labels, trust = read_targets(taught, diamond)
    assert diamond.to_label_sets(labels) == [["an", "do"], ["an"], ["ga", "to"]]
    assert trust.dtype == np.float32
    assert trust.tolist() == pytest.approx([1.0, 0.8, 0.8])


# ---------------------------------------------------------------------- parts


def test_worth_is_unknown_before_enough_is_known(diamond: Taxonomy, monkeypatch: pytest.MonkeyPatch) -> None:
    documents = make_documents(40, 20)
    corpus, rows = make_corpus(diamond, documents), np.arange(40, 60)
    few, enough = (make_annotations(documents.iloc[:n]) for n in (9, 10))
    assert estimate_worth(corpus, few, rows, seed=0).tolist() == [0.0] * 20
    worth = estimate_worth(corpus, enough, rows, seed=0)
    assert (worth > 0).all()
    monkeypatch.setattr(module, "BLOCK", 7)
    np.testing.assert_allclose(estimate_worth(corpus, enough, rows, seed=0), worth, rtol=1e-4)
    assert estimate_worth(corpus, enough, rows[:0], seed=0).tolist() == []


def test_evidence_of_the_corpus_stands_for_the_classifier(diamond: Taxonomy) -> None:
    documents = make_documents(12, 4)
    corpus = make_corpus(diamond, documents)
    rows = np.array([3, 9])
    evidence = corpus.gather(rows)
    words = corpus.lexical.represent(list(documents["text"].iloc[rows]))
    np.testing.assert_array_equal(evidence.vectors, corpus.vectors[rows])
    np.testing.assert_array_equal(evidence.words.toarray(), words.toarray())
    np.testing.assert_allclose(evidence.lexical, corpus.lexical.score(words))
    expected = corpus.dense.score(corpus.vectors[rows]) + corpus.lexical.score(words) - OFFSET
    np.testing.assert_allclose(evidence.logits, expected, rtol=1e-5)


def test_rows_are_found_by_split_and_id() -> None:
    documents = make_documents(3, 3)
    wanted = pd.DataFrame({"split": ["test", "train", "test"], "doc_id": ["0", "2", "9"]})
    assert find_rows(documents, wanted).tolist() == [3, 2, -1]
    assert find_rows(documents, NOBODY).tolist() == []


def test_others_are_those_without_an_annotation(monkeypatch: pytest.MonkeyPatch) -> None:
    assert draw_others(5, np.array([1, 3]), seed=0).tolist() == [0, 2, 4]
    assert draw_others(2, np.array([0, 1]), seed=0).tolist() == []
    monkeypatch.setattr(module, "PRIOR_SAMPLE", 10)
    some = draw_others(1000, np.arange(500), seed=0)
    assert len(set(some.tolist())) == 10 and some.min() >= 500 and (np.diff(some) > 0).all()
    assert some.tolist() == draw_others(1000, np.arange(500), seed=0).tolist()
    assert some.tolist() != draw_others(1000, np.arange(500), seed=1).tolist()


def test_last_class_of_a_silver_label_set() -> None:
    silver = pd.DataFrame({"class_ids": [["an", "do"], [], ["ga"]]})
    assert find_last_classes(silver).tolist() == ["do", "", "ga"]
