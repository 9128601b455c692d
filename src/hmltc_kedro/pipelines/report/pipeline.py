"""Wiring of the stage `report`."""

from dataclasses import fields

from kedro.pipeline import Node, Pipeline

from hmltc_kedro.pipelines.report import nodes
from hmltc_kedro.report import RunEntries

SHOWN = ("seed", "ingest", "enrich", "pseudo_label", "annotate", "augment", "train", "infer", "report")
"""Settings that the report shows; those of the ablation's variants are none of this run."""


def create_pipeline() -> Pipeline:
    """`label_statistics`, `class_embeddings`, texts and `predictions` to studies and diagnostics; all to `report`."""
    entries = {field.name: field.name for field in fields(RunEntries) if field.name != "parameters"}
    settings = {f"{nodes.SETTINGS}{name}": f"params:{name}" for name in SHOWN}
    return Pipeline(
        [
            Node(
                nodes.draw_taxonomy_map,
                inputs=["label_statistics", "enriched_taxonomy"],
                outputs="taxonomy_map",
                name="draw_taxonomy_map",
            ),
            Node(
                nodes.measure_gcn_study,
                inputs=["class_embeddings", "taxonomy", "params:report.gcn_map_root"],
                outputs="gcn_study",
                name="measure_gcn_study",
            ),
            Node(
                nodes.draw_gcn_map,
                inputs=["class_embeddings", "taxonomy", "params:report.gcn_map_root", "params:seed"],
                outputs="gcn_map",
                name="draw_gcn_map",
            ),
            Node(
                nodes.measure_style_study,
                inputs=["documents", "synthetic_documents", "params:seed"],
                outputs="style_study",
                name="measure_style_study",
            ),
            Node(
                nodes.diagnose_documents,
                inputs=[
                    "predictions",
                    "class_probabilities",
                    "candidate_scores",
                    "silver_labels",
                    "taxonomy",
                ],
                outputs="document_diagnostics",
                name="diagnose_documents",
            ),
            Node(
                nodes.diagnose_classes,
                inputs=["predictions", "silver_labels", "document_diagnostics", "taxonomy"],
                outputs="class_diagnostics",
                name="diagnose_classes",
            ),
            Node(
                nodes.diagnose_run,
                inputs=["predictions", "silver_labels", "document_diagnostics", "calibration", "taxonomy"],
                outputs="run_diagnostics",
                name="diagnose_run",
            ),
            Node(
                nodes.write_report,
                inputs={"title": "params:report.title", **entries, **settings},
                outputs="report",
                name="write_report",
            ),
        ],
        tags="report",
    )
