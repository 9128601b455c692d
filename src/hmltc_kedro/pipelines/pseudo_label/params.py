"""Parameters of the stage `pseudo_label`."""

from hmltc_kedro.pseudo_labels.settings import PseudoLabelSettings


class PseudoLabelParams(PseudoLabelSettings):
    """How candidates are scored and which labels are kept; see `pseudo_labels` for the formulas."""
