"""Models that see what is salient: fitted, saved, and the same wherever they run."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.base import clone
from sklearn.pipeline import FeatureUnion

from emotag.backbones.backbone import Backbone
from emotag.bundle.folder import Bundle, open_bundle
from emotag.emotions import LabelSet
from emotag.errors import BundleError, ModelError
from emotag.features.cnn import CNNFeatures
from emotag.models import catalogue
from emotag.models.engines import engine_opener
from emotag.models.finetuning.estimator import FineTunedCNN
from emotag.models.loading import load_model
from emotag.models.parity import PARITY
from emotag.models.recipes import make_model
from emotag.models.saving import ModelFacts, save_model
from emotag.photos.decoding import decode_photo
from emotag.photos.preprocess import Preprocess
from emotag.saliency.preprocess import SalientPreprocess
from tests.cli.program import run_here
from tests.saliency.conftest import disc

LABELS = ("fear", "love")
PHOTOS_A_LABEL = 12


def draw_discs(folder: Path) -> tuple[list[str], list[str]]:
    """Draw photos of a red or a blue disc somewhere on a ground that says nothing."""
    paths, labels = [], []
    for label, colour in zip(LABELS, ((60, 60, 230), (230, 60, 60)), strict=True):
        (folder / label).mkdir(parents=True)
        for index in range(PHOTOS_A_LABEL):
            rng = np.random.default_rng([index, colour[0]])
            centre = tuple(rng.integers((25, 25), (65, 95)))
            _, inside = disc(90, 120, centre=centre, radius=int(rng.integers(12, 18)))
            ground = rng.integers(0, 200, 3)
            pixels = np.where(inside[..., np.newaxis], colour, ground)
            noisy = np.clip(pixels + rng.integers(-6, 7, pixels.shape), 0, 255).astype(np.uint8)
            paths.append(str(folder / label / f"{index}.png"))
            labels.append(label)
            Image.fromarray(noisy).save(paths[-1])
    return paths, labels


@pytest.fixture(scope="module")
def discs(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[str], list[str]]:
    return draw_discs(tmp_path_factory.mktemp("discs"))


def saved(model: object, folder: Path, photos: list[str]) -> Bundle:
    facts = ModelFacts(name="looking", recipe="linear")
    labels = LabelSet.from_names(LABELS)
    save_model(model, folder, photos=photos, label_set=labels, facts=facts)
    return open_bundle(folder)


def said_by(bundle: Bundle, engine: str, paths: list[str]) -> np.ndarray:
    """Return probabilities in the order of `LABELS`, which is that of scikit-learn."""
    pixels = np.stack([decode_photo(path, bundle.config.preprocess).pixels for path in paths])
    order = [bundle.config.label_set.names.index(label) for label in LABELS]
    return np.asarray(engine_opener(engine)(bundle, 1, 0)(pixels).emotion)[:, order]


@pytest.mark.parametrize("salient", ["crop", "weight"])
def test_torch_onnxruntime_and_scikit_learn_agree(
    tiny: Backbone, discs: tuple[list[str], list[str]], tmp_path: Path, salient: str
) -> None:
    paths, labels = discs
    model = make_model("linear", backbone="tiny", salient=salient, random_state=0)
    model.fit(paths, labels)
    bundle = saved(model, tmp_path / "looking", paths)
    expected = model.predict_proba(paths)
    assert bundle.config.preprocess == SalientPreprocess(
        **vars(tiny.preprocess), salient=salient, saliency="barrier"
    )
    for engine in ("onnx", "torch"):
        np.testing.assert_allclose(said_by(bundle, engine, paths), expected, atol=PARITY)
    assert "what is salient (`barrier`)" in (tmp_path / "looking" / "README.md").read_text()
    loaded = load_model(tmp_path / "looking")
    features = loaded.named_steps["features"]
    assert (features.salient, features.saliency) == (salient, "barrier")
    np.testing.assert_allclose(loaded.predict_proba(paths), expected, atol=PARITY)
    # seen whole, the photos would give something else
    whole = [decode_photo(path, tiny.preprocess).pixels for path in paths]
    seen = [decode_photo(path, bundle.config.preprocess).pixels for path in paths]
    assert np.abs(np.stack(whole).astype(int) - np.stack(seen)).mean() > 10


@pytest.mark.slow
def test_a_fine_tuned_network_sees_it_while_training_and_after(
    discs: tuple[list[str], list[str]], tmp_path: Path
) -> None:
    paths, labels = discs
    model = FineTunedCNN(
        "lite0",
        salient="crop",
        saliency="spectral",
        lr=0,
        head_lr=0.05,
        max_epochs=1,
        validation_fraction=None,
        random_state=0,
        device="cpu",
    )
    model.fit(paths, labels)
    assert model.preprocess_.saliency == "spectral"
    bundle = saved(model, tmp_path / "tuned", paths[:4])
    expected = model.predict_proba(paths[:4])
    np.testing.assert_allclose(said_by(bundle, "onnx", paths[:4]), expected, atol=PARITY)
    loaded = load_model(tmp_path / "tuned")
    assert (loaded.salient, loaded.saliency) == ("crop", "spectral")
    np.testing.assert_allclose(loaded.predict_proba(paths[:4]), expected, atol=PARITY)
    # training on whole photos gives other weights
    whole = clone(model).set_params(salient=None).fit(paths, labels)
    apart = (whole.module_.head.weight - model.module_.head.weight).detach().abs()
    assert apart.max().item() > 1e-4


def test_an_older_emotag_is_told_to_upgrade_and_plain_bundles_stay_as_they_are(
    tiny: Backbone, discs: tuple[list[str], list[str]], tmp_path: Path
) -> None:
    paths, labels = discs
    formats = {}
    for salient in (None, "crop"):
        model = make_model("linear", backbone="tiny", salient=salient, random_state=0)
        saved(model.fit(paths, labels), tmp_path / str(salient), paths[:2])
        config = json.loads((tmp_path / str(salient) / "config.json").read_text())
        formats[salient] = config["format_version"]
    assert formats == {None: 1, "crop": 2}
    assert type(open_bundle(tmp_path / "None").config.preprocess) is Preprocess
    config = json.loads((tmp_path / "None" / "config.json").read_text())
    assert not {"salient", "saliency"} & config["preprocess"].keys()
    assert "preprocess" not in config["estimator"]["features"]


def test_the_network_of_the_saliency_must_be_at_hand(
    u2netp: Path, tiny: Backbone, discs: tuple[list[str], list[str]], tmp_path: Path
) -> None:
    paths, labels = discs
    model = make_model("linear", backbone="tiny", salient="crop", saliency="u2netp")
    model.set_params(classify__cv=2).fit(paths[9:15], labels[9:15])
    bundle = saved(model, tmp_path / "looking", paths[9:11])
    expected = model.predict_proba(paths[9:11])
    np.testing.assert_allclose(said_by(bundle, "onnx", paths[9:11]), expected, atol=PARITY)
    # another place, as on a machine that does not have it
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EMOTAG_CACHE", str(tmp_path / "elsewhere"))
        with pytest.raises(BundleError, match="emotag models get u2netp"):
            open_bundle(tmp_path / "looking")
    change_config(tmp_path / "looking", saliency_sha256="0" * 64)
    with pytest.raises(BundleError, match="found by another network"):
        open_bundle(tmp_path / "looking")


def test_a_method_that_a_stranger_names_is_refused(
    tiny: Backbone, discs: tuple[list[str], list[str]], tmp_path: Path
) -> None:
    paths, labels = discs
    model = make_model("linear", backbone="tiny", salient="crop").fit(paths, labels)
    saved(model, tmp_path / "looking", paths[:2])
    change_config(tmp_path / "looking", saliency="eyes")
    with pytest.raises(BundleError, match="Unknown saliency 'eyes'"):
        open_bundle(tmp_path / "looking")


def test_two_stories_of_what_is_seen_are_refused(
    tiny: Backbone, discs: tuple[list[str], list[str]], tmp_path: Path
) -> None:
    paths, labels = discs
    model = make_model("linear", backbone="tiny", salient="crop").fit(paths, labels)
    saved(model, tmp_path / "looking", paths[:2])
    change_config(tmp_path / "looking", salient="weight")
    with pytest.raises(BundleError, match="sees photos otherwise than its features say"):
        load_model(tmp_path / "looking")
    config = json.loads((tmp_path / "looking/config.json").read_text())
    (tmp_path / "looking/config.json").write_text(json.dumps(config | {"format_version": 1}))
    with pytest.raises(BundleError, match="is refused"):
        open_bundle(str(tmp_path / "looking"))


def change_config(folder: Path, **values: object) -> None:
    config = json.loads((folder / "config.json").read_text())
    config["preprocess"] |= values
    (folder / "config.json").write_text(json.dumps(config))


@pytest.mark.parametrize(
    "name", [*sorted({*catalogue.FAMILIES} - {"linear", "svm", "fc7", "finetune"}), "mpeg7"]
)
def test_a_recipe_that_sees_more_than_a_network_does_takes_none(name: str) -> None:
    with pytest.raises(ModelError, match=rf"'{name}' takes no salient='crop': that is for fc7"):
        make_model(name, salient="crop")


def test_every_recipe_that_takes_salient_photos_hands_them_on() -> None:
    for name in ("linear", "svm", "fc7", "lite0"):
        assert make_model(name, salient="crop").named_steps["features"].salient == "crop"
    assert make_model("resnet50", salient="weight", saliency="spectral").saliency == "spectral"


def test_concepts_beside_a_salient_photo_are_refused_when_saved(
    tmp_path: Path, discs: tuple[list[str], list[str]]
) -> None:
    paths, labels = discs
    model = make_model("fused")
    union = model.named_steps["features"]
    looking = dict(union.transformer_list)["cnn"].set_params(salient="crop")
    assert isinstance(union, FeatureUnion)
    assert isinstance(looking, CNNFeatures)
    few = [0, 1, 2, 3, 4, 12, 13, 14, 15, 16]
    model.fit([paths[index] for index in few], [labels[index] for index in few])
    with pytest.raises(ModelError, match="of the whole photo"):
        saved(model, tmp_path / "both", paths[:2])


@pytest.mark.slow
class TestProgram:
    def test_fit_tag_and_evaluate_see_the_same(
        self,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        monkeypatch.chdir(tmp_path)
        draw_discs(tmp_path / "data")
        assert run_here("fit", "--salient", "crop", "-q") == 0
        assert open_bundle("models/lite0-crop").config.preprocess.salient == "crop"
        tags = {}
        for engine in ("onnx", "torch"):
            model = "models/lite0-crop"
            output = f"{engine}.csv"
            assert run_here("tag", "data", "--model", model, "--engine", engine, "-o", output) == 0
            with open(output, newline="") as file:
                tags[engine] = {row["path"]: float(row["p_love"]) for row in csv.DictReader(file)}
        paths = sorted(tags["onnx"])
        assert len(paths) == 2 * PHOTOS_A_LABEL
        loaded = load_model("models/lite0-crop")
        love = loaded.predict_proba(paths)[:, loaded.classes_.tolist().index("love")]
        for engine in ("onnx", "torch"):
            np.testing.assert_allclose([tags[engine][path] for path in paths], love, atol=2e-3)
        capsys.readouterr()
        assert run_here("evaluate", "models/lite0-crop", "data", "-o", "report") == 0
        right = (np.array(love) > 0.5) == np.array(["love" in path for path in paths])
        assert f"is right on {right.mean():.2f}" in capsys.readouterr().out.replace("\n", " ")

    def test_saliency_without_salient_is_a_mistake_of_usage(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        for command in ("fit", "compare"):
            assert run_here(command, "--saliency", "spectral") == 2
            assert "add --salient" in capsys.readouterr().err
        # a model whose name says so is looked for, and the data after it
        assert run_here("compare", "missing", "--models", "lite0+crop", "--saliency", "eyes") == 1
        assert "Unknown saliency 'eyes'" in capsys.readouterr().err

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            (("--salient", "corp"), "choose 'crop' or 'weight', or leave it out"),
            (("--salient", "crop", "--saliency", "eyes"), "Unknown saliency 'eyes'"),
            (("--salient", "crop", "--model", "mpeg7"), "takes no salient='crop'"),
            (("--salient", "crop", "--saliency", "u2netp"), "emotag models get u2netp"),
        ],
    )
    def test_what_makes_no_sense_is_refused_before_any_photo_is_read(
        self,
        own_cache: Path,
        capsys: pytest.CaptureFixture[str],
        options: tuple[str, ...],
        message: str,
    ) -> None:
        assert run_here("fit", "missing", *options) == 1
        assert message in " ".join(capsys.readouterr().err.split())
