"""The models of a comparison by name."""

import pickle
from dataclasses import replace
from pathlib import Path

import pytest

from emotag.backbones.registry import BACKBONES
from emotag.errors import DataError, ModelError
from emotag.evaluation.contestants import (
    RecipeFitter,
    find_contestants,
    identify_networks,
    prepare_all,
    split_name,
)
from emotag.models.finetuning.estimator import FineTunedCNN
from tests.evaluation.photo_sets import load_labelled
from tests.models.conftest import tiny  # noqa: F401 - a fixture
from tests.networks import registered, tiny_backbone


class TestNames:
    def test_are_taken_with_or_without_a_backbone_and_blanks(self) -> None:
        found = find_contestants("svm, linear@lite0,,finetune@timm:resnet18 ")
        assert list(found) == ["svm", "linear@lite0", "finetune@timm:resnet18"]
        assert [recipe.backbone for recipe in found.values()] == ["vgg16", "lite0", "timm:resnet18"]

    @pytest.mark.parametrize(
        ("name", "parts"),
        [
            ("lite0", ("lite0", None, None)),
            ("linear@onnx:a@b.onnx", ("linear", "onnx:a@b.onnx", None)),
            ("lite0+crop", ("lite0", None, "crop")),
            ("linear@timm:resnet18+weight", ("linear", "timm:resnet18", "weight")),
            ("linear@onnx:a+crop.onnx", ("linear", "onnx:a+crop.onnx", None)),
            ("lite0+corp", ("lite0+corp", None, None)),
        ],
    )
    def test_are_parted(self, name: str, parts: tuple[str, str | None, str | None]) -> None:
        assert split_name(name) == parts

    def test_what_takes_no_salient_photos_is_refused(self) -> None:
        with pytest.raises(ModelError, match="'fused' takes no salient='crop'"):
            find_contestants("lite0,fused+crop")
        with pytest.raises(ModelError, match="'concepts' takes no salient='weight'"):
            find_contestants("lite0,concepts", "weight")

    def test_one_of_them_may_see_what_is_salient(self) -> None:
        assert list(find_contestants("lite0,svm+crop", None, "spectral")) == ["lite0", "svm+crop"]

    def test_the_full_name_says_what_is_seen(self) -> None:
        assert list(find_contestants("lite0,svm@lite0+weight", "crop")) == [
            "lite0+crop",
            "svm@lite0+weight",
        ]
        with pytest.raises(DataError, match=r"'lite0\+crop' is named twice"):
            find_contestants("lite0,lite0+crop", "crop")
        with pytest.raises(ModelError, match=r"'lite0\+crop\+weight' says twice"):
            find_contestants("lite0+crop+weight")
        with pytest.raises(ModelError, match="'fusion@' names no network after @"):
            find_contestants("fusion@")

    def test_networks_of_one_name_are_told_apart(self, tmp_path: Path) -> None:
        found = {}
        for name in ("one", "other"):
            folder = tmp_path / name
            folder.mkdir()
            with registered(tiny_backbone(folder)) as backbone:
                if name == "other":
                    looking = replace(backbone.preprocess, interpolation="lanczos")
                    BACKBONES["tiny"] = replace(backbone, preprocess=looking)
                found[name] = identify_networks(find_contestants("linear@tiny,lab"))
        assert list(found["one"]) == ["linear@tiny"]
        assert found["one"] != found["other"]

    def test_an_unknown_way_to_find_what_is_salient(self) -> None:
        with pytest.raises(ModelError, match="Did you mean 'spectral'"):
            find_contestants("lite0+crop", None, "spectrl")

    @pytest.mark.parametrize("names", ["", " ", ",,"])
    def test_none(self, names: str) -> None:
        with pytest.raises(DataError, match="No model is named; emotag models lists them"):
            find_contestants(names)

    def test_one_twice(self) -> None:
        with pytest.raises(DataError, match="The model 'svm' is named twice"):
            find_contestants("svm,lite0,svm")

    def test_an_unknown_one(self) -> None:
        with pytest.raises(ModelError, match=r"'smv'.*svm"):
            find_contestants("lite0,smv")

    def test_another_backbone_for_one_that_has_its_own(self) -> None:
        with pytest.raises(ModelError, match="stands on lite0 and takes no other backbone"):
            find_contestants("lite0@vgg16")


class TestFitter:
    def test_a_name_says_what_its_model_sees(self) -> None:
        fitter = RecipeFitter(saliency="spectral")
        names = ("lite0", "lite0+crop", "linear@lite0+weight")
        seen = [fitter.make(name, 0).named_steps["features"] for name in names]
        assert [part.salient for part in seen] == [None, "crop", "weight"]
        assert {part.saliency for part in seen} == {"spectral"}

    def test_options_of_fine_tuning_go_to_fine_tuned_networks_only(self) -> None:
        fitter = RecipeFitter(epochs=3, batch_size=8, device="cpu")
        network = fitter.make("finetune@lite0", 5)
        assert isinstance(network, FineTunedCNN)
        assert (network.max_epochs, network.batch_size) == (3, 8)
        assert (network.random_state, network.device) == (5, "cpu")
        assert fitter.make("linear@lite0", 5).named_steps["features"].device == "cpu"

    def test_can_be_sent_to_another_process(self) -> None:
        fitter = RecipeFitter(epochs=3, device="cpu")
        assert pickle.loads(pickle.dumps(fitter)) == fitter

    @pytest.mark.usefixtures("tiny")
    def test_fits_a_model_that_tells_colours_apart(self, tmp_path: Path) -> None:
        dataset = load_labelled(tmp_path / "data", ["fear", "happiness"], 8)
        model = RecipeFitter(device="cpu")("linear@tiny", dataset, 0)
        assert model.classes_.tolist() == ["fear", "happiness"]
        assert model.score(dataset.paths, dataset.labels) > 0.8


@pytest.mark.usefixtures("tiny")
def test_photos_that_one_model_cannot_read_are_named_once(tmp_path: Path) -> None:
    dataset = load_labelled(tmp_path / "data", ["fear", "love"], 4)
    Path(dataset.paths[2]).write_bytes(b"")
    done: list[int] = []
    names = ["linear@tiny", "svm@tiny"]
    failures = prepare_all(RecipeFitter(device="cpu"), names, dataset, done.append)
    assert [error.path for error in failures] == [dataset.paths[2]]
    assert sum(done) == 16
