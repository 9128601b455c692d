"""Kaggle's reviews as a dataset: what is kept, what is dropped and why, and what is refused."""

import csv
import errno
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from amazon import AMAZON, needs_amazon, read_amazon_taxonomy
from hmltc_kedro.corpus.amazon531 import MEND, PAPER, Counts
from hmltc_kedro.corpus.gold_labels import read_gold_labels
from hmltc_kedro.corpus.kaggle_reviews import (
    DATASET,
    Fate,
    Prepared,
    holds_reviews,
    prepare_reviews,
    read_reviews,
    tokenise,
)
from hmltc_kedro.corpus.raw_files import read_text_table
from hmltc_kedro.errors import InputError
from hmltc_kedro.taxonomy import Taxonomy
from kedro_project import Project
from teleclass import publish, write_lines

SMALL = Counts(classes=9, edges=8, train_documents=0, test_documents=0)
NAMES = ["grocery_gourmet_food", "meat_poultry", "jerky", "pet_supplies", "dogs", "cats", "food", "food", "toys"]
EDGES = [(0, 1), (1, 2), (3, 4), (3, 5), (4, 6), (5, 7), (4, 8), (5, 8)]
HEADER = ["productId", "Title", "userId", "Helpfulness", "Score", "Time", "Text", "Cat1", "Cat2", "Cat3"]
RAW = ["class_hierarchy.txt", "class_related_keywords.txt", "classes.txt"]
CORPORA = ["test/doc2labels.txt", "test/test_corpus.txt", "train/train_corpus.txt"]

Review = tuple[str, str, str, str, str]

TRAIN: list[Review] = [
    ("Beef Jerky, 2.5-Ounce", "Can't stop!", "grocery gourmet food", "meat poultry", "jerky"),
    ("A book", "Of another department.", "books", "novels", "unknown"),
    ("", " - ", "pet supplies", "dogs", "food"),
    ("", "No title; it's fine...", "pet supplies", "cats", "toys"),
]

TEST: list[Review] = [
    ("Jerky", "Chewy.", "grocery gourmet food", "meat poultry", "jerky"),
    ("Kibble", "They eat it,\nand more.", "pet supplies", "dogs", "food"),
    ("Tuna", 'Said: "yum"', "pet supplies", "cats", "food"),
    ("Mouse", "", "Pet_Supplies", " cats ", "toys"),
    ("Ham", "Salty", "grocery gourmet food", "meat poultry", "unknown"),
    ("Tree", "Tall", "pet supplies", "cats", ""),
    ("Strips", "Dogs love them", "pet supplies", "dogs", "jerky"),
    ("Leash", "Long", "pet supplies", "dogs", "collars leashes"),
    ("", " * ", "pet supplies", "dogs", "toys"),
    ("Novel", "Dull", "books", "novels", "unknown"),
    ("Bone", "No root", "dogs", "toys", "unknown"),
    ("Pie", "Other branch", "grocery gourmet food", "dogs", "food"),
    ("Pan", "No second", "grocery gourmet food", "unknown", "unknown"),
]


def write_csv(path: Path, reviews: list[Review]) -> None:
    """Write reviews in Kaggle's form."""
    with path.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(HEADER)
        for title, text, *categories in reviews:
            writer.writerow(["B000E46LYG", title, "A3", "0/0", "5.0", "1127088000", text, *categories])


def write_taxonomy(classes: Path, hierarchy: Path, keywords: Path) -> None:
    write_lines(classes, [f"{c}\t{name}" for c, name in enumerate(NAMES)])
    write_lines(hierarchy, [f"{parent}\t{child}" for parent, child in EDGES])
    write_lines(keywords, [f"{c}:term_{c}" for c in range(len(NAMES))])


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Return a folder with both files and the taxonomy under TELEClass's names."""
    folder = tmp_path / "kaggle"
    write_taxonomy(folder / "labels.txt", folder / "label_hierarchy.txt", folder / "train/llm_enrichment.txt")
    write_csv(folder / "train_40k.csv", TRAIN)
    write_csv(folder / "val_10k.csv", TEST)
    return folder


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    folder = tmp_path / "raw"
    folder.mkdir()
    return folder


def prepare(source: Path, raw: Path, expected: Counts = SMALL) -> Prepared:
    return prepare_reviews(source, raw / "amazon531", raw / DATASET, expected)


def list_files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


# ---------------------------------------------------------------------- tokens


