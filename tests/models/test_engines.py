"""Which engine runs, and that torch says what onnxruntime says."""

import os
import subprocess
import sys

import numpy as np
import pytest

from emotag.bundle.finding import default_bundle
from emotag.bundle.folder import open_bundle
from emotag.errors import ModelError
from emotag.models import engines
from emotag.models.engines import choose_engine, engine_opener
from emotag.models.parity import PARITY
from emotag.photos.decoding import decode_photo
from emotag.tagging.explaining import open_explainer

CONFIG = open_bundle(default_bundle()).config


@pytest.mark.parametrize(
    ("gpu", "n_photos", "engine"),
    [(True, 5000, "torch"), (True, 4999, "onnx"), (False, 10**6, "onnx")],
)
def test_auto_is_torch_for_many_photos_on_a_gpu(
    monkeypatch: pytest.MonkeyPatch, gpu: bool, n_photos: int, engine: str
) -> None:
    monkeypatch.setattr(engines, "_may_have_gpu", lambda: gpu)
    monkeypatch.setattr(engines, "_torch_sees_gpu", lambda: gpu)
    assert choose_engine("auto", n_photos, CONFIG) == engine


def test_auto_does_not_load_torch_where_there_is_no_gpu() -> None:
    if os.path.exists("/dev/nvidiactl"):
        pytest.skip("this machine has a GPU")
    code = (
        "import sys; from emotag.models.engines import *;"
        "from emotag.bundle.finding import *; from emotag.bundle.folder import *;"
        "config = open_bundle(default_bundle()).config;"
        "print(choose_engine('auto', 10**6, config), engine_opener('onnx').__name__);"
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "onnx open_onnx\nFalse\n"


def test_an_unknown_engine_is_refused_with_the_choices() -> None:
    with pytest.raises(ModelError) as caught:
        choose_engine("onx", 1, CONFIG)
    assert str(caught.value) == (
        "Unknown engine 'onx'; choose from auto, onnx, torch, sklearn. Did you mean 'onnx'?"
    )


@pytest.mark.parametrize("explained", [True, False])
def test_torch_says_what_onnxruntime_says(sample_photos: list[str], explained: bool) -> None:
    bundle = open_bundle(default_bundle())
    n_seen = len(open_explainer(bundle).ratings.names) if explained else 0
    preprocess = bundle.config.preprocess
    pixels = np.stack([decode_photo(path, preprocess).pixels for path in sample_photos])
    by_onnx = engine_opener("onnx")(bundle, 1, n_seen)(pixels)
    by_torch = engine_opener("torch")(bundle, 1, n_seen)(pixels)
    np.testing.assert_allclose(by_torch.emotion, by_onnx.emotion, atol=PARITY)
    np.testing.assert_allclose(by_torch.positive, by_onnx.positive, atol=PARITY)
    assert (by_torch.seen is None) == (by_onnx.seen is None) == (not explained)
    if explained:
        np.testing.assert_allclose(by_torch.seen, by_onnx.seen, atol=5 * PARITY)
