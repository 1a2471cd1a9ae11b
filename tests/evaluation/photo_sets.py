"""Labelled photos for the tests of judging: a folder of them as a data set."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from emotag.dataset import Dataset, load_dataset
from tests.cli.labelled import draw_labelled

__all__ = ["load_labelled"]


def load_labelled(folder: Path, labels: Sequence[str], count: int, *, seed: int = 0) -> Dataset:
    """Draw FOLDER/LABEL/0.png and so on, and return them as a data set, with kinds in turn."""
    draw_labelled(folder, labels, count, seed=seed)
    dataset = load_dataset([str(folder)])
    kinds = np.array([("depicted", "evoked")[index % 2] for index in range(len(dataset))])
    columns = {name: getattr(dataset, name) for name in COLUMNS}
    return Dataset(**columns, kinds=kinds)


COLUMNS = ("paths", "labels", "sentiments", "groups", "splits", "sources", "digests")
