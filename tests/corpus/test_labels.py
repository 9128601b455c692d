"""Labels that people give: what they may write, and one line for everything that cannot be taken."""

from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hmltc_kedro.corpus.labels import COLUMNS, ClassReader, read_labels
from hmltc_kedro.corpus.raw_files import RawTable, make_rows, read_csv_table
from hmltc_kedro.errors import InputError
from hmltc_kedro.taxonomy import Taxonomy
from large_graphs import make_diamonds, within

CLASSES = [
    ("an", "animals"),
    ("ga", "garden"),
    ("do", "dogs"),
    ("ca", "cats"),
    ("be", "pet_beds"),
    ("5", "toys"),
    ("6", "toys"),
    ("to", "tools"),
    ("TO", "Tools"),
    ("x1", "an"),
    ("le", "leashes"),
]
EDGES = [
    *(("an", "do"), ("an", "ca"), ("do", "be"), ("ca", "be"), ("ca", "5"), ("ga", "6")),
    *(("ga", "to"), ("ga", "TO"), ("ga", "x1"), ("be", "le")),
]
"""Two roots; pet beds below dogs and cats; `toys` twice, `tools` in two cases, and a class named by an id."""

DOCUMENTS = pd.DataFrame({"split": ["train", "train", "test", "test"], "doc_id": ["0", "1", "0", "12"]})


@pytest.fixture
def shop() -> Taxonomy:
    return Taxonomy.from_edges(CLASSES, EDGES)


def read_file(path: Path, content: str | bytes, taxonomy: Taxonomy) -> pd.DataFrame:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_labels(read_csv_table(path, COLUMNS), DOCUMENTS, taxonomy)


@pytest.mark.parametrize(
    ("classes", "expected"),
    [
        pytest.param("do", ["an", "do"], id="id-with-its-way"),
        pytest.param("dogs", ["an", "do"], id="name"),
        pytest.param("DOGS", ["an", "do"], id="name-in-other-letters"),
        pytest.param("an", ["an"], id="id-before-name"),
        pytest.param("Tools", ["ga", "TO"], id="name-in-the-right-letters-of-two"),
        pytest.param("animals > dogs > pet beds", ["an", "do", "be"], id="path-of-names"),
        pytest.param("an>do > pet_beds", ["an", "do", "be"], id="path-of-both"),
        pytest.param("garden > an", None, id="path-takes-the-id"),
        pytest.param("garden > toys", ["ga", "6"], id="path-tells-names-apart"),
        pytest.param("pet_beds; dogs", ["an", "do", "be"], id="way-in-the-set"),
        pytest.param("leashes; pet_beds; cats", ["an", "ca", "be", "le"], id="long-way-in-the-set"),
        pytest.param("an > do > be; cats", ["an", "do", "ca", "be"], id="path-and-class"),
        pytest.param("dogs; 6;; dogs", ["an", "ga", "do", "6"], id="several-and-twice"),
    ],
)
def test_classes_become_a_union_of_paths(shop: Taxonomy, classes: str, expected: list[str] | None) -> None:
    found, problems = ClassReader(shop).read(classes)
    assert bool(problems) == (expected is None)
    if expected is not None:
        assert sorted(found) == sorted(shop.index[i] for i in expected)


def test_names_may_hold_the_signs_that_separate() -> None:
    taxonomy = Taxonomy.from_edges([("1", "a"), ("2", "b; c"), ("3", "d > e")], [("1", "2"), ("1", "3")])
    reader = ClassReader(taxonomy)
    assert reader.read("b; c") == ({0, 1}, [])
    assert reader.read("1 > 2; d > e") == ({0, 1, 2}, [])
    assert reader.write([(0, 1), (0, 2)]) == "1 > 2; 1 > 3"


def test_labels_keep_the_order_of_the_file(tmp_path: Path, shop: Taxonomy) -> None:
    content = '\ufeffnote,doc_id,classes,split\r\nmine,12,"dogs; garden",test\r\n,,,\r\n\r\nx, 0 ,be; do,train\r\n'
    labels = read_file(tmp_path / "labels.csv", content, shop)
    assert labels.to_dict("list") == {
        "split": ["test", "train"],
        "doc_id": ["12", "0"],
        "class_ids": [["an", "ga", "do"], ["an", "do", "be"]],
    }


@pytest.mark.parametrize("content", ["split,doc_id,classes\n", "split,doc_id,classes", "split,doc_id,classes\n\n,,\n"])
def test_header_alone_is_no_label(tmp_path: Path, shop: Taxonomy, content: str) -> None:
    labels = read_file(tmp_path / "labels.csv", content, shop)
    assert labels.empty and list(labels.columns) == ["split", "doc_id", "class_ids"]


def test_file_may_be_missing(shop: Taxonomy) -> None:
    assert read_labels(RawTable("x", make_rows([], [], [], []), exists=False), DOCUMENTS, shop).empty


