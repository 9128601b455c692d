"""Gold labels: every message with file and line."""

import numpy as np
import pytest
from hypothesis import given

from hmltc_kedro.corpus.gold_labels import align_gold_labels, read_gold_labels, warn_of_loose_labels
from hmltc_kedro.corpus.raw_files import RawTable, make_rows
from hmltc_kedro.errors import InputError
from hmltc_kedro.taxonomy import Taxonomy
from raw_folder import Folder, contents, fuzz, message

# ---------------------------------------------------------------------- gold labels


def test_gold_labels_are_read_with_spaces_and_repeats(folder: Folder, diamond: Taxonomy) -> None:
    assert folder.gold("0\tan, do ,an\n1\tga\n", diamond) == {"0": ["an", "do"], "1": ["ga"]}


def test_missing_gold_file_gives_no_labels(diamond: Taxonomy) -> None:
    assert read_gold_labels(RawTable("x", make_rows([], [], [], []), exists=False), diamond, None) == {}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("0\tan\n1\tan,xx,yy\n", "doc2labels.txt:2: unknown class 'xx', 'yy'; use the ids of classes.txt"),
        ("0\tan\n7\tan\n", "doc2labels.txt:2: document '7' is not in the test corpus; remove the line"),
        ("0\tan\n0\tga\n", "doc2labels.txt:2: document '0' has labels above; join the lines"),
        ("0\tan\n1\t,\n", "doc2labels.txt:2: no label; write <doc_id>TAB<id>,<id>,..."),
        ("0 an\n", "doc2labels.txt:1: the line has no TAB; write <key>TAB<value>"),
        (b"0\tan\n1\t\xe9\n", "doc2labels.txt:2: byte 3 of the line is not UTF-8; save the file as UTF-8"),
    ],
)
def test_bad_gold_file_is_one_message_with_file_line_and_mend(
    folder: Folder, diamond: Taxonomy, content: str | bytes, expected: str
) -> None:
    with pytest.raises(InputError) as error:
        folder.gold(content, diamond, {"0", "1"})
    assert message(error, folder) == expected


# ---------------------------------------------------------------------- beside predictions


def test_gold_sets_keep_what_was_not_labelled(folder: Folder, diamond: Taxonomy) -> None:
    table = folder.table("doc2labels.txt", "x\tan,do\nb\tga\na\tan\n")
    gold = align_gold_labels(table, diamond, ["a", "b", "c"])
    assert (gold.doc_ids, gold.labelled.tolist(), gold.rows.tolist()) == (["x", "b", "a"], [False, True, True], [1, 0])
    filled = gold.fill(diamond.to_matrix([["ga"], ["an"]]))
    assert diamond.to_label_sets(filled) == [[], ["ga"], ["an"]]
    rest = gold.leave_out(np.array([True, False]))
    assert (rest.doc_ids, rest.labelled.tolist(), rest.rows.tolist()) == (["x", "a"], [False, True], [0])
    assert diamond.to_label_sets(rest.labels) == [["an", "do"], ["an"]]


@pytest.mark.parametrize(
    ("content", "number", "first"),
    [
        ("0\tdo\n1\tan\n2\tan,be\n", "2 of 3", "0"),
        ("0\tan,do\n1\tct\n", "1 of 2", "1"),
        ("0\tan,do\n1\tan,ca,be\n", None, None),
        ("", None, None),
    ],
)
def test_gold_labels_without_parents_are_told(
    folder: Folder, diamond: Taxonomy, caplog: pytest.LogCaptureFixture, content: str, number: str, first: str
) -> None:
    warn_of_loose_labels(folder.gold(content, diamond), diamond, "gold.txt")
    said = (
        f"gold.txt: {number} gold label sets lack parents of their classes, the first that of document '{first}'; "
        "no prediction scores 1 on them: write each class with its way to a root"
    )
    assert [record.getMessage() for record in caplog.records] == ([said] if number else [])


# ---------------------------------------------------------------------- anything at all


@fuzz
@given(content=contents)
def test_arbitrary_bytes_give_gold_labels_or_an_input_error(folder: Folder, diamond: Taxonomy, content: bytes) -> None:
    try:
        labels = folder.gold(content, diamond, {"0"})
    except InputError as error:
        assert str(error).startswith(str(folder))
    else:
        written = folder.table("doc2labels.txt", content).rows
        assert list(labels) == written["key"].tolist()
        for ids, value in zip(labels.values(), written["value"], strict=True):
            assert ids == list(dict.fromkeys(part.strip() for part in value.split(",") if part.strip()))
