"""Nodes of the stage `label`."""

from hmltc_kedro.labelling.bulk import label_bulk
from hmltc_kedro.labelling.engines import make_engine
from hmltc_kedro.labelling.folder import BulkFolder
from hmltc_kedro.modeling import HierarchicalClassifier
from hmltc_kedro.pipelines.label.params import LabelParams


def label_documents(
    bulk_documents: BulkFolder, classifier: HierarchicalClassifier, params: LabelParams, on_invalid: str
) -> None:
    """Label the bulk documents that are new or changed, or that another model labelled, shard by shard."""
    engine = make_engine(params.engine, params.workers, params.address)
    assert classifier.directory is not None
    label_bulk(
        bulk_documents, classifier.directory, engine, batch_size=params.batch_size, skip_invalid=on_invalid == "skip"
    )
