"""Classes as people have them: five forms of one small tree, and one line for each thing that can be wrong."""

from pathlib import Path

import pytest

from hmltc_kedro.corpus.class_lists import MAX_LEVELS, ClassList, read_listed
from hmltc_kedro.errors import InputError

TREE = {"pets": "", "pets > dogs": "0", "pets > dogs > dog beds": "1", "pets > cats": "0", "garden": ""}
"""Each class by its way, in order, with the id of its parent."""

FORMS = {
    "tree.txt": "Pets\n  dogs\n    dog beds\n  cats\n\nGarden\n",
    "tabs.txt": "\ufeffPets\r\n\tdogs\r\n\t\tdog beds\r\n\tcats\r\nGarden\r\n",
    "bullets.md": "- Pets\n  - dogs\n    * dog   beds\n  - cats\n- Garden",
    "shifted.txt": "  Pets\n    dogs\n        dog beds\n    cats\n  Garden\n",
    "paths.txt": "Pets > dogs > dog beds\nPets > cats\nGarden\n",
    "explicit.txt": "Pets\nPets>dogs\nPets > dogs > dog beds\nPets > cats\nGarden\n",
    "nested.yaml": "Pets:\n  dogs: [dog beds]\n  cats:\nGarden: ~\n",
    "lists.yml": "- Pets:\n  - dogs:\n    - dog beds\n  - cats\n- Garden\n",
    "nested.json": '{"Pets": {"dogs": {"dog beds": {}},\n\t"cats": null}, "Garden": []}',
    "children.json": '[{"name": "Pets", "children": [{"name": "dogs", "children": [{"name": "dog beds"}]}, '
    '{"name": "cats", "children": []}]}, {"name": "Garden"}]',
    "pairs.csv": "parent,child\nPets,dogs\ndogs,dog beds\nPets,cats\n,Garden\n",
}


def read(tmp_path: Path, name: str, content: str | bytes) -> ClassList:
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_listed(tmp_path / name)


def explain(tmp_path: Path, name: str, content: str | bytes) -> str:
    """Return what is said of a file, after its path."""
    with pytest.raises(InputError) as raised:
        read(tmp_path, name, content).build_taxonomy()
    assert "\n" not in str(raised.value)
    return str(raised.value).removeprefix(str(tmp_path / name))


@pytest.mark.parametrize("name", FORMS)
def test_one_tree_in_every_form(tmp_path: Path, name: str) -> None:
    taxonomy = read(tmp_path, name, FORMS[name]).build_taxonomy()
    assert [label.lower() for label in taxonomy.labels] == list(TREE)
    assert ["".join(taxonomy.class_ids[p] for p in parents) for parents in taxonomy.parents] == list(TREE.values())
    assert taxonomy.names == ("Pets", "dogs", "dog_beds", "cats", "Garden")


def test_flat_list_has_no_hierarchy(tmp_path: Path) -> None:
    found = read(tmp_path, "list", "Pets\nno\n007\nlawn: care, and more\n")
    assert [name for _, _, name in found.classes] == ["Pets", "no", "007", "lawn:_care,_and_more"]
    assert found.form == "flat list" and len(found.build_taxonomy().roots) == 4


def test_one_name_below_two_parents_is_two_classes_in_a_tree_and_one_in_a_table(tmp_path: Path) -> None:
    tree = read(tmp_path, "a.txt", "dogs\n beds\ncats\n beds\n").build_taxonomy()
    assert tree.labels == ("dogs", "dogs > beds", "cats", "cats > beds")
    table = read(tmp_path, "a.csv", "child,parent\nbeds,dogs\nbeds,cats\n").build_taxonomy()
    assert table.names == ("dogs", "beds", "cats") and table.parents == ((), (0, 2), ())


def test_names_of_yaml_and_json_are_texts(tmp_path: Path) -> None:
    found = read(tmp_path, "a.yaml", "no: [1.0, 010, yes]\nnull name:\n2020-01-01:\n")
    assert [name for _, _, name in found.classes] == ["no", "1.0", "010", "yes", "null_name", "2020-01-01"]
    found = read(tmp_path, "a.json", '["\\ud83d\\ude00 fun", "a\\/b", "caf\\u00e9"]')
    assert [name for _, _, name in found.classes] == ["\U0001f600_fun", "a/b", "caf\u00e9"]


