"""A saved model's folder: what is read from it, and what is refused."""

import hashlib
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from emotag.bundle.config import FORMAT_VERSION, BundleConfig
from emotag.bundle.engine import OnnxEngine
from emotag.bundle.finding import bundles_at_hand, default_bundle, find_bundle
from emotag.bundle.folder import open_bundle, refuse_target
from emotag.emotions import LabelSet
from emotag.errors import BundleError, StorageError
from emotag.photos.decoding import decode_photo
from emotag.tagging.run import tag_photos
from tests.conftest import as_ordinary_user, draw_photo
from tests.networks import PREPROCESS, SIDE, onnx_bytes, pixel_model

LABELS = LabelSet(["love", "fear"], positive=["love"], negative=["fear"])
RED_OR_BLUE = np.array([[0.1, -0.1], [0, 0], [-0.1, 0.1]], dtype=np.float32)
RED = np.full((1, SIDE, SIDE, 3), (200, 30, 30), dtype=np.uint8)


def make_config(**changes: Any) -> BundleConfig:
    values: dict[str, Any] = {
        "name": "small",
        "recipe": "custom",
        "backbone": "none",
        "label_set": LABELS,
        "preprocess": PREPROCESS,
        "learnt_sentiment": False,
        "emotag_version": "0.1.0",
    }
    return BundleConfig(**(values | changes))


def write_bundle(
    folder: Path,
    model: bytes,
    change: Callable[[dict[str, Any]], Any] = lambda content: None,
    **config: Any,
) -> str:
    """Write a bundle whose checksums are right, and its config changed as asked."""
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(model)
    digest = hashlib.sha256(model).hexdigest()
    content = make_config(files={"model.onnx": digest}, **config).to_dict()
    change(content)
    (folder / "config.json").write_text(json.dumps(content))
    return str(folder)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return Path(write_bundle(tmp_path / "bundle", pixel_model(RED_OR_BLUE)))


def refusal(folder: Path | str) -> str:
    """Return why a bundle cannot be opened."""
    with pytest.raises(BundleError) as caught:
        open_bundle(os.fspath(folder))
    return str(caught.value)


def engine_refusal(folder: Path | str) -> str:
    with pytest.raises(BundleError) as caught:
        open_bundle(os.fspath(folder)).engine()
    return str(caught.value)


