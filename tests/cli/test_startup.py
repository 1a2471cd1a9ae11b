import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from emotag.errors import _TRAINING_MODULES
from tests.cli.program import Outcome, run

HEAVY = ("torch", "torchvision", "timm", "skorch", "sklearn", "pandas", "onnx", "scipy", "joblib")

# Runs the program, then says which of these modules it has loaded.
SPY = f"""
import sys
from emotag.cli.main import main
try:
    main()
except SystemExit as error:
    assert not error.code, error.code
print("loaded:", *(name for name in {HEAVY} if name in sys.modules), file=sys.stderr)
"""

# Python runs this module at its start. What it hides is not installed, as far as anyone can see.
SITE = f"""
import sys
from importlib.machinery import PathFinder

HIDDEN = {sorted({*_TRAINING_MODULES, "pandas", "hypothesis", "pytest"})!r}

class Without(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name.partition(".")[0] in HIDDEN:
            return None
        return super().find_spec(name, path, target)

sys.meta_path[sys.meta_path.index(PathFinder)] = Without
"""

INSTALL = "type: pip install 'emotag[train]'"


def loaded_by(*arguments: str) -> list[str]:
    """Return the heavy modules that a command loads."""
    done = subprocess.run(
        [sys.executable, "-c", SPY, *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stderr.splitlines()[-1].split()[1:]


@pytest.mark.parametrize("arguments", [["--help"], ["tag", "--help"], ["fit", "--help"]])
def test_help_loads_nothing_heavy(arguments):
    assert loaded_by(*arguments) == []


@pytest.mark.parametrize("end", [[], ["-o", "tags.csv"], ["-o", "tags.jsonl"]])
def test_tagging_a_photo_loads_nothing_heavy(sample_photos, inside, end):
    assert loaded_by("tag", sample_photos[0], *end) == []


def test_tagging_a_folder_loads_nothing_heavy(sample_photos, inside):
    folder = inside / "photos"
    folder.mkdir()
    for index in range(20):
        os.symlink(sample_photos[0], folder / f"{index}.jpg")
    assert loaded_by("tag", "photos", "-o", "tags.csv") == []


def test_the_spy_sees_what_is_loaded(sample_photos, inside):
    # pyarrow loads pandas where it is installed
    assert loaded_by("tag", sample_photos[0], "-o", "tags.parquet") == ["pandas"]


def test_demo_and_cache_load_nothing_heavy(inside):
    assert loaded_by("demo") == []
    assert loaded_by("cache") == []


@pytest.fixture
def light(tmp_path, inside):
    """Return a function that runs the program, or Python, where only the light version is."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(SITE)
    path = os.pathsep.join([str(tmp_path / "site"), str(Path(__file__).parents[2])])
    environment = {**os.environ, "PYTHONPATH": path}

    def call(*arguments: str, code: str | None = None) -> Outcome:
        if code is None:
            return run(*arguments, env=environment)
        done = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, check=False
        )
        return Outcome(done.returncode, done.stdout.decode(), done.stderr.decode())

    return call


class TestWithoutTraining:
    def test_torch_is_really_not_there(self, light):
        assert "No module named 'torch'" in light(code="import torch").err

    def test_tag(self, light, sample_photos):
        outcome = light("tag", *sample_photos, "-o", "tags.parquet")
        assert outcome.code == 0, outcome.err
        assert Path("tags.parquet").is_file()

    def test_demo(self, light):
        outcome = light("demo")
        assert outcome.code == 0, outcome.err
        assert outcome.out.count(",tagged,") == 2

    def test_models(self, light):
        outcome = light("models")
        assert (outcome.code, outcome.err) == (0, "")
        assert INSTALL in outcome.out
        assert re.search(r"\n  default +\w", outcome.out)

    def test_cache(self, light):
        assert light("cache").code == 0
        assert light("cache", "clear").code == 0

    def test_fit_says_in_one_line_what_to_type(self, light, labelled_folder):
        outcome = light("fit", str(labelled_folder))
        assert outcome.code == 1
        assert outcome.err == (
            f"emotag: emotag fit needs the part of emotag that trains models; {INSTALL}\n"
        )
        assert not Path("models").exists()

    @pytest.mark.parametrize("name", ["CNNFeatures", "make_model", "save_model", "load_model"])
    def test_a_name_says_in_one_line_what_to_type(self, light, name):
        outcome = light(code=f"from emotag import {name}")
        assert outcome.code == 1
        assert outcome.err.splitlines()[-1] == (
            f"emotag.errors.MissingExtraError: emotag.{name} needs the part of emotag that "
            f"trains models; {INSTALL}"
        )

    def test_the_error_is_an_import_error(self, light):
        code = (
            "try:\n    import emotag; emotag.CNNFeatures\nexcept ImportError:\n    print('caught')"
        )
        assert light(code=code).out == "caught\n"

    def test_other_names_work(self, light, sample_photos):
        code = (
            "from emotag import FIVE, LabelSet, Preprocess, evaluate, load_photos, tag_photos\n"
            f"print([row.status for row in tag_photos({sample_photos!r})])"
        )
        outcome = light(code=code)
        assert outcome.out == "['tagged', 'tagged']\n", outcome.err