@pytest.mark.parametrize(
    ("raw_text", "wanted"),
    [
        ("Quaker Honey Graham Oh's 10.5 oz - (6 pack)", "quaker honey graham oh 's 10 . 5 oz ( 6 pack )"),
        ("I can't; WON'T & don't...", "i ca n't wo n't do n't ..."),
        ("I'd've they'll we're I'm", "i 'd 've they 'll we 're i 'm"),
        ("it' s the 's' hook, did'nt Eatin' M.E.'s", "it ' s the 's ' hook , did ' nt eatin ' m . e . 's"),
        ('3-1/2" $10,000 100% so_good!! why??', '3 1 2 " 10 , 000 100 so good ! ! why ? ?'),
        ("Wow.... &#34;great&#34; cr&egrave;me caf\u00e9 don\u2019t", "wow .... 34 great 34 cr egrave me caf don t"),
        (" - * : \n", ""),
    ],
)
def test_tokens_are_those_of_the_benchmark(raw_text: str, wanted: str) -> None:
    assert tokenise(raw_text) == wanted
    assert tokenise(wanted) == wanted


REAL = AMAZON.parent / "amazon531_real"


@pytest.mark.skipif(not REAL.is_dir(), reason=f"{REAL} is absent; it is not part of the project")
@pytest.mark.parametrize("split", ["train", "test"])
def test_texts_of_the_benchmark_stay_as_they_are(split: str) -> None:
    texts = read_text_table(REAL / split / f"{split}_corpus.txt", "\t").rows["value"].tolist()
    assert len(texts) > 2_000
    assert [tokenise(text.upper()) for text in texts] == texts
    # Put together as people write, they come apart in the same way.
    glued = [re.sub(r" (n't|'(?:s|m|d|ll|re|ve)|[,!?)])(?= |$)", r"\1", text).replace("( ", "(") for text in texts]
    assert sum(map(len, texts)) - sum(map(len, glued)) > 5_000
    assert [tokenise(text) for text in glued] == texts


# ---------------------------------------------------------------------- what is kept and what is dropped


def test_each_review_has_the_classes_its_names_lead_to(source: Path, raw: Path) -> None:
    prepare(source, raw)
    assert list_files(raw / DATASET) == sorted([*RAW, *CORPORA])
    assert (raw / DATASET / "test/doc2labels.txt").read_text("utf-8").splitlines() == [
        "0\t0,1,2",
        "1\t3,4,6",
        "2\t3,5,7",  # the other class of that name
        "3\t3,5,8",
        "4\t0,1",
        "5\t3,5",
        "6\t3,4",
        "7\t3,4",
    ]
    assert (raw / DATASET / "test/test_corpus.txt").read_text("utf-8").splitlines() == [
        "0\tjerky chewy .",
        "1\tkibble they eat it , and more .",
        '2\ttuna said " yum "',
        "3\tmouse",
        "4\tham salty",
        "5\ttree tall",
        "6\tstrips dogs love them",
        "7\tleash long",
    ]
    assert (raw / DATASET / "train/train_corpus.txt").read_text("utf-8").splitlines() == [
        "0\tbeef jerky , 2 . 5 ounce ca n't stop !",
        "1\ta book of another department .",  # nothing is known of a training document's classes
        "3\tno title it 's fine ...",
    ]
    for name, published in zip(RAW, ["label_hierarchy.txt", "train/llm_enrichment.txt", "labels.txt"], strict=True):
        assert (raw / DATASET / name).read_bytes() == (source / published).read_bytes()


def test_counts_are_told_by_reason(source: Path, raw: Path) -> None:
    assert prepare(source, raw).describe() == [
        "9 classes, 8 edges, 3 training and 8 test documents",
        "train_40k.csv: 4 reviews, 3 kept",
        "  kept         3 as texts without labels",
        "  dropped      1 without a text (the first on line 4)",
        "val_10k.csv: 13 reviews, 8 kept",
        "  kept         4 with three classes",
        "  kept         2 with two classes: there is no third (the first on line 7)",
        "  kept         2 with two classes: the third is not below the second in the hierarchy (the first on line 9)",
        "  dropped      1 without a text (the first on line 11)",
        "  dropped      2 whose first class is no root of the hierarchy (the first on line 12)",
        "  dropped      2 whose second class is not below the first in the hierarchy (the first on line 14)",
    ]


def test_labels_of_training_documents_are_not_read(source: Path, raw: Path) -> None:
    prepare(source, raw)
    first = (raw / DATASET / "train/train_corpus.txt").read_bytes()
    shutil.rmtree(raw / DATASET)
    with (source / "train_40k.csv").open("w", encoding="utf-8", newline="") as handle:
        csv.writer(handle).writerows([("Text", "Title"), *((text, title) for title, text, *_ in TRAIN)])
    prepare(source, raw)
    assert (raw / DATASET / "train/train_corpus.txt").read_bytes() == first