class TestOpening:
    def test_a_sound_bundle_tags(self, bundle: Path, tmp_path: Path) -> None:
        photo = draw_photo(tmp_path / "a.jpg", seed=1)
        opened = open_bundle(str(bundle))
        assert opened.config == make_config(files=opened.config.files)
        scores = opened.engine(threads=2)(np.repeat(RED, 3, axis=0))
        assert scores.emotion.shape == (3, 2)
        assert scores.positive is not None
        np.testing.assert_allclose(scores.positive, scores.emotion[:, 0])
        assert scores.emotion[0, 0] > 0.99
        (row,) = tag_photos(photo, str(bundle))
        assert (row.status, row.model) == ("tagged", "small")

    def test_learnt_sentiment(self, tmp_path: Path) -> None:
        model = pixel_model(RED_OR_BLUE, outputs=["emotion", "sentiment"])
        folder = write_bundle(tmp_path / "bundle", model, learnt_sentiment=True)
        scores = open_bundle(folder).engine()(RED)
        # the outputs are equal: love is the first emotion, positive the second sentiment
        assert scores.positive is not None
        np.testing.assert_array_equal(scores.positive, scores.emotion[:, 1])

    def test_labels_that_do_not_fold(self, tmp_path: Path) -> None:
        folder = write_bundle(
            tmp_path / "bundle", pixel_model(RED_OR_BLUE), label_set=LabelSet(["love", "fear"])
        )
        assert open_bundle(folder).engine()(RED).positive is None

    def test_not_a_folder(self, bundle: Path, tmp_path: Path) -> None:
        assert refusal(tmp_path / "none") == f"{tmp_path}/none is not the folder of a model."
        file = bundle / "config.json"
        assert refusal(file) == f"{file} is not the folder of a model."

    def test_no_config(self, tmp_path: Path) -> None:
        assert refusal(tmp_path) == f"{tmp_path} is no model: it has no config.json."

    def test_newer_format(self, tmp_path: Path) -> None:
        newer = FORMAT_VERSION + 1
        folder = write_bundle(
            tmp_path / "b", b"", lambda content: content.update(format_version=newer)
        )
        assert refusal(folder) == (
            f"The model {folder} is refused: the bundle has format {newer} and this emotag reads "
            f"up to format {FORMAT_VERSION}; type: pip install --upgrade emotag."
        )

    @pytest.mark.parametrize("version", [0, -1, True, "1", 1.0, None, [1], 1e400])
    def test_no_valid_format(self, tmp_path: Path, version: object) -> None:
        folder = write_bundle(tmp_path / "b", b"")
        text = json.dumps(version).replace("Infinity", "1e400")
        path = Path(folder, "config.json")
        path.write_text(
            path.read_text().replace('"format_version": 1', f'"format_version": {text}')
        )
        assert "config.json has no valid format version, but " in refusal(folder)

    @pytest.mark.parametrize(
        ("content", "reason"),
        [
            (b"", "config.json is damaged (Expecting value"),
            (b"{", "config.json is damaged (Expecting property name"),
            (b"\xff\xfe\x00", "config.json is damaged ("),
            (b"[]", "config.json is not that of an emotag bundle"),
            (b'"format_version"', "config.json is not that of an emotag bundle"),
            (b"{}", "config.json is not that of an emotag bundle"),
            (b'{"format_version": 1}', "config.json lacks 'name'"),
            (b'{"format_version": NaN}', "config.json is damaged (NaN is no JSON)"),
            (b'{"a": -Infinity}', "config.json is damaged (-Infinity is no JSON)"),
            (b'{"a": ' + b"9" * 5000 + b"}", "config.json is damaged (Exceeds the limit"),
            (b"[" * 100_000, "config.json is damaged (maximum recursion depth"),
            (b" " * (4 * 2**20 + 1), "config.json is larger than 4194304 bytes"),
        ],
    )
    def test_damaged_config(self, tmp_path: Path, content: bytes, reason: str) -> None:
        (tmp_path / "config.json").write_bytes(content)
        message = refusal(tmp_path)
        assert message.startswith(f"The model {tmp_path} is refused: {reason}")
        assert message.endswith(".")

    @pytest.mark.parametrize(
        ("key", "value", "reason"),
        [
            ("name", 3, "'name' is not text"),
            ("name", "red\x1b[31m", "'name' holds characters that cannot be shown"),
            ("name", "lone \ud800", "'name' holds characters that cannot be shown"),
            ("recipe", None, "'recipe' is not text"),
            ("backbone", ["lite0"], "'backbone' is not text"),
            ("labels", "love", "'labels' is not a list of text"),
            ("labels", ["love", 1], "'labels' is not a list of text"),
            ("labels", ["love"], "A label set needs at least two labels, not love."),
            ("labels", ["love", "love"], "love stands twice among love, love."),
            ("labels", ["love", "f\near"], "'f\\near' is no label: it holds characters that"),
            ("positive", ["joy"], "Unknown label 'joy'; choose from love, fear."),
            ("negative", ["love"], "love cannot be both positive and negative."),
            ("preprocess", [], "'preprocess' is not an object"),
            ("preprocess", {}, "This is no description of a preprocessing: 'mean'"),
            ("estimator", "lite0", "'estimator' is not an object"),
            ("data", None, "'data' is not an object"),
            ("metrics", 1, "'metrics' is not an object"),
            ("files", [], "'files' is not an object"),
            ("files", {"model.onnx": "abc"}, "the entry of 'model.onnx' is not an object"),
            ("files", {"model.onnx": {"sha256": 1}}, "'sha256' is not text"),
        ],
    )
    def test_wrong_values(self, tmp_path: Path, key: str, value: object, reason: str) -> None:
        folder = write_bundle(tmp_path / "b", b"", lambda content: content.update({key: value}))
        message = refusal(folder)
        assert message.startswith(f"The model {folder} is refused: config.json: {reason}")
        assert not message.endswith("..")

    @pytest.mark.parametrize(
        "change",
        [
            {"size": 10**9},
            {"size": 0},
            {"size": True},
            {"size": 224.5},
            {"size": "224"},
            {"size": None},
            {"resize": 1},
            {"mean": [1.0]},
            {"mean": ["red", "green", "blue"]},
            {"mean": 3},
            {"std": [0, 1, 1]},
            {"std": [1, 1, 10**400]},
            {"channels": "CMY"},
            {"interpolation": ["bicubic"]},
            {"unknown": 1},
        ],
    )
    def test_wrong_preprocessing(self, tmp_path: Path, change: dict[str, Any]) -> None:
        folder = write_bundle(
            tmp_path / "b", b"", lambda content: content["preprocess"].update(change)
        )
        assert refusal(folder).startswith(f"The model {folder} is refused: config.json: ")

    def test_infinite_mean(self, tmp_path: Path) -> None:
        folder = write_bundle(
            tmp_path / "b", b"", lambda content: content["preprocess"].update(mean=[127.5, 0, 777])
        )
        path = Path(folder, "config.json")
        path.write_text(path.read_text().replace("777", "1e400"))
        assert "mean and std must hold three numbers" in refusal(folder)

    @pytest.mark.parametrize("key", ["name", "labels", "preprocess", "learnt_sentiment", "files"])
    def test_missing_values(self, tmp_path: Path, key: str) -> None:
        folder = write_bundle(tmp_path / "b", b"", lambda content: content.pop(key))
        assert refusal(folder) == f"The model {folder} is refused: config.json lacks '{key}'."

    def test_hundreds_of_thousands_of_labels_take_no_hours(self, tmp_path: Path) -> None:
        labels = [f"{index:x}" for index in range(300_000)]
        change = {"labels": labels, "positive": labels[:100_000], "negative": []}
        folder = write_bundle(tmp_path / "b", b"", lambda content: content.update(change))
        start = time.monotonic()
        open_bundle(folder)
        assert time.monotonic() - start < 30

    @settings(deadline=None, max_examples=50)
    @given(data=st.data())
    def test_a_config_of_other_values_is_refused_or_opened(
        self, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
    ) -> None:
        values = st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
            lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
            max_leaves=5,
        )
        content = make_config(files={"model.onnx": "0" * 64}).to_dict()
        key = data.draw(st.sampled_from(sorted(content)))
        content[key] = data.draw(values)
        folder = tmp_path_factory.mktemp("bundle")
        (folder / "config.json").write_text(json.dumps(content))
        try:
            opened = open_bundle(str(folder))
        except BundleError as error:
            assert str(error).startswith(f"The model {folder} is refused: ")  # noqa: PT017
        else:
            again = BundleConfig.from_dict(json.loads(json.dumps(opened.config.to_dict())))
            assert again == opened.config


