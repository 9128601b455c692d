"""The stage `ingest`."""

import pytest

from hmltc_kedro.corpus.raw_files import RawTable, make_rows
from hmltc_kedro.errors import InputError
from hmltc_kedro.pipelines.ingest import create_pipeline, nodes
from hmltc_kedro.pipelines.ingest.params import IngestParams

SEED = 42


def add_line(table, key: str, value: str):
    """Return a raw table with one line more."""
    lines = [*table.rows["line"], len(table.rows) + 1]
    rows = make_rows(lines, [*table.rows["key"], key], [*table.rows["value"], value], [None] * len(lines))
    return RawTable(table.path, rows)


def test_raw_files_become_taxonomy_and_documents(run, raw_tables, diamond) -> None:
    whole = run(create_pipeline(), **raw_tables)
    assert set(whole) == {"labels"} and whole["labels"].empty  # the checks of labels take all others
    made = run(create_pipeline().only_nodes("build_taxonomy", "build_documents"), **raw_tables)
    assert set(made) == {"taxonomy", "documents", "rejected_documents"}
    assert list(made["documents"]["split"]) == ["train"] * 6 + ["test"] * 3
    assert len(made["rejected_documents"]) == 0


def test_taxonomy_is_the_diamond_with_its_keywords(raw_tables, diamond, caplog) -> None:
    caplog.set_level("INFO", "hmltc_kedro")
    taxonomy = nodes.build_taxonomy(raw_tables["raw_classes"], raw_tables["raw_hierarchy"], raw_tables["raw_keywords"])
    assert taxonomy.class_ids == diamond.class_ids
    assert taxonomy.parents == diamond.parents
    assert list(taxonomy.keywords[6]) == ["rake", "spade"]
    assert "4 classes without keywords" in caplog.text


def test_bad_documents_stop_the_run_or_are_set_aside(raw_tables, caplog) -> None:
    train, test = add_line(raw_tables["raw_train_corpus"], "9", ""), raw_tables["raw_test_corpus"]
    with pytest.raises(InputError, match=r"^train.txt:7: the text is empty; .*on_invalid: skip"):
        nodes.build_documents(train, test, IngestParams(), SEED)
    documents, rejected = nodes.build_documents(train, test, IngestParams(on_invalid="skip"), SEED)
    assert len(documents) == 9
    assert rejected[["split", "doc_id", "line"]].to_numpy().tolist() == [["train", "9", 7]]
    assert "1 documents were set aside" in caplog.text


def test_gold_labels_are_checked_and_not_kept(raw_tables, diamond) -> None:
    gold, train = raw_tables["gold_labels"], raw_tables["raw_train_corpus"]
    made = nodes.build_documents(add_line(train, "7", "a kettle"), raw_tables["raw_test_corpus"], IngestParams(), SEED)
    assert nodes.check_gold_labels(gold, *made, diamond) is None
    # There is a training document of this number.
    with pytest.raises(InputError, match=r"^gold.txt:4: document '7' is not in the test corpus"):
        nodes.check_gold_labels(add_line(gold, "7", "an"), *made, diamond)


def test_gold_labels_of_a_document_set_aside_are_legal(raw_tables, diamond) -> None:
    train, test = raw_tables["raw_train_corpus"], add_line(raw_tables["raw_test_corpus"], "3", "")
    documents, rejected = nodes.build_documents(train, test, IngestParams(on_invalid="skip"), SEED)
    assert list(rejected["doc_id"]) == ["3"]
    gold = add_line(raw_tables["gold_labels"], "3", "an,do")
    assert nodes.check_gold_labels(gold, documents, rejected, diamond) is None
    with pytest.raises(InputError, match=r"^gold.txt:4: document '3' is not in the test corpus"):
        nodes.check_gold_labels(gold, documents, rejected.assign(split="train"), diamond)


def test_labels_of_people_are_read_by_split(run, raw_tables, caplog) -> None:
    caplog.set_level("INFO", "hmltc_kedro")
    given = add_line(add_line(raw_tables["raw_labels"], "test/1", "tools"), "train/0", "dogs")
    labels = run(create_pipeline(), **{**raw_tables, "raw_labels": given})["labels"]
    assert labels[["split", "doc_id"]].to_numpy().tolist() == [["test", "1"], ["train", "0"]]
    assert labels["class_ids"].tolist() == [["ga", "to"], ["an", "do"]]
    assert "people labelled 1 train and 1 test documents" in caplog.text


def test_of_a_large_training_corpus_a_sample_is_kept_and_the_test_corpus_whole(raw_tables, diamond, caplog) -> None:
    caplog.set_level("INFO", "hmltc_kedro")
    corpora = raw_tables["raw_train_corpus"], raw_tables["raw_test_corpus"]
    whole, _ = nodes.build_documents(*corpora, IngestParams(max_documents=6), SEED)
    assert "max_documents" not in caplog.text
    for everything in (None, 7, 200_000):
        assert nodes.build_documents(*corpora, IngestParams(max_documents=everything), SEED)[0].equals(whole)
    few, _ = nodes.build_documents(*corpora, IngestParams(max_documents=2), SEED)
    assert "ingest.max_documents: 2 of the train documents, drawn by the seed" in caplog.text
    assert list(few["split"]) == ["train"] * 2 + ["test"] * 3
    left_out = next(i for i in whole.loc[whole["split"] == "train", "doc_id"] if i not in set(few["doc_id"][:2]))
    labels = RawTable("labels.csv", make_rows([2], [f"train/{left_out}"], ["an"], [None]))
    assert len(nodes.read_labels(labels, whole, diamond, IngestParams())) == 1
    with pytest.raises(InputError) as caught:
        nodes.read_labels(labels, few, diamond, IngestParams(max_documents=2))
    assert str(caught.value) == (
        f"labels.csv:2: train has no document '{left_out}' (or none in the sample that ingest.max_documents draws); "
        "test has one: correct the split, or the id"
    )