def test_two_hundred_and_fifty_six_levels_are_read_and_no_more(tmp_path: Path) -> None:
    chain = "".join(" " * level + f"c{level}\n" for level in range(MAX_LEVELS + 1))
    assert read(tmp_path, "a.txt", chain[: chain.rindex(" c256") - 255]).build_taxonomy().depth == MAX_LEVELS
    assert explain(tmp_path, "a.txt", chain) == ":257: a class on level 257; a taxonomy has at most 256 levels"
    nested = '{"a":' * 5000 + "1" + "}" * 5000
    assert explain(tmp_path, "a.json", nested) == ": nested too deep; a taxonomy has at most 256 levels"
    nested = "[" * 1000 + "]" * 1000
    assert explain(tmp_path, "a.yaml", nested) == ": nested too deep; a taxonomy has at most 256 levels"


PROBLEMS = [
    ("a.txt", "a\n  b\n  b\n", ":3: class 'a > b' is already on line 2; remove one or rename it"),
    ("a.txt", "dog beds\ndog_beds\n", ":2: class 'dog_beds' is already on line 1; remove one or rename it"),
    ("a.txt", "a > b\na > c\na > b\n", ":3: class 'a > b' is already on line 1; remove one or rename it"),
    ("a.json", '{"a": ["b",\n"b"]}', ":2: class 'a > b' is already on line 1; remove one or rename it"),
    ("a.yaml", "a: [b]\n\na: [c]\n", ":3: class 'a' is already on line 1; remove one or rename it"),
    ("a.txt", "a > > b\n", ":1: a class without a name; write one or remove it"),
    ("a.yaml", "a: ['']\n", ":1: a class without a name; write one or remove it"),
    ("a.csv", "parent,child\na,\n", ":2: a class without a name; write one or remove it"),
    ("a.yaml", "a: [b > c]\n", ":1: class 'b > c' has a > in its name, which stands between classes; write it without"),
    ("a.txt", "a\n  b\n > c\n", ":3: both indentation and > in one file; write a tree or paths"),
    (
        "a.txt",
        "a\n    b\n  c\n",
        ":3: indented as no line above it; children stand deeper than their parent, all of them alike, with TABs or "
        "with spaces",
    ),
    (
        "a.txt",
        "a\n  b\n\t\t\tc\n",
        ":3: indented as no line above it; children stand deeper than their parent, all of them alike, with TABs or "
        "with spaces",
    ),
    ("a.txt", "1\tdogs\n", ":1: a TAB within the line; write the name alone, ids are given"),
    ("a.txt", "a\n  1\tdogs\n", ":2: a TAB within the name; write the name alone, ids are given"),
    ("a.txt", b"a\ncaf\xe9\n", ":2: byte 4 of the line is not UTF-8; save the file as UTF-8"),
    ("a.txt", b"\xff\xfea\0", ":1: the file is UTF-16; save it as UTF-8"),
    ("a.json", '{"a": [}\n', ":1: not JSON (Expecting value); correct it"),
    ("a.yaml", "a: [b\nc: d\n", ":2: not YAML (expected ',' or ']', but got ':'); correct it"),
    ("a.yaml", "a: &x [b]\nc: *x\n", ":2: a reference (*); write the classes out"),
    ("a.yaml", "? [a, b]\n: c\n", ":1: no name of a class; write a name"),
    ("a.csv", "parent,child\na,b\nb,c\nc,a\n", ":4: this edge closes a cycle: b -> c -> a -> b; "),
    ("a.csv", "parent,child\na,a\n", ":2: class 'a' is its own parent; remove the line"),
    ("a.csv", "parent,child\na,b\na,b\n", ":3: class 'b' is already below 'a' on line 2; remove one"),
    ("a.csv", "parent,child\n,b\n,b\n", ":3: class 'b' is already a root on line 2; remove one"),
    ("a.csv", "a,b\n", ":1: no column parent, child; a table of classes has the columns parent and child"),
    ("a.csv", "parent;child\na;b\n", ":1: ; between the columns where CSV has a comma; save it with commas"),
]


@pytest.mark.parametrize(("name", "content", "message"), PROBLEMS)
def test_what_is_wrong_is_one_line(tmp_path: Path, name: str, content: str | bytes, message: str) -> None:
    said = explain(tmp_path, name, content)
    assert said.startswith(message) if message.endswith("; ") else said == message