def test_a_review_without_text_has_no_fate_by_its_classes(source: Path) -> None:
    taxonomy = Taxonomy.from_edges(
        [(str(c), name) for c, name in enumerate(NAMES)], [(str(p), str(c)) for p, c in EDGES]
    )
    found = read_reviews(source / "val_10k.csv", taxonomy)
    assert {fate: len(lines) for fate, lines in found.fates.items() if lines} == {
        Fate.THREE: 4,
        Fate.TWO: 2,
        Fate.CUT: 2,
        Fate.NO_TEXT: 1,
        Fate.NO_ROOT: 2,
        Fate.NO_EDGE: 2,
    }
    assert [doc_id for doc_id, _ in found.texts] == [doc_id for doc_id, _ in found.labels]


@needs_amazon
def test_every_path_of_the_benchmarks_gold_is_found_by_its_names(tmp_path: Path) -> None:
    taxonomy = read_amazon_taxonomy()
    gold = read_gold_labels(read_text_table(AMAZON / "test_doc2labels.txt", "\t"), taxonomy, None)
    paths = sorted({tuple(ids) for ids in gold.values()})
    assert len(paths) > 400
    # From the root down: in the gold file the ids of a path are in the order of their numbers.
    ordered = [sorted(ids, key=lambda i: taxonomy.rank[taxonomy.index[i]]) for ids in paths]
    names = [[taxonomy.spoken_name(taxonomy.index[i]) for i in ids] for ids in ordered]
    write_csv(tmp_path / "val_10k.csv", [("title", "text", *(path + ["unknown"])[:3]) for path in names])
    found = read_reviews(tmp_path / "val_10k.csv", taxonomy)
    assert [tuple(ids.split(",")) for _, ids in found.labels] == [tuple(ids) for ids in ordered]


# ---------------------------------------------------------------------- where the taxonomy comes from


def test_taxonomy_of_the_prepared_dataset_is_taken_where_the_reviews_lie_alone(source: Path, raw: Path) -> None:
    for name in ("labels.txt", "label_hierarchy.txt", "train/llm_enrichment.txt"):
        (source / name).unlink()
    with pytest.raises(InputError) as caught:
        prepare(source, raw)
    assert str(caught.value) == (
        f"{source}: no classes: labels.txt, label_hierarchy.txt, train/llm_enrichment.txt of TELEClass' "
        f"data/Amazon-531 are not there, and {raw / 'amazon531'} is not prepared; copy these files beside the reviews, "
        "or run `kedro prepare-amazon531` on TELEClass' folder first"
    )
    prepared = raw / "amazon531"
    hierarchy, keywords, classes = (prepared / name for name in RAW)
    write_taxonomy(classes, hierarchy, keywords)
    keywords.write_text("jerky:dried,mine\n")  # edited
    prepare(source, raw)
    assert (raw / DATASET / "class_related_keywords.txt").read_text() == "jerky:dried,mine\n"
    assert len((raw / DATASET / "test/doc2labels.txt").read_text().splitlines()) == 8


def test_part_of_a_taxonomy_is_refused(source: Path, raw: Path) -> None:
    (source / "label_hierarchy.txt").unlink()
    with pytest.raises(InputError) as caught:
        prepare(source, raw)
    assert str(caught.value) == f"{source / 'label_hierarchy.txt'}: no such file; copy TELEClass' there"


# ---------------------------------------------------------------------- what is refused, before anything is written


def replace(old: str, new: str) -> Callable[[bytes], bytes]:
    def edit(content: bytes) -> bytes:
        assert content.count(old.encode()) == 1
        return content.replace(old.encode(), new.encode("latin-1"))

    return edit


THERE = "productId, Title, userId, Helpfulness, Score, Time, Text, Cat1, Cat2"
WANTED = "Kaggle's val_10k.csv has the columns Title, Text, Cat1, Cat2 and Cat3"