class TestFiles:
    def test_no_such_file(self, bundle: Path) -> None:
        with pytest.raises(BundleError, match=rf"^The model {bundle} has no estimator.skops\.$"):
            open_bundle(str(bundle)).read("estimator.skops")

    def test_missing_file(self, bundle: Path) -> None:
        (bundle / "model.onnx").unlink()
        assert engine_refusal(bundle) == f"The model {bundle} is refused: model.onnx is missing."

    def test_altered_file(self, bundle: Path) -> None:
        content = bytearray((bundle / "model.onnx").read_bytes())
        content[len(content) // 2] ^= 1
        (bundle / "model.onnx").write_bytes(content)
        assert engine_refusal(bundle) == (
            f"The model {bundle} is refused: model.onnx was altered since it was saved "
            "(its checksum is not that of config.json). Get the model again."
        )

    @pytest.mark.parametrize(
        "name", ["../secret", "/etc/hostname", "a/b", "a\\b", "C:a", "..", ".", "", "nul\0byte"]
    )
    def test_names_that_lead_out(self, tmp_path: Path, name: str) -> None:
        (tmp_path / "secret").write_text("secret")
        entry = {name: {"sha256": hashlib.sha256(b"secret").hexdigest()}}
        folder = write_bundle(tmp_path / "b", b"", lambda content: content.update(files=entry))
        reason = f"the file name {name!r} could lead out of the folder"
        assert refusal(folder) == f"The model {folder} is refused: config.json: {reason}."

    @pytest.mark.parametrize("name", ["model.onnx", "config.json"])
    def test_a_link_that_leads_out(self, bundle: Path, tmp_path: Path, name: str) -> None:
        (bundle / name).rename(tmp_path / "elsewhere")
        (bundle / name).symlink_to("../elsewhere")
        expected = f"The model {bundle} is refused: {name} is a link that leads out of the folder."
        assert (refusal if name == "config.json" else engine_refusal)(bundle) == expected

    def test_a_link_inside_the_folder(self, bundle: Path) -> None:
        (bundle / "model.onnx").rename(bundle / "weights.bin")
        (bundle / "model.onnx").symlink_to("weights.bin")
        assert open_bundle(str(bundle)).engine()(RED).emotion.shape == (1, 2)

    def test_a_linked_bundle(self, bundle: Path, tmp_path: Path) -> None:
        (tmp_path / "link").symlink_to(bundle)
        assert open_bundle(str(tmp_path / "link")).engine()(RED).emotion.shape == (1, 2)

    def test_a_fifo_is_not_waited_for(self, bundle: Path) -> None:
        (bundle / "model.onnx").unlink()
        os.mkfifo(bundle / "model.onnx")
        assert engine_refusal(bundle) == f"The model {bundle} is refused: model.onnx is missing."

    def test_a_file_larger_than_memory(self, bundle: Path) -> None:
        os.truncate(bundle / "model.onnx", 2**40)
        assert engine_refusal(bundle) == (
            f"The model {bundle} is refused: model.onnx is larger than {2**31} bytes."
        )

    def test_no_permission(self, open_folder: Path) -> None:
        folder = write_bundle(open_folder / "b", b"")
        Path(folder, "config.json").chmod(0)
        with as_ordinary_user():
            message = refusal(folder)
        reason = "config.json cannot be read (Permission denied)"
        assert message == f"The model {folder} is refused: {reason}."


class TestReplacing:
    def test_a_free_name(self, tmp_path: Path) -> None:
        refuse_target(str(tmp_path / "new"), force=False)
        refuse_target(str(tmp_path / "new"), force=True)

    def test_a_bundle_with_force_only(self, bundle: Path) -> None:
        with pytest.raises(StorageError, match=f"^{bundle} exists already; choose another name, "):
            refuse_target(str(bundle), force=False)
        refuse_target(str(bundle), force=True)

    def test_places_that_cannot_be_written(self, tmp_path: Path, open_folder: Path) -> None:
        (tmp_path / "file").write_text("")
        with pytest.raises(StorageError) as caught:
            refuse_target(f"{tmp_path}/file/more/new", force=False)
        message = f"{tmp_path}/file/more/new cannot be written: {tmp_path}/file is not a folder."
        assert str(caught.value) == message
        open_folder.chmod(0o555)
        with as_ordinary_user(), pytest.raises(StorageError) as caught:
            refuse_target(f"{open_folder}/more/new", force=False)
        open_folder.chmod(0o777)
        message = f"cannot be written: no permission for the folder {open_folder}."
        assert str(caught.value) == f"{open_folder}/more/new {message}"

    def test_never_what_else_is_there(self, bundle: Path, tmp_path: Path) -> None:
        (tmp_path / "photos").mkdir()
        (tmp_path / "file").write_text("mine")
        (bundle / "notes.txt").write_text("mine")
        for folder in (bundle, tmp_path / "photos", tmp_path / "file"):
            with pytest.raises(StorageError) as caught:
                refuse_target(str(folder), force=True)
            assert str(caught.value) == (
                f"{folder} is not a saved model, or holds other files too, so --force does not "
                "replace it; choose another name, or move it away."
            )


class TestEngine:
    def test_not_onnx(self, tmp_path: Path) -> None:
        folder = write_bundle(tmp_path / "b", b"GIF89a is no network")
        message = engine_refusal(folder)
        assert message.startswith(f"The model {folder} is refused: model.onnx is ")

    def test_cut_off(self, tmp_path: Path) -> None:
        folder = write_bundle(tmp_path / "b", pixel_model(RED_OR_BLUE)[:-20])
        assert "model.onnx is not an ONNX model, or is cut off." in engine_refusal(folder)

    @pytest.mark.parametrize(
        ("model", "found"),
        [
            (pixel_model(RED_OR_BLUE, input_name="image"), "['image'] to ['emotion']"),
            (pixel_model(RED_OR_BLUE, outputs=["mood"]), "['pixels'] to ['mood']"),
            (
                pixel_model(RED_OR_BLUE, outputs=["emotion", "sentiment"]),
                "['pixels'] to ['emotion', 'sentiment']",
            ),
        ],
    )
    def test_other_inputs_and_outputs(self, tmp_path: Path, model: bytes, found: str) -> None:
        folder = write_bundle(tmp_path / "b", model)
        assert engine_refusal(folder) == (
            f"The model {folder} is refused: model.onnx maps {found}; "
            "a bundle's maps ['pixels'] to ['emotion']"
        )

    def test_sentiment_is_promised_but_not_there(self, tmp_path: Path) -> None:
        folder = write_bundle(tmp_path / "b", pixel_model(RED_OR_BLUE), learnt_sentiment=True)
        assert engine_refusal(folder).endswith("maps ['pixels'] to ['emotion', 'sentiment']")

    def test_weights_in_another_file(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        proto = onnx.load_from_string(pixel_model(RED_OR_BLUE))
        weight = next(tensor for tensor in proto.graph.initializer if tensor.name == "weight")
        (tmp_path / "secret").write_bytes(weight.raw_data)
        weight.ClearField("raw_data")
        weight.data_location = TensorProto.EXTERNAL
        entry = weight.external_data.add()
        entry.key, entry.value = "location", "secret"
        folder = write_bundle(tmp_path / "b", proto.SerializeToString())
        # where onnxruntime would look for it
        monkeypatch.chdir(tmp_path)
        assert engine_refusal(folder) == (
            f"The model {folder} is refused: model.onnx keeps weights in a file outside itself, "
            "which is refused; export it with external_data=False."
        )

    def test_another_size_of_pixels(self) -> None:
        with pytest.raises(BundleError) as caught:
            OnnxEngine(pixel_model(RED_OR_BLUE, size=SIDE * 2), make_config())
        assert str(caught.value) == "model.onnx takes [64, 64] pixels and config.json says 32"

    def test_another_number_of_labels(self) -> None:
        engine = OnnxEngine(pixel_model(np.ones((3, 3), dtype=np.float32)), make_config())
        message = r"^model.onnx gave an output of shape \(1, 3\), not \(1, 2\)\.$"
        with pytest.raises(BundleError, match=message):
            engine(RED)

    @pytest.mark.parametrize(
        ("weight", "activation"),
        [
            (np.array([[2, -1], [0, 0], [0, 0]]) / 200, "Identity"),  # 2 and -1
            (np.ones((3, 2)), "Sigmoid"),  # both are nearly 1
            (np.full((3, 2), np.nan), "Softmax"),
            (np.array([[-1, -1]] * 3), "Sqrt"),  # NaN from finite numbers
            (np.array([[1, 1]] * 3), "Exp"),  # infinite
        ],
    )
    def test_no_probabilities(self, weight: NDArray[np.float32], activation: str) -> None:
        model = pixel_model(weight.astype(np.float32), activation=activation)
        engine = OnnxEngine(model, make_config())
        message = r"^model.onnx gave numbers that are no probabilities\.$"
        with pytest.raises(BundleError, match=message):
            engine(RED)

    def test_sentiment_that_is_no_probability(self) -> None:
        halves = numpy_helper.from_array(np.full((1, 2), 0.5, dtype=np.float32), "halves")
        ones = numpy_helper.from_array(np.ones((1, 2), dtype=np.float32), "ones")
        nodes = [
            helper.make_node("Identity", ["halves"], ["emotion"]),
            helper.make_node("Identity", ["ones"], ["sentiment"]),
        ]
        model = onnx_bytes(
            nodes, [pixels()], [result("emotion"), result("sentiment")], [halves, ones]
        )
        engine = OnnxEngine(model, make_config(learnt_sentiment=True))
        with pytest.raises(BundleError, match="no probabilities"):
            engine(RED)

    @pytest.mark.parametrize("kind", ["text", "whole numbers", "list"])
    def test_no_numbers(self, kind: str) -> None:
        values: Any = {
            "text": np.array([["a", "b"]], dtype=object),
            "whole numbers": np.array([[1, 0]]),
            "list": np.array([[0.5, 0.5]], dtype=np.float32),
        }[kind]
        stored = numpy_helper.from_array(values, "stored")
        operator = "SequenceConstruct" if kind == "list" else "Identity"
        output = (
            helper.make_tensor_sequence_value_info("emotion", TensorProto.FLOAT, None)
            if kind == "list"
            else helper.make_tensor_value_info("emotion", stored.data_type, [1, 2])
        )
        model = onnx_bytes(
            [helper.make_node(operator, ["stored"], ["emotion"])], [pixels()], [output], [stored]
        )
        with pytest.raises(BundleError, match=r"^model.onnx gave no numbers\.$"):
            OnnxEngine(model, make_config())(RED)

    def test_a_refusal_while_tagging_names_the_network(self, tmp_path: Path) -> None:
        photo = draw_photo(tmp_path / "a.jpg", seed=1)
        model = pixel_model(np.ones((3, 2), dtype=np.float32), activation="Sigmoid")
        folder = write_bundle(tmp_path / "b", model)
        with pytest.raises(BundleError, match=r"^model.onnx gave numbers that are no prob"):
            tag_photos(photo, folder)


class TestFinding:
    def test_names_under_models(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("second", "first", ".hidden"):
            write_bundle(tmp_path / "models" / name, b"")
        (tmp_path / "models" / "half").mkdir()
        (tmp_path / "models" / "file").write_text("")
        monkeypatch.chdir(tmp_path)
        found = bundles_at_hand()
        assert list(found) == ["default", "first", "second"]
        assert found["first"] == "models/first"
        assert find_bundle("first") == "models/first"
        assert find_bundle("models/second") == "models/second"
        assert find_bundle("default") == find_bundle() == default_bundle()
        with pytest.raises(BundleError) as caught:
            find_bundle("secnd")
        assert str(caught.value) == (
            "There is no model 'secnd', neither as a folder nor under ./models; "
            "at hand: default, first, second. Did you mean 'second'?"
        )

    def test_no_models(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        assert list(bundles_at_hand()) == ["default"]
        with pytest.raises(BundleError, match=r"at hand: default\.$"):
            find_bundle("mine")


def pixels() -> Any:
    return helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["n", 3, SIDE, SIDE])


def result(name: str) -> Any:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 2])


def test_what_is_said_of_a_photo_does_not_depend_on_its_neighbours(
    sample_photos: list[str],
) -> None:
    bundle = open_bundle(default_bundle())
    engine = bundle.engine()
    pixels = np.stack(
        [decode_photo(path, bundle.config.preprocess).pixels for path in sample_photos]
    )
    together = engine(pixels).emotion
    alone = np.concatenate([engine(pixels[index : index + 1]).emotion for index in range(2)])
    np.testing.assert_array_equal(together, alone)
