"""Raw files with one mistake, through the whole stage: one message with file, line, and how to mend it."""

import shutil
from pathlib import Path

import pytest

from hmltc_kedro.errors import InputError
from ingest import DATASET, edit, ingest
from kedro_project import REPOSITORY

CLASSES, EDGES, KEYWORDS = "classes.txt", "class_hierarchy.txt", "class_related_keywords.txt"
TRAIN, TEST, GOLD = "train/train_corpus.txt", "test/test_corpus.txt", "test/doc2labels.txt"
SKIP = " (or set ingest.on_invalid: skip)"
MISTAKES = {
    # name: (file, its content or, after a +, what is added to it, line in the message, what it says)
    "no_class": (CLASSES, b"", 1, "no classes; write <class_id>TAB<class_name> lines"),
    "class_id_twice": (
        CLASSES,
        b"+0\tagain\n",
        50,
        "class id '0' is already on line 1; give each class its own id",
    ),
    "class_without_tab": (CLASSES, b"+77 rugs\n", 50, "the line has no TAB; write <key>TAB<value>"),
    "class_not_utf8": (
        CLASSES,
        b"+77\tcaf\xe9\n",
        50,
        "byte 7 of the line is not UTF-8; save the file as UTF-8",
    ),
    "cycle": (
        EDGES,
        b"+5\t0\n",
        51,
        "this edge closes a cycle: 5 -> 0 -> 5; a taxonomy is acyclic, remove one of these edges",
    ),
    "self_loop": (EDGES, b"+5\t5\n", 51, "class '5' is its own parent; remove the line"),
    "unknown_class_in_edge": (
        EDGES,
        b"+5\t777\n",
        51,
        "class '777' is not in {raw}/classes.txt; add it there or remove the edge",
    ),
    "edge_without_tab": (EDGES, b"+5 6\n", 51, "the line has no TAB; write <key>TAB<value>"),
    "keywords_of_no_class": (
        KEYWORDS,
        b"+teapotts:tea\n",
        47,
        "there is no class 'teapotts'; correct the name or remove the line",
    ),
    "keywords_of_two_classes": (
        KEYWORDS,
        b"+sets:box\n",
        47,
        "2 classes are called 'sets'; write the class id in place of the name, one of 22, 39",
    ),
    "keywords_without_colon": (KEYWORDS, b"+sets box\n", 47, "the line has no :; write <key>:<value>"),
    "empty_corpus": (TRAIN, b"", 1, "no documents; write <doc_id>TAB<text> lines"),
    "empty_text": (TRAIN, b"+900\t \n", 433, "the text is empty; write one or remove the line" + SKIP),
    "document_without_tab": (TRAIN, b"+900 nice kettle\n", 433, "the line has no TAB; write <key>TAB<value>" + SKIP),
    "document_not_utf8": (
        TRAIN,
        b"+900\tcaf\xe9\n",
        433,
        "byte 8 of the line is not UTF-8; save the file as UTF-8" + SKIP,
    ),
    "document_id_twice": (
        TRAIN,
        b"+0\tanother kettle\n",
        433,
        "document id '0' is already on line 1; ids are unique within a split" + SKIP,
    ),
    "empty_test_corpus": (TEST, b"", 1, "no documents; write <doc_id>TAB<text> lines"),
    "test_document_id_twice": (
        TEST,
        b"+0\tanother kettle\n",
        205,
        "document id '0' is already on line 1; ids are unique within a split" + SKIP,
    ),
    "gold_of_unknown_class": (GOLD, b"0\t0,777\n", 1, "unknown class '777'; use the ids of classes.txt"),
    "gold_of_unknown_document": (GOLD, b"x\t0\n", 1, "document 'x' is not in the test corpus; remove the line"),
    "gold_without_tab": (GOLD, b"0 0\n", 1, "the line has no TAB; write <key>TAB<value>"),
    "gold_not_utf8": (GOLD, b"0\t0\xe9\n", 1, "byte 4 of the line is not UTF-8; save the file as UTF-8"),
}


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """Return a copy of the sample's raw files, in a project's folder of their own."""
    return Path(shutil.copytree(REPOSITORY / "data/01_raw/sample", tmp_path / "data/01_raw" / DATASET))


def test_sound_files_are_read(raw: Path, tmp_path: Path) -> None:
    made = ingest(tmp_path)
    assert made["documents"]["split"].value_counts().to_dict() == {"train": 432, "test": 204}
    assert len(made["rejected_documents"]) == 0


@pytest.mark.parametrize("name", MISTAKES)
def test_mistake_is_one_message_with_file_line_and_mend(raw: Path, tmp_path: Path, name: str) -> None:
    file, content, line, says = MISTAKES[name]
    edit(raw / file, content)
    with pytest.raises(InputError) as error:
        ingest(tmp_path)
    assert str(error.value) == f"{raw}/{file}:{line}: {says.replace('{raw}', str(raw))}"
