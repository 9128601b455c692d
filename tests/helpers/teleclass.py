"""A folder of TELEClass's layout, of any size."""

from pathlib import Path

from hmltc_kedro.corpus.amazon531 import Counts


def write_lines(path: Path, lines: list[str]) -> None:
    """Write a text file, in a folder that is made if need be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(line + "\n" for line in lines), "utf-8")


def publish(folder: Path, counts: Counts) -> Path:
    """Write a folder of TELEClass's layout: two roots, all else below them, some classes below both."""
    below = range(2, counts.classes)
    both = range(2, 2 + counts.edges - len(below))
    classes = [2 + i % len(below) for i in range(max(counts.train_documents, counts.test_documents))]
    texts = [f"{i}\treview {i} : a thing of kind {c} , caf\u00e9 - style" for i, c in enumerate(classes)]
    labels = [f"{i}\t{c % 2},{c}" for i, c in enumerate(classes)]
    edges = [f"{i % 2}\t{i}" for i in below] + [f"{(i + 1) % 2}\t{i}" for i in both]
    write_lines(folder / "labels.txt", [f"{i}\tkind_{i}" for i in range(counts.classes)])
    write_lines(folder / "label_hierarchy.txt", edges)
    write_lines(folder / "train/llm_enrichment.txt", [f"kind_{i}:term_{i},other_{i}" for i in range(counts.classes)])
    for split, n in (("train", counts.train_documents), ("test", counts.test_documents)):
        write_lines(folder / split / "corpus.txt", texts[:n])
        write_lines(folder / split / "doc2labels.txt", labels[:n])
    write_lines(folder / "train/enrichment.txt", ["kind_0:not,read"])
    return folder
