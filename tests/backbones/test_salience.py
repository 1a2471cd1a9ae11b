"""Where the network that finds what is salient comes from."""

import shutil
from pathlib import Path

import pytest

from emotag.backbones.salience import u2netp_weights
from emotag.errors import WeightsError
from emotag.saliency.maps import require_method
from tests.cli.program import run_here
from tests.conftest import SHARED


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the file belongs, in a cache with nothing in it."""
    monkeypatch.setenv("EMOTAG_CACHE", str(tmp_path))
    (tmp_path / "weights").mkdir()
    return tmp_path / "weights" / "u2netp.onnx"


def test_it_is_kept_where_saliency_looks(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = SHARED / "weights" / "u2netp.onnx"
    if not file.is_file():
        pytest.skip("needs ../shared/weights/u2netp.onnx, which is not here")
    weights = u2netp_weights()
    assert not weights.at_hand
    shutil.copyfile(file, place)
    assert weights.at_hand
    assert file.stat().st_size == weights.size
    # asked for by name, it is checked and left as it is
    assert run_here("models", "get", "u2netp", "-q") == 0
    said = "".join(capsys.readouterr().out.split())
    assert "Theweightsofu2netparein" in said
    assert str(place) in said
    require_method("u2netp")


def test_another_file_in_its_place_is_refused(place: Path) -> None:
    place.write_bytes(b"another")
    with pytest.raises(WeightsError, match=r"not the file that was meant.*fetch it again\.$"):
        u2netp_weights().fetch()


def test_models_lists_it_with_its_licence(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_here("models") == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "u2netp U2-Net-p, for --saliency u2netp (danielgatis/rembg; Apache-2.0" in said
    assert "to be fetched" in said[said.index("u2netp U2-Net-p") :]
