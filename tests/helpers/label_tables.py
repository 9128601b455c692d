"""Tables of labels."""

import pandas as pd


def make_labels(*label_sets: list[str], dropped: tuple[int, ...] = ()) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "split": "train",
            "doc_id": [str(i) for i in range(len(label_sets))],
            "class_ids": list(label_sets),
            "confidence": 1.0,
            "kept": [i not in dropped for i in range(len(label_sets))],
        }
    )
