"""`kedro predict` as a user meets it: a table goes in, a table comes out."""

import pandas as pd

from kedro_project import Finished, Project, call


def test_table_is_labelled_by_the_trained_model(project: Project, first_run: Finished) -> None:
    """By the command of the installed package, whose own name it is; `kedro predict` is the same command."""
    lines = (project.raw / "sample/test/test_corpus.txt").read_text("utf-8").splitlines()
    rows = [line.partition("\t") for line in lines]
    table = pd.DataFrame({"sku": [key for key, _, _ in rows], "title": [text for _, _, text in rows]})
    table.to_csv(project.folder / "shop.csv", index=False)
    columns = "--params=ingest.columns.doc_id=sku,ingest.columns.text=title"
    done = call(project.folder, "hmltc_kedro", "predict", "shop.csv", "--to", "out.csv", "--env=test", columns)
    assert done.code == 0, done.err
    assert done.out.splitlines()[-1] == "Written to out.csv"
    assert done.out.splitlines()[-2].startswith("shop.csv: 20 documents labelled")
    labels = pd.read_csv(project.folder / "out.csv", dtype=str, encoding="utf-8-sig")
    predictions = pd.read_parquet(project.folder / "data/07_model_output/sample/test/predictions.parquet")
    own = predictions["source"] == "model"  # what was judged keeps what was said of it
    assert labels["doc_id"].tolist() == predictions["doc_id"].tolist()
    assert labels["names"][own].tolist() == predictions["names"].map("; ".join)[own].tolist()


def test_what_is_missing_is_one_line(project: Project, first_run: Finished) -> None:
    (project.folder / "texts.csv").write_text("text\na kettle\n", "utf-8")
    done = project.kedro("predict", "texts.csv", "--to=out.csv", "--params=dataset=nowhere")
    where = "data/06_models/nowhere/classifier"
    made = "kedro run --pipeline=train --params=dataset=nowhere"
    assert done.code == 1 and done.err.splitlines()[-1] == (
        f"Error: entry `classifier` is missing ({where}); make it with: {made}"
    )
    done = project.kedro("predict", "texts.csv", "--to=texts.csv", "--env=test")
    assert done.code == 1 and done.err.splitlines()[-1] == (
        "Error: texts.csv: the documents themselves; give another file to write to"
    )
    assert (project.folder / "texts.csv").read_text("utf-8") == "text\na kettle\n"
