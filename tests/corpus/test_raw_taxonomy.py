"""Classes, hierarchy and keywords: every message with file and line, and every legal oddity that must pass."""

import pytest
from hypothesis import given

from hmltc_kedro.corpus.raw_files import RawTable, make_rows
from hmltc_kedro.corpus.raw_taxonomy import build_taxonomy
from hmltc_kedro.errors import InputError
from raw_folder import CLASSES, EDGES, Folder, contents, fuzz, message

# ---------------------------------------------------------------------- classes, hierarchy, keywords


def test_taxonomy_of_good_files_has_all_classes_edges_and_keywords(folder: Folder) -> None:
    taxonomy = folder.taxonomy(keywords="animals:pets, fur_ball ,pets\ne:spade\n")
    assert taxonomy.class_ids == ("a", "b", "c", "d", "e")
    assert taxonomy.names == ("animals", "garden", "dogs", "toys", "toys")
    assert taxonomy.parents == ((), (), (0,), (2,), (1,))
    assert taxonomy.keywords == (("pets", "fur ball"), (), (), (), ("spade",))


def test_taxonomy_needs_no_keywords_file(folder: Folder) -> None:
    missing = RawTable("class_related_keywords.txt", make_rows([], [], [], []), exists=False)
    taxonomy = build_taxonomy(folder.table("c", CLASSES), folder.table("h", EDGES), missing)
    assert not any(taxonomy.keywords)


@pytest.mark.parametrize(
    ("keywords", "expected"),
    [
        ("animals:cats:kitten,purr\n", {"x": ("kitten", "purr")}),
        ("animals:pet,ratio 3:1\n", {"a": ("pet", "ratio 3:1")}),
        ("animals : cats : kitten\nanimals:pet\n", {"x": ("kitten",), "a": ("pet",)}),
        ("n:1:one\nn:two\n", {"n:1": ("one",), "n": ("two",)}),
        ("end::last\n", {"y": ("last",)}),
    ],
)
def test_keywords_go_to_the_longest_name_before_a_colon(
    folder: Folder, keywords: str, expected: dict[str, tuple[str, ...]]
) -> None:
    classes = "a\tanimals\nx\tanimals: cats\nn\tnumbers\nn:1\tfirst\ny\tend:\n"
    taxonomy = folder.taxonomy(classes, "a\tx\n", keywords)
    assert {i: k for i, k in zip(taxonomy.class_ids, taxonomy.keywords, strict=True) if k} == expected


def test_taxonomy_may_be_flat(folder: Folder) -> None:
    assert len(folder.taxonomy(edges="").roots) == 5


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        pytest.param(
            {"edges": "a\tc\nc\td\nd\ta\n"},
            "class_hierarchy.txt:3: this edge closes a cycle: {cycle}; "
            "a taxonomy is acyclic, remove one of these edges",
            id="cycle",
        ),
        pytest.param(
            {"classes": "a\tanimals\nb,c\tgarden\n"},
            "classes.txt:2: class id 'b,c' has a comma in it; label lists are separated by commas, write it without",
            id="comma",
        ),
        pytest.param(
            {"edges": "a\tc\n\nc\tc\n"},
            "class_hierarchy.txt:3: class 'c' is its own parent; remove the line",
            id="self-loop",
        ),
        pytest.param(
            {"edges": "a\tc\nx\td\n"},
            "class_hierarchy.txt:2: class 'x' is not in classes.txt; add it there or remove the edge",
            id="unknown-parent",
        ),
        pytest.param(
            {"edges": "a\ty\n"},
            "class_hierarchy.txt:1: class 'y' is not in classes.txt; add it there or remove the edge",
            id="unknown-child",
        ),
        pytest.param(
            {"edges": "a\tc\nb\td\na\tc\n"},
            "class_hierarchy.txt:3: the edge is already on line 1; remove one",
            id="edge-twice",
        ),
        pytest.param(
            {"edges": "a\tc\nb d\n"},
            "class_hierarchy.txt:2: the line has no TAB; write <key>TAB<value>",
            id="edge-without-tab",
        ),
        pytest.param(
            {"classes": CLASSES + "c\tcats\n"},
            "classes.txt:6: class id 'c' is already on line 3; give each class its own id",
            id="class-id-twice",
        ),
        pytest.param(
            {"classes": "a\tanimals\nb\t\n"},
            "classes.txt:2: class 'b' has no id or no name; write <class_id>TAB<class_name>",
            id="class-without-name",
        ),
        pytest.param(
            {"classes": "\n \n"},
            "classes.txt:1: no classes; write <class_id>TAB<class_name> lines",
            id="no-classes",
        ),
        pytest.param(
            {"classes": b"a\tanimals\nb\tgard\xe9n\n"},
            "classes.txt:2: byte 7 of the line is not UTF-8; save the file as UTF-8",
            id="class-not-utf8",
        ),
        pytest.param(
            {"keywords": "animals:fur\ncows:milk\n"},
            "class_related_keywords.txt:2: there is no class 'cows'; correct the name or remove the line",
            id="keywords-for-unknown-class",
        ),
        pytest.param(
            {"keywords": "toys:ball\n"},
            "class_related_keywords.txt:1: 2 classes are called 'toys'; "
            "write the class id in place of the name, one of d, e",
            id="keywords-for-a-name-of-two",
        ),
        pytest.param(
            {"keywords": "animals:fur\ndogs:bone\na:paw\n"},
            "class_related_keywords.txt:3: class 'a' already has keywords on line 1; join the two lines",
            id="keywords-twice",
        ),
        pytest.param(
            {"keywords": "animals fur\n"},
            "class_related_keywords.txt:1: the line has no :; write <key>:<value>",
            id="keywords-without-colon",
        ),
    ],
)
def test_bad_taxonomy_file_is_one_message_with_file_line_and_mend(
    folder: Folder, files: dict[str, str | bytes], expected: str
) -> None:
    with pytest.raises(InputError) as error:
        folder.taxonomy(**files)
    found = message(error, folder)
    if "{cycle}" in expected:
        cycle = found.split("cycle: ")[1].split("; ")[0]
        assert cycle in {"a -> c -> d -> a", "c -> d -> a -> c", "d -> a -> c -> d"}
        expected = expected.format(cycle=cycle)
    assert found == expected