HEADER = "split,doc_id,classes\n"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param(HEADER + "dev,0,dogs\n", "2: unknown split 'dev'; write train or test", id="split"),
        pytest.param(HEADER + "train,,dogs\n", "2: no document id; write the id of a document", id="no-document"),
        pytest.param(
            HEADER + "test,0,dogs\ntest,7,dogs\n",
            "3: test has no document '7'; correct the id or remove the line",
            id="document",
        ),
        pytest.param(
            HEADER + "test,1,dogs\n",
            "2: test has no document '1'; train has one: correct the split, or the id",
            id="document-of-the-other-split",
        ),
        pytest.param(
            HEADER + "test,12.0,dogs\n",
            "2: document '12.0' is '12' written as a number; write 12, ids are text",
            id="document-as-a-number",
        ),
        pytest.param(
            HEADER + 'test,0,dogs\n\ntrain,0,dogs\ntest,0,"dogs"\n',
            "5: document '0' of test is already on line 2; join the two, with ; between classes",
            id="document-twice",
        ),
        pytest.param(
            HEADER + "test,0, ; \n",
            "2: no class; write one or several, with ; between them, or remove the line",
            id="no-class",
        ),
        pytest.param(
            HEADER + "test,0,dogs; cows\n", "2: unknown class 'cows'; use an id or a name of classes.txt", id="class"
        ),
        pytest.param(
            HEADER + "test,0,5.0\n",
            "2: class '5.0' is '5' written as a number; write 5, ids are text",
            id="class-as-a-number",
        ),
        pytest.param(
            HEADER + "test,0,toys\n",
            "2: 2 classes are called 'toys'; write the path: `animals > cats > toys`, or `garden > toys`",
            id="name-of-two",
        ),
        pytest.param(
            HEADER + "test,0,TOOLS\n",
            "2: 2 classes are called 'TOOLS'; write the path: `garden > tools`, or `garden > Tools`",
            id="name-of-two-in-any-case",
        ),
        pytest.param(
            HEADER + "test,0,pet beds\n",
            "2: several ways lead to 'pet beds'; write the path: `animals > dogs > pet beds`, "
            "or `animals > cats > pet beds`",
            id="several-ways",
        ),
        pytest.param(
            HEADER + "test,0,garden > dogs\n",
            "2: in 'garden > dogs', 'dogs' is not a child of 'garden'; correct the path, the ways to it: "
            "`animals > dogs`",
            id="no-edge",
        ),
        pytest.param(
            HEADER + "test,0,garden > an\n",
            "2: in 'garden > an', 'an' is not a child of 'garden'; correct the path, the ways to it: `animals`",
            id="no-edge-to-the-id",
        ),
        pytest.param(
            HEADER + "test,0,dogs > pet beds\n",
            "2: 'dogs > pet beds' begins at 'dogs', which is no root; begin with `animals > dogs`",
            id="no-root",
        ),
        pytest.param(
            HEADER + "test,0,animals > cows\n",
            "2: unknown class 'cows', in 'animals > cows'; use an id or a name of classes.txt",
            id="class-in-a-path",
        ),
        pytest.param(
            HEADER + "test,0,animals >\n", "2: 'animals >' has an empty step; write a > b > c", id="empty-step"
        ),
        pytest.param(
            HEADER + "test,0,garden > TOOLS\n",
            "2: 'garden > TOOLS' may be 2 paths; write it by ids: `ga > to`, or `ga > TO`",
            id="path-of-two",
        ),
        pytest.param(
            HEADER + "test,0,dogs,cats\ntest,12\n",
            "2: 4 fields for 3 columns; quote texts that hold a comma\n"
            "labels.csv:3: 2 fields for 3 columns; quote texts that hold a comma",
            id="fields",
        ),
        pytest.param(
            (HEADER + "test,0,caf").encode() + b"\xe9\n",
            "2: bytes that are not UTF-8; save the file as UTF-8",
            id="latin-1",
        ),
        pytest.param(
            "split,doc_id,label\ntest,0,dogs\n",
            "1: no column classes; this file has the columns split, doc_id and classes",
            id="column",
        ),
        pytest.param(
            "", "1: no column split, doc_id, classes; this file has the columns split, doc_id and classes", id="empty"
        ),
        pytest.param(
            HEADER + 'test,0,"dogs\ntest,12,cats\ntrain,0,dogs\n',
            "4: not CSV (unexpected end of data); check the quotes, of the record that begins on line 2",
            id="open-quote",
        ),
        pytest.param(
            "split;doc_id;classes\ntest;0;dogs\n",
            "1: ; between the columns where CSV has a comma; save it with commas",
            id="semicolons",
        ),
        pytest.param(
            "split\tdoc_id\tclasses\ntest\t0\tdogs\n",
            "1: TAB between the columns where CSV has a comma; save it with commas",
            id="tabs",
        ),
        pytest.param(
            (HEADER + "test,0,dogs\n").encode("utf-16"), "1: the file is UTF-16; save it as UTF-8", id="utf-16"
        ),
        pytest.param(
            (HEADER + "test,0,dogs\n").encode("utf-16-le"), "1: the file is UTF-16; save it as UTF-8", id="utf-16-le"
        ),
        pytest.param(b"PK\x03\x04 and so on", "1: a spreadsheet and no CSV; save it as CSV in UTF-8", id="workbook"),
    ],
)
def test_malformed_file_is_one_line_with_the_mend(
    tmp_path: Path, shop: Taxonomy, content: str | bytes, expected: str
) -> None:
    path = tmp_path / "labels.csv"
    with pytest.raises(InputError) as error:
        read_file(path, content, shop)
    assert str(error.value).replace(f"{tmp_path}/", "") == f"labels.csv:{expected}"


