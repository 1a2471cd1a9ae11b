"""Two processes that train one network together."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from emotag.errors import ModelError
from tests.models.conftest import Photos
from tests.models.finetuning.conftest import Quick

SCRIPT = """
import sys, os, json
from pathlib import Path
import numpy as np
import torch
from emotag import FineTunedCNN
from tests.networks import registered, tiny_backbone
folder = Path(sys.argv[1])
photos = json.loads((folder / "photos.json").read_text())
own = folder / os.environ["RANK"]
own.mkdir()
with registered(tiny_backbone(own)):
    model = FineTunedCNN(
        "tiny", lr=0.02, head_lr=0.3, dropout=0.0, max_epochs=6, batch_size=8,
        validation_fraction=0.2, mixed_precision=False, random_state=0, accelerate=True,
    ).fit(photos["X"], photos["y"])
    proba = model.predict_proba(photos["X"][:6])
np.save(folder / f"proba{os.environ['RANK']}.npy", proba)
"""


@pytest.mark.slow
def test_two_processes_learn_what_one_does(quick: Quick, photos: Photos, tmp_path: Path) -> None:
    content = {"X": photos.X.tolist(), "y": photos.y.tolist()}
    (tmp_path / "photos.json").write_text(json.dumps(content))
    script = tmp_path / "train.py"
    script.write_text(SCRIPT)
    root = str(Path(__file__).parents[3])
    command = [
        sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2",
        str(script), str(tmp_path),
    ]  # fmt: skip
    environment = os.environ | {"PYTHONPATH": root, "ACCELERATE_USE_CPU": "true"}
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = [np.load(tmp_path / f"proba{rank}.npy") for rank in range(2)]
    np.testing.assert_array_equal(found[0], found[1])
    alone = quick(max_epochs=6).fit(photos.X, photos.y).predict_proba(photos.X[:6])
    np.testing.assert_allclose(found[0], alone, atol=0.02)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"accelerate": 3}, "accelerate=3 must be None, True or an Accelerator."),
        (
            {"accelerate": True, "device": "cpu"},
            "device='cpu' and accelerate exclude each other: accelerate chooses the device.",
        ),
    ],
)
def test_what_makes_no_sense(
    quick: Quick, photos: Photos, parameters: dict[str, object], message: str
) -> None:
    with pytest.raises(ModelError) as caught:
        quick(**parameters).fit(photos.X, photos.y)
    assert str(caught.value) == message
