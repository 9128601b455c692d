"""Nodes of the stage `label`."""

import logging
from dataclasses import replace
from pathlib import Path

from hmltc_kedro.labelling.bulk import label_folder
from hmltc_kedro.labelling.folder import BulkFolder
from hmltc_kedro.modeling import HierarchicalClassifier
from hmltc_kedro.pipelines.label.params import LabelParams

logger = logging.getLogger(__name__)


def label_documents(
    bulk_documents: BulkFolder, classifier: HierarchicalClassifier, params: LabelParams, on_invalid: str
) -> None:
    """Label the bulk files that are new or changed, or that another model labelled; each is written when it is done."""
    folder = replace(bulk_documents, source=Path(params.source)) if params.source else bulk_documents
    skip = on_invalid == "skip"
    labelled = label_folder(folder, classifier, batch_size=params.batch_size, skip_invalid=skip)
    logger.info("%d files labelled, the others were; labels in %s", len(labelled), folder.target)