WRONG = {
    # name: (file, edit, the message after the file)
    "column_missing": (
        "val_10k.csv",
        replace("Cat2,Cat3\n", "Cat2,class\n"),
        f":1: no column Cat3; there are: {THERE}, class; {WANTED}",
    ),
    "column_missing_in_train": (
        "train_40k.csv",
        replace("productId,Title,", "productId,Name,"),
        f":1: no column Title; there are: {THERE.replace('Title', 'Name')}, Cat3; "
        "Kaggle's train_40k.csv has the columns Title and Text",
    ),
    "empty": ("val_10k.csv", lambda _: b"", f":1: no column Title, Text, Cat1, Cat2, Cat3; there are: none; {WANTED}"),
    "fields_missing": (
        "val_10k.csv",
        replace("Salty,grocery", "Salty;grocery"),
        ":7: 9 fields for 10 columns; quote texts that hold a comma",
    ),
    "not_utf8": (
        "train_40k.csv",
        replace("A book", "A b\xf6k"),
        ":3: bytes that are not UTF-8; save the file as UTF-8",
    ),
    "quote_open": (
        "val_10k.csv",
        replace(",Dull,", ',"Dull,'),
        ":15: not CSV (unexpected end of data); check the quotes, of the record that begins on line 12",
    ),
    "utf16": ("train_40k.csv", lambda c: c.decode().encode("utf-16"), ":1: the file is UTF-16; save it as UTF-8"),
    "no_test_review": (
        "val_10k.csv",
        lambda c: b"".join(c.splitlines(keepends=True)[:1] + [b"1,a,1,1,1,1,b,books,novels,unknown\n"]),
        ":1: no review to keep; dropped 1 whose first class is no root of the hierarchy (the first on line 2); "
        "give Kaggle's val_10k.csv",
    ),
    "no_train_review": (
        "train_40k.csv",
        lambda c: c.splitlines(keepends=True)[0],
        ":1: no review to keep; give Kaggle's train_40k.csv",
    ),
    "class_twice": (
        "labels.txt",
        replace("2\tjerky", "1\tjerky"),
        ":3: class id '1' is already on line 2; give each class its own id",
    ),
    "classes_cut": (
        "labels.txt",
        replace("8\ttoys\n", ""),
        f": 8 classes where Amazon-531 has 9; {MEND}",
    ),
    "keywords_of_no_class": (
        "train/llm_enrichment.txt",
        replace("8:term_8", "9:term_9"),
        ":9: there is no class '9'; correct the name or remove the line",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_file_is_one_line_and_nothing_is_written(source: Path, raw: Path, name: str) -> None:
    file, edit, message = WRONG[name]
    path = source / file
    path.write_bytes(edit(path.read_bytes()))
    with pytest.raises(InputError) as caught:
        prepare(source, raw)
    assert str(caught.value) == f"{path}{message}"
    assert list_files(raw) == []


def test_missing_file_is_named(source: Path, raw: Path) -> None:
    (source / "val_10k.csv").unlink()
    assert holds_reviews(source)
    with pytest.raises(InputError) as caught:
        prepare(source, raw)
    assert str(caught.value) == (
        f"{source / 'val_10k.csv'}: no such file; "
        "get it from https://www.kaggle.com/datasets/kashnitsky/hierarchical-text-classification"
    )
    (source / "train_40k.csv").unlink()
    assert not holds_reviews(source)


def test_nothing_is_overwritten(source: Path, raw: Path) -> None:
    prepare(source, raw)
    (raw / DATASET / "classes.txt").write_text("mine")
    with pytest.raises(InputError) as caught:
        prepare(source, raw)
    assert str(caught.value) == f"{raw / DATASET}: there already; move it away or delete it"
    assert (raw / DATASET / "classes.txt").read_text() == "mine"


def test_full_disk_leaves_nothing(source: Path, raw: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fill_disk(start: Path, end: Path) -> None:
        end.write_bytes(b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(shutil, "copyfile", fill_disk)
    with pytest.raises(OSError, match="No space left"):
        prepare(source, raw)
    assert list(raw.iterdir()) == []


# ---------------------------------------------------------------------- with Kedro


def test_command_makes_a_dataset_that_ingests(project: Project, tmp_path: Path) -> None:
    clone = publish(tmp_path / "Amazon-531", PAPER)
    source = tmp_path / "kaggle"
    source.mkdir()
    write_csv(source / "train_40k.csv", [("One", "Text", "kind 0", "kind 2", "unknown")] * 3)
    write_csv(source / "val_10k.csv", [("A", "Kind's", "kind 1", "kind 3", "unknown"), ("B", "b", "kind 3", "", "")])
    done = project.kedro("prepare-amazon531", str(source))
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith(f"Error: {source}: no classes: ") and done.err.count("\n") == 1
    for name in ("labels.txt", "label_hierarchy.txt", "train/llm_enrichment.txt"):
        (source / name).parent.mkdir(exist_ok=True)
        shutil.copyfile(clone / name, source / name)
    done = project.kedro("prepare-amazon531", str(source))
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines() == [
        "531 classes, 568 edges, 3 training and 1 test documents",
        "train_40k.csv: 3 reviews, 3 kept",
        "  kept         3 as texts without labels",
        "val_10k.csv: 2 reviews, 1 kept",
        "  kept         1 with two classes: there is no third (the first on line 2)",
        "  dropped      1 whose first class is no root of the hierarchy (the first on line 3)",
        f"Written  data/01_raw/{DATASET}",
        f"Next: kedro run --env=amazon531 --params=dataset={DATASET}",
    ]
    out = project.run("--env=amazon531", f"--params=dataset={DATASET}", "--pipeline=ingest")
    assert "3 train and 1 test documents" in out
    shutil.rmtree(project.raw / DATASET)