def test_all_problems_are_listed_in_the_order_of_the_file(tmp_path: Path, shop: Taxonomy) -> None:
    with pytest.raises(InputError) as error:
        read_file(tmp_path / "labels.csv", HEADER + "dev,0,cows; toys\ntest,0\ntest,9,dogs\n", shop)
    assert [line.split(":")[1] for line in str(error.value).splitlines()] == ["2", "2", "2", "3", "4"]


def test_message_offers_five_of_many_paths_without_counting_them() -> None:
    """Thirty storeys of two rooms, each open to both above, have 2^30 ways down."""
    rooms = [(f"{n}{side}", f"room {n}{side}") for n in range(31) for side in "ab"]
    edges = [(f"{n}{a}", f"{n + 1}{b}") for n in range(30) for a in "ab" for b in "ab"]
    found, problems = ClassReader(Taxonomy.from_edges(rooms, edges)).read("room 30a")
    assert len(problems) == 1
    assert problems[0].count("`room 0") == 5 and problems[0].endswith(", or others")


@st.composite
def tangled(draw: st.DrawFn) -> Taxonomy:
    """Return a small graph whose names repeat, and are ids of other classes."""
    n = draw(st.integers(2, 7))
    names = [draw(st.sampled_from(["a", "A", "b_c", "b c", "0", "1", "2"])) for _ in range(n)]
    pairs = [(i, j) for j in range(n) for i in range(j)]
    edges = draw(st.lists(st.sampled_from(pairs), unique=True))
    return Taxonomy.from_edges([(str(i), name) for i, name in enumerate(names)], [(str(i), str(j)) for i, j in edges])


@settings(deadline=None)
@given(tangled(), st.data())
def test_what_is_written_is_read_back(taxonomy: Taxonomy, data: st.DataObject) -> None:
    every = list(taxonomy.iterate_paths())
    paths = data.draw(st.lists(st.sampled_from(every), min_size=1, max_size=3))
    reader = ClassReader(taxonomy)
    assert reader.read(reader.write(paths)) == ({c for path in paths for c in path}, [])


@settings(deadline=None)
@given(tangled(), st.lists(st.sampled_from(["a", "A", "b c", "0", "1", "3", "a > b_c", "0 > 1"]), min_size=1))
def test_whatever_is_read_is_path_consistent(taxonomy: Taxonomy, parts: list[str]) -> None:
    classes, problems = ClassReader(taxonomy).read(";".join(parts))
    if not problems:
        assert classes
        assert taxonomy.is_path_consistent(taxonomy.to_matrix([[taxonomy.class_ids[c] for c in classes]])).all()


def test_one_name_at_every_step_stands_for_more_paths_than_are_listed() -> None:
    n = 60
    ids = [(f"{side}{step}", "part") for step in range(n) for side in "ab"]
    edges = [(f"{x}{step}", f"{y}{step + 1}") for step in range(n - 1) for x in "ab" for y in "ab"]
    reader = ClassReader(Taxonomy.from_edges(ids, edges))
    with within(2, 20):
        classes, problems = reader.read(" > ".join(["part"] * n))
    assert not classes
    assert len(problems) == 1 and f"may be {2**n:,} paths; write it by ids: `a0 > a1 > " in problems[0]
    assert problems[0].endswith(", or others")
    with within(2, 20):
        _, problems = reader.read(" > ".join(["part"] * (n + 1)))
    assert len(problems) == 1 and "'part' is not a child of 'part'; correct the path" in problems[0]


def test_ways_to_a_class_with_a_million_are_offered_and_not_listed() -> None:
    reader = ClassReader(make_diamonds(20))
    with within(2, 20):
        classes, problems = reader.read("a19")
    assert not problems or classes or len(problems) == 1
    assert all(problem.endswith(", or others") for problem in problems)