def test_all_bad_lines_are_listed_up_to_ten(folder: Folder) -> None:
    with pytest.raises(InputError) as error:
        folder.taxonomy(edges="".join(f"a\tx{i}\n" for i in range(13)))
    lines = message(error, folder).split("\n")
    assert [line.split(":")[1] for line in lines[:10]] == [str(i) for i in range(1, 11)]
    assert lines[10:] == ["... and 3 more of this kind"]


def test_keywords_of_an_ambiguous_name_may_be_given_by_id(folder: Folder) -> None:
    assert folder.taxonomy(keywords="d:bone\ne:spade\n").keywords[3:] == (("bone",), ("spade",))


def test_keywords_may_hold_a_colon(folder: Folder) -> None:
    assert folder.taxonomy(keywords="dogs:ratio 1:2,leash\n").keywords[2] == ("ratio 1:2", "leash")


# ---------------------------------------------------------------------- anything at all


@fuzz
@given(classes=contents, edges=contents, keywords=contents)
def test_arbitrary_bytes_give_a_taxonomy_or_an_input_error(
    folder: Folder, classes: bytes, edges: bytes, keywords: bytes
) -> None:
    try:
        taxonomy = folder.taxonomy(classes, edges, keywords)
    except InputError as error:
        assert str(error).startswith(str(folder))
    else:
        assert list(taxonomy.class_ids) == folder.table("classes.txt", classes).rows["key"].tolist()


@pytest.mark.parametrize("n", [257, 1200])
def test_a_graph_of_more_levels_than_fit_is_refused_where_it_grows_too_deep(folder: Folder, n: int) -> None:
    classes = "".join(f"{c}\tlevel {c}\n" for c in range(n))
    edges = "".join(f"{c}\t{c + 1}\n" for c in range(n - 1))
    with pytest.raises(InputError) as caught:
        folder.taxonomy(classes=classes, edges=edges)
    assert message(caught, folder) == (
        f"class_hierarchy.txt:256: this edge ends a path of 257 classes, and the longest has {n:,}; "
        "a taxonomy has at most 256 levels, remove some between its root and its leaves"
    )


def test_a_short_way_beside_it_does_not_make_a_long_one_shorter(folder: Folder) -> None:
    classes = "".join(f"{c}\tlevel {c}\n" for c in range(300))
    edges = "0\t299\n" + "".join(f"{c}\t{c + 1}\n" for c in range(299))
    with pytest.raises(InputError, match=r"class_hierarchy.txt:257: this edge ends a path of 257 classes"):
        folder.taxonomy(classes=classes, edges=edges)


def test_a_graph_of_256_levels_is_a_taxonomy(folder: Folder) -> None:
    classes = "".join(f"{c}\tlevel {c}\n" for c in range(256))
    edges = "".join(f"{c}\t{c + 1}\n" for c in range(255))
    assert folder.taxonomy(classes=classes, edges=edges).depth == 256
