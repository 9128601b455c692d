"""Whatever is disturbed between two stages: the labels of an undisturbed run, or one line; never others without a word.

Each example takes a small dataset whose run is complete, disturbs it at random and runs some of its stages again.
"""

import os
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from hmltc_kedro.errors import InputError
from hmltc_kedro.modeling import HierarchicalClassifier
from hmltc_kedro.pipelines import STAGES
from kedro_project import Finished, Project

LABELLED = STAGES[: STAGES.index("infer") + 1]
"""Stages up to the labels."""

SUBJECTS = {
    "cats": "kitten purr whiskers paw",
    "dogs": "puppy bark leash kennel",
    "bread": "loaf yeast crust flour",
    "cheese": "cheddar brie rind goat",
    "piano": "keys pedal sonata stool",
    "drums": "snare cymbal sticks beat",
}
PARENTS = {"cats": "animals", "dogs": "animals", "bread": "food", "cheese": "food", "piano": "music", "drums": "music"}


def write_lines(path: Path, lines: list[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)  # it may be a link to the file of another example
    path.write_text("".join(f"{line}\n" for line in lines), "utf-8")


def write_dataset(folder: Path) -> None:
    """Write nine classes, 36 training and 12 test documents."""
    names = [*dict.fromkeys(PARENTS.values()), *PARENTS]
    ids = {name: str(place) for place, name in enumerate(names)}
    write_lines(folder / "classes.txt", [f"{ids[name]}\t{name}" for name in names])
    write_lines(folder / "class_hierarchy.txt", [f"{ids[parent]}\t{ids[child]}" for child, parent in PARENTS.items()])
    keywords = [f"{name}:{','.join(words.split()[:2])}" for name, words in SUBJECTS.items()]
    write_lines(folder / "class_related_keywords.txt", keywords)
    texts = [
        f"a {word} for {name}, number {n}" for n in range(2) for name in SUBJECTS for word in SUBJECTS[name].split()
    ]
    train, test = [t for i, t in enumerate(texts) if i % 4], texts[::4]
    write_lines(folder / "train" / "train_corpus.txt", [f"{i}\t{text}" for i, text in enumerate(train)])
    write_lines(folder / "test" / "test_corpus.txt", [f"{i}\t{text}" for i, text in enumerate(test)])


# ---------------------------------------------------------------------- disturbances

Random = random.Random
Disturb = Callable[[Path, Random], str]
"""Changes something in the folder `data` of a project and says what."""


def list_raw(data: Path) -> list[Path]:
    return sorted((data / "01_raw" / "calm").rglob("*.txt"))


def list_entries(data: Path, *endings: str) -> list[Path]:
    """Return the files that stages up to the labels read of each other."""
    layers = ("02_intermediate", "03_primary", "04_feature", "05_model_input", "06_models", "07_model_output")
    files = [file for layer in layers for file in sorted((data / layer / "calm").rglob("*"))]
    return [f for f in files if f.is_file() and f.suffix in endings and not f.name.startswith(".")]


def shuffle_lines(data: Path, rng: Random) -> str:
    path = rng.choice(list_raw(data))
    lines = path.read_text("utf-8").splitlines()
    write_lines(path, rng.sample(lines, len(lines)))
    return f"lines of {path.name} shuffled"


def add_class(data: Path, rng: Random) -> str:
    classes, edges = (data / "01_raw" / "calm" / name for name in ("classes.txt", "class_hierarchy.txt"))
    lines = classes.read_text("utf-8").splitlines()
    lines.insert(rng.randrange(len(lines) + 1), "new\tbicycles")
    write_lines(classes, lines)
    if rng.random() < 0.5:
        write_lines(edges, [*edges.read_text("utf-8").splitlines(), "0\tnew"])
    return "a class added"


def drop_line(data: Path, rng: Random) -> str:
    path = rng.choice(list_raw(data))
    lines = path.read_text("utf-8").splitlines()
    gone = lines.pop(rng.randrange(len(lines)))
    write_lines(path, lines)
    return f"{path.name} without {gone!r}"


def change_id(data: Path, rng: Random) -> str:
    path = rng.choice(list_raw(data))
    lines = path.read_text("utf-8").splitlines()
    place = rng.randrange(len(lines))
    lines[place] = rng.choice(["nan", "x", "0", ""]) + lines[place].lstrip("0123456789")
    write_lines(path, lines)
    return f"{path.name} with {lines[place]!r}"


def swap_raw(data: Path, rng: Random) -> str:
    one, other = rng.sample(list_raw(data), 2)
    first, second = one.read_text("utf-8"), other.read_text("utf-8")
    write_lines(one, second.splitlines())
    write_lines(other, first.splitlines())
    return f"{one.name} and {other.name} swapped"


def put(path: Path, content: bytes) -> None:
    path.unlink(missing_ok=True)
    path.write_bytes(content)


def truncate(data: Path, rng: Random) -> str:
    path = rng.choice([*list_raw(data), *list_entries(data, ".parquet", ".safetensors", ".json")])
    content = path.read_bytes()
    put(path, content[: rng.randrange(len(content))])
    return f"{path.relative_to(data)} truncated"


def swap_entries(data: Path, rng: Random) -> str:
    one = rng.choice(list_entries(data, ".parquet", ".safetensors", ".json"))
    other = rng.choice([file for file in list_entries(data, one.suffix) if file != one])
    first, second = one.read_bytes(), other.read_bytes()
    put(one, second)
    put(other, first)
    return f"{one.relative_to(data)} and {other.relative_to(data)} swapped"


def take_from_other(data: Path, rng: Random) -> str:
    """Of the dataset `other`, which has the same documents and classes in another order."""
    path = rng.choice(list_entries(data, ".parquet", ".safetensors", ".json"))
    source = Path(str(path).replace("/calm/", "/other/"))
    put(path, source.read_bytes())
    return f"{path.relative_to(data)} of another dataset"


def poison_tensor(data: Path, rng: Random) -> str:
    filled = [path for path in list_entries(data, ".safetensors") if all(a.size for a in load_file(path).values())]
    path = rng.choice(filled)
    with safe_open(path, "numpy") as opened:
        metadata = opened.metadata()
    arrays = {name: array.copy() for name, array in load_file(path).items()}
    name = rng.choice(list(arrays))
    array = arrays[name]
    how = rng.choice(["nan", "zero", "shuffle"])
    if how == "nan" and array.dtype.kind == "f":
        array.reshape(-1)[rng.randrange(array.size)] = np.nan
    elif how == "zero":
        array[rng.randrange(len(array)) if array.ndim else ...] = 0
    elif array.ndim:
        arrays[name] = np.ascontiguousarray(array[rng.sample(range(len(array)), len(array))])
    path.unlink()
    save_file(arrays, path, metadata)
    return f"{path.relative_to(data)}: {name} {how}"


def choose_table(data: Path, rng: Random, kinds: str = "") -> tuple[Path, pd.DataFrame, list[str]]:
    """Return a table with rows, and its columns of some kinds of dtype; all of them if none are named."""
    tables = [(path, pd.read_parquet(path)) for path in list_entries(data, ".parquet")]
    found = [(p, t, [c for c in t.columns if not kinds or t[c].dtype.kind in kinds]) for p, t in tables if len(t)]
    return rng.choice([(path, table, columns) for path, table, columns in found if columns])


def poison_table(data: Path, rng: Random) -> str:
    path, frame, columns = choose_table(data, rng)
    how = rng.choice(["rows shuffled", "a row dropped", "a row twice", "a cell of another row"])
    one, other = rng.randrange(len(frame)), rng.randrange(len(frame))
    if how == "rows shuffled":
        frame = frame.sample(frac=1, random_state=one)
    elif how == "a row dropped":
        frame = frame.drop(index=frame.index[one])
    elif how == "a row twice":
        frame = pd.concat([frame, frame.iloc[[one]]])
    else:
        name = rng.choice(columns)
        values = list(frame[name])
        values[one] = values[other]
        frame[name] = pd.Series(values, index=frame.index, dtype=frame[name].dtype)
    path.unlink()
    frame.reset_index(drop=True).to_parquet(path)
    return f"{path.relative_to(data)}: {how}"


def poison_number(data: Path, rng: Random) -> str:
    path, frame, columns = choose_table(data, rng, "f")
    name, value = rng.choice(columns), rng.choice([np.nan, 0.0, -1.0, np.inf, 1e9])
    frame.loc[frame.index[rng.randrange(len(frame))], name] = value
    path.unlink()
    frame.to_parquet(path)
    return f"{path.relative_to(data)}: {name} {value}"


def delete(data: Path, rng: Random) -> str:
    path = rng.choice(list_entries(data, ".parquet", ".safetensors", ".json", ".txt"))
    path.unlink()
    return f"{path.relative_to(data)} deleted"


RAW = [shuffle_lines, add_class, drop_line, change_id, swap_raw]
MADE = [truncate, swap_entries, take_from_other, poison_tensor, poison_table, poison_number, delete]
ALL = [*RAW, *MADE]

EXAMPLES = len(ALL)
"""One of each; any larger number tries more of them."""


# ---------------------------------------------------------------------- runs


def copy(source: Path, target: Path) -> None:
    """Copy a tree; files that are replaced and never changed in place are links."""

    def take(one: str, other: str) -> None:
        if ".sqlite" in one:
            shutil.copy2(one, other)
        else:
            os.link(one, other)

    shutil.copytree(source, target, copy_function=take)


class Disturbed:
    """A project with a dataset `calm`, all of whose stages have run, and `other`, the same in another order."""

    def __init__(self, project: Project) -> None:
        self.project, self.data = project, project.folder / "data"
        self.kept = project.folder / "kept"
        environment = project.folder / "conf" / "calm"
        environment.mkdir()
        (environment / "globals.yml").write_text("llm: template\n", "utf-8")
        project.use_short_encoder("calm")
        write_dataset(project.raw / "calm")
        write_dataset(project.raw / "other")
        for path in sorted((project.raw / "other").rglob("*.txt")):
            write_lines(path, path.read_text("utf-8").splitlines()[::-1])
        for name in ("other", "calm"):
            done = self.run(list(LABELLED), name)
            assert done.code == 0, done.text
        self.labels = self.read_labels()
        for layer in self.list_layers("calm"):
            copy(layer, self.kept / layer.parent.name)

    def list_layers(self, dataset: str) -> list[Path]:
        return sorted(layer / dataset for layer in self.data.glob("0*") if (layer / dataset).exists())

    def restore(self) -> None:
        for layer in self.list_layers("calm"):
            shutil.rmtree(layer)
        for layer in self.kept.iterdir():
            copy(layer, self.data / layer.name / "calm")

    def run(self, stages: list[str], dataset: str = "calm") -> Finished:
        return self.project.kedro("run", "--env=calm", f"--pipelines={','.join(stages)}", f"--params=dataset={dataset}")

    def read_labels(self, dataset: str = "calm") -> dict[str, list[str]]:
        frame = pd.read_parquet(self.data / "07_model_output" / dataset / "predictions.parquet")
        return {doc_id: sorted(ids) for doc_id, ids in zip(frame["doc_id"], frame["class_ids"], strict=True)}

    def label_with_the_model(self) -> dict[str, list[str]] | None:
        """Return the labels that the saved classifier gives to the test documents; None if it is refused."""
        documents = pd.read_parquet(self.data / "02_intermediate" / "calm" / "documents.parquet")
        test = documents[documents["split"] == "test"]
        model = self.data / "06_models" / "calm" / "classifier"
        try:
            frame = HierarchicalClassifier.load(model, device="cpu").predict_frame(test["text"])
        except InputError:
            return None
        return {doc_id: sorted(ids) for doc_id, ids in zip(test["doc_id"], frame["class_ids"], strict=True)}

    def read_labels_of_a_whole_run(self) -> dict[str, list[str]] | None:
        """Return the labels of the raw files as they are now; None if they are refused."""
        shutil.rmtree(self.data / "01_raw" / "fresh", ignore_errors=True)
        shutil.copytree(self.data / "01_raw" / "calm", self.data / "01_raw" / "fresh")
        for layer in self.list_layers("fresh")[1:]:
            shutil.rmtree(layer)
        return self.read_labels("fresh") if self.run(list(LABELLED), "fresh").code == 0 else None


@pytest.fixture(scope="module")
def disturbed(project: Project) -> Iterator[Disturbed]:
    """Return the project, and leave nothing of it."""
    made = Disturbed(project)
    yield made
    for name in ("calm", "other", "fresh"):
        for layer in made.list_layers(name):
            shutil.rmtree(layer)
    shutil.rmtree(made.kept)
    shutil.rmtree(project.folder / "conf" / "calm")


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(EXAMPLES))
def test_undisturbed_labels_or_one_line(disturbed: Disturbed, seed: int) -> None:
    disturb, rng = ALL[seed % len(ALL)], Random(seed)
    disturbed.restore()
    what = disturb(disturbed.data, rng)
    stages = list(LABELLED[rng.randrange(1, len(LABELLED)) :])
    done = disturbed.run(["ingest"]) if disturb in RAW else None
    if done is None or done.code == 0:
        done = disturbed.run(stages)
        what = f"{what}; {','.join(stages)}"
    if done.code:
        lines = done.err.strip().splitlines()
        assert done.err.startswith("Error: ") and len(lines) <= 12, f"{what}\n{done.text}"
        assert "Traceback" not in done.text, f"{what}\n{done.text}"
        return
    labels = disturbed.read_labels()
    assert disturbed.label_with_the_model() in (labels, None), what
    if labels != disturbed.labels:
        assert labels == disturbed.read_labels_of_a_whole_run(), what


@pytest.mark.slow
@pytest.mark.parametrize(
    ("entry", "other", "stage"),
    [
        ("02_intermediate/{}/documents", "02_intermediate/{}/taxonomy", "pseudo_label"),
        ("05_model_input/{}/silver_labels", "05_model_input/{}/candidate_scores", "augment"),
        ("03_primary/{}/enriched_taxonomy", "02_intermediate/{}/documents", "pseudo_label"),
        ("04_feature/{}/class_embeddings", "04_feature/{}/document_embeddings", "train"),
    ],
)
def test_without_records_an_entry_of_another_kind_is_one_line(
    disturbed: Disturbed, entry: str, other: str, stage: str
) -> None:
    disturbed.restore()
    for record in disturbed.data.glob("0*/calm/.*.made.json"):
        record.unlink()
    (path,) = disturbed.data.glob(f"{entry.format('calm')}.*")
    (source,) = disturbed.data.glob(f"{other.format('calm')}.*")
    put(path, source.read_bytes())
    done = disturbed.run(stage.split(","))
    assert done.code == 1 and "Traceback" not in done.text, done.text
    assert done.err.startswith("Error: ") and len(done.err.strip().splitlines()) == 1, done.text
