"""Caffe's files: a real one against what another reader made of it, whole nets, broken ones."""

import io
import json
import os
import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from torch import nn
from torchvision.models import vgg16
from torchvision.models.vgg import make_layers

from emotag.backbones.caffe import VGG16_SHAPES, extract_caffemodel, read_caffemodel, vgg16_state
from emotag.errors import StorageError, WeightsError
from tests.backbones.caffe_files import (
    BLOB_DATA,
    BLOB_DIFF,
    BLOB_DOUBLE,
    FIXED32,
    FORMS,
    blob,
    key,
    layer,
    legacy_fields,
    message,
    shape_field,
    write_caffemodel,
)
from tests.conftest import SHARED

REAL = SHARED / "weights" / "res10_300x300_ssd_iter_140000.caffemodel"
ORACLE = SHARED / "weights" / "res10_300x300_ssd.blobs.json"

Layers = dict[str, list[NDArray[np.float32]]]

# A VGG16 with a sixteenth of the filters, for photos of 64 x 64: the last map is 2 x 2.
SIDE, HIDDEN, CLASSES = 64, 24, 5
SLIM = {
    name: (
        shape[0] // 16 if name.startswith("conv") else HIDDEN,
        {"conv1_1": 3, "fc6": 32 * 2 * 2, "fc7": HIDDEN}.get(name, shape[1] // 16),
        *shape[2:],
    )
    for name, shape in VGG16_SHAPES.items()
}
LAST_OF_BLOCK = ("conv1_2", "conv2_2", "conv3_3", "conv4_3", "conv5_3")


class SlimVGG(nn.Module):
    """torchvision's VGG16 with the widths of `SLIM`, its modules under the same names."""

    def __init__(self) -> None:
        super().__init__()
        widths = [SLIM[name][0] for name in SLIM if name.startswith("conv")]
        places = [list(SLIM).index(name) for name in LAST_OF_BLOCK]
        plan: list[str | int] = []
        for index, width in enumerate(widths):
            plan += [width, "M"] if index in places else [width]
        self.features = make_layers(plan)
        self.classifier = nn.Sequential(
            nn.Linear(*SLIM["fc6"][::-1]), nn.ReLU(), nn.Dropout(),
            nn.Linear(*SLIM["fc7"][::-1]), nn.ReLU(), nn.Dropout(),
            nn.Linear(HIDDEN, CLASSES),
        )  # fmt: skip

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.classifier(torch.flatten(self.features(pixels), 1))
        return logits


def draw_layers(
    shapes: dict[str, tuple[int, ...]], n_classes: int, head: str = "fc8", seed: int = 0
) -> Layers:
    """Return random weights that keep the signal's size from layer to layer, and biases."""
    rng = np.random.default_rng(seed)
    layers = {}
    for name, shape in {**shapes, head: (n_classes, shapes["fc7"][0])}.items():
        reach = np.float32(np.sqrt(6 / np.prod(shape[1:])))
        weights = rng.random(shape, dtype=np.float32)
        weights -= 0.5
        weights *= 2 * reach
        layers[name] = [weights, rng.uniform(-0.5, 0.5, shape[0]).astype(np.float32)]
    return layers


def slim_layers(head: str = "fc8") -> Layers:
    return draw_layers(SLIM, CLASSES, head)


def correlate(
    maps: NDArray[np.float64], weights: NDArray[np.float32], biases: NDArray[np.float32]
) -> NDArray[np.float64]:
    """Return Caffe's convolution of (C, H, W) maps: 3 x 3, padded by one."""
    windows = sliding_window_view(np.pad(maps, ((0, 0), (1, 1), (1, 1))), (3, 3), axis=(1, 2))
    found = np.einsum("chwij,ocij->ohw", windows, weights.astype("f8"), optimize=True)
    return np.asarray(found + biases[:, None, None])


def compute_logits(layers: Layers, pixels: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return what the net says, by the arithmetic of its definition and nothing of torch's."""
    maps = pixels.astype("f8")
    *convolutions, fc6, fc7, fc8 = layers.items()
    for name, (weights, biases) in convolutions:
        maps = np.maximum(correlate(maps, weights, biases), 0)
        if name in LAST_OF_BLOCK:
            halves = (maps[:, i::2, j::2] for i in (0, 1) for j in (0, 1))
            maps = np.maximum.reduce(list(halves))
    channels, height, width = maps.shape
    values = np.zeros(maps.size)
    for c, h, w in np.ndindex(channels, height, width):
        values[(c * height + h) * width + w] = maps[c, h, w]
    for _, (weights, biases) in (fc6, fc7):
        values = np.maximum(weights.astype("f8") @ values + biases, 0)
    return np.asarray(fc8[1][0].astype("f8") @ values + fc8[1][1])


def as_tensors(state: dict[str, NDArray[np.float32]]) -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(values) for name, values in state.items()}


def write(path: Path, *parts: bytes) -> str:
    path.write_bytes(b"".join(parts))
    return str(path)


@pytest.fixture
def real() -> str:
    if not REAL.is_file():
        pytest.skip("needs ../shared/weights, which is not here")
    return str(REAL)


class TestRealFile:
    def test_every_convolution_is_as_opencv_reads_it(self, real: str) -> None:
        layers = read_caffemodel(real)
        expected = json.loads(ORACLE.read_text())
        assert len(expected) == 32
        assert [name for name in layers if name in expected] == list(expected)
        for name, blobs in expected.items():
            for values, said in zip(layers[name], blobs, strict=True):
                # OpenCV gives biases a second dimension
                shape = said["shape"] if len(said["shape"]) == 4 else said["shape"][:1]
                assert (list(values.shape), values.dtype) == (shape, np.float32)
                assert values.sum(dtype="f8") == pytest.approx(said["sum"], rel=1e-6, abs=1e-6)
                assert np.abs(values).sum(dtype="f8") == pytest.approx(said["abs_sum"], rel=1e-6)
                np.testing.assert_allclose(values.ravel()[:5], said["first"], rtol=1e-7)

    def test_cut_off(self, tmp_path: Path, real: str) -> None:
        path = write(tmp_path / "net.caffemodel", Path(real).read_bytes()[:-1000])
        with pytest.raises(WeightsError) as caught:
            read_caffemodel(path)
        assert str(caught.value) == (
            f"{path} holds no weights that can be read: it is damaged, or no caffemodel."
        )

    def test_another_network(self, real: str) -> None:
        with pytest.raises(WeightsError) as caught:
            vgg16_state(read_caffemodel(real), n_classes=205, path=real)
        start = f"{real} holds another network than VGG16: it lacks conv1_1, conv1_2, conv2_1, "
        assert str(caught.value).startswith(start)
        assert "fc8; it also has data_bn, data_scale, conv1_h, " in str(caught.value)


class TestWholeNet:
    @pytest.mark.parametrize("form", FORMS)
    @torch.inference_mode()
    def test_torch_computes_what_the_blobs_say(self, tmp_path: Path, form: str) -> None:
        layers = slim_layers()
        read = read_caffemodel(write_caffemodel(tmp_path / "net.caffemodel", layers, form))
        network = SlimVGG().eval().double()
        network.load_state_dict(as_tensors(vgg16_state(read, CLASSES, shapes=SLIM)))
        rng = np.random.default_rng(1)
        pixels = rng.uniform(-100, 100, (2, 3, SIDE, SIDE)).astype(np.float32)
        expected = np.stack([compute_logits(layers, photo) for photo in pixels])
        assert np.ptp(expected) > 1
        found = network(torch.from_numpy(pixels).double())
        np.testing.assert_allclose(found, expected, rtol=1e-9)

    @pytest.mark.parametrize("form", FORMS)
    def test_layers_come_in_the_order_and_with_the_values_of_the_file(
        self, tmp_path: Path, form: str
    ) -> None:
        layers = slim_layers("fc8-205")
        read = read_caffemodel(write_caffemodel(tmp_path / "net.caffemodel", layers, form))
        assert list(read) == list(layers)
        for name, (weights, biases) in layers.items():
            assert [values.ndim for values in read[name]] == (
                [4, 4] if form == "layers" else [weights.ndim, 1]
            )
            assert read[name][0].tobytes() == weights.tobytes()
            assert read[name][1].tobytes() == biases.tobytes()

    def test_conv1_1_keeps_the_order_of_its_channels(self, tmp_path: Path) -> None:
        layers = slim_layers()
        read = read_caffemodel(write_caffemodel(tmp_path / "net.caffemodel", layers))
        state = vgg16_state(read, shapes=SLIM)
        np.testing.assert_array_equal(state["features.0.weight"], layers["conv1_1"][0])
        assert state["features.0.weight"].flags.writeable

    @pytest.mark.parametrize("head", ["fc8", "fc8_places", "fc8-205"])
    def test_the_last_layer_has_many_names(self, head: str) -> None:
        layers = slim_layers(head)
        state = vgg16_state(layers, shapes=SLIM)
        assert list(state) == list(SlimVGG().state_dict())
        np.testing.assert_array_equal(state["classifier.6.weight"], layers[head][0])

    @pytest.mark.parametrize("form", FORMS)
    def test_as_many_classes_as_there_are(self, tmp_path: Path, form: str) -> None:
        read = read_caffemodel(write_caffemodel(tmp_path / "net.caffemodel", slim_layers(), form))
        state = vgg16_state(read, shapes=SLIM)
        assert state["classifier.6.weight"].shape == (CLASSES, HIDDEN)
        assert state["classifier.6.bias"].shape == (CLASSES,)

    @pytest.mark.slow
    @torch.inference_mode()
    def test_vgg16_in_its_true_size(self, tmp_path: Path) -> None:
        layers = draw_layers(dict(VGG16_SHAPES), 205)
        path = write_caffemodel(tmp_path / "places205.caffemodel", layers, "layers")
        network = vgg16(weights=None, num_classes=205, init_weights=False).eval()
        network.load_state_dict(as_tensors(vgg16_state(read_caffemodel(path), 205)))
        outputs = watch(network)
        pixels = np.random.default_rng(1).uniform(-100, 100, (1, 3, 224, 224)).astype(np.float32)
        logits = network(torch.from_numpy(pixels))
        assert logits.shape == (1, 205)

        weights, biases = layers["conv3_2"]
        patch = np.maximum(outputs["features.10"][0, :, 29:32, 9:12].astype("f8"), 0)
        expected = (weights[200] * patch).sum() + biases[200]
        assert outputs["features.12"][0, 200, 30, 10] == pytest.approx(expected, rel=1e-3)

        weights, biases = layers["fc6"]
        maps = outputs["features.30"][0].astype("f8")
        assert maps.shape == (512, 7, 7)
        expected = (weights[3000].reshape(512, 7, 7) * maps).sum() + biases[3000]
        assert outputs["classifier.0"][0, 3000] == pytest.approx(expected, rel=1e-3)


def watch(network: nn.Module) -> dict[str, NDArray[np.float32]]:
    """Return a dict that a forward pass fills with what some modules give."""
    outputs: dict[str, NDArray[np.float32]] = {}

    def keep(name: str) -> None:
        network.get_submodule(name).register_forward_hook(
            lambda _module, _given, output: outputs.update({name: output.numpy().copy()})
        )

    for name in ("features.10", "features.12", "features.30", "classifier.0"):
        keep(name)
    return outputs


class TestForms:
    """Whatever protobuf allows for the same content is the same content."""

    VALUES = np.array([[1.5, -2.0, 3.25], [0.0, 1e-30, -7.0]], dtype=np.float32)

    def read_one(self, path: Path, content: bytes) -> NDArray[np.float32]:
        ((values,),) = read_caffemodel(write(path, layer("fc", content))).values()
        return values

    def test_numbers_one_by_one(self, tmp_path: Path) -> None:
        singles = b"".join(key(BLOB_DATA, FIXED32) + v.tobytes() for v in self.VALUES.ravel())
        found = self.read_one(tmp_path / "net", shape_field((2, 3)) + singles)
        np.testing.assert_array_equal(found, self.VALUES)

    def test_numbers_in_pieces(self, tmp_path: Path) -> None:
        first, second = (message(BLOB_DATA, row.tobytes()) for row in self.VALUES)
        found = self.read_one(tmp_path / "net", first + shape_field((2, 3)) + second)
        np.testing.assert_array_equal(found, self.VALUES)

    def test_double_precision(self, tmp_path: Path) -> None:
        doubles = message(BLOB_DOUBLE, self.VALUES.astype("<f8").tobytes())
        found = self.read_one(tmp_path / "net", shape_field((2, 3)) + doubles)
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, self.VALUES)

    def test_gradients_are_passed_over(self, tmp_path: Path) -> None:
        gradients = message(BLOB_DIFF, np.ones(6, np.float32).tobytes())
        found = self.read_one(tmp_path / "net", gradients + blob(self.VALUES) + gradients)
        np.testing.assert_array_equal(found, self.VALUES)

    def test_the_legacy_shape_comes_first(self, tmp_path: Path) -> None:
        found = self.read_one(tmp_path / "net", blob(self.VALUES) + legacy_fields((3, 2)))
        assert found.shape == (1, 1, 3, 2)

    def test_a_number_without_a_shape(self, tmp_path: Path) -> None:
        found = self.read_one(tmp_path / "net", message(BLOB_DATA, np.float32(999).tobytes()))
        assert (found.shape, found) == ((), 999)

    def test_both_kinds_of_layers(self, tmp_path: Path) -> None:
        one, two = self.VALUES[:1], self.VALUES[1:]
        new, old = layer("new", blob(one)), layer("old", blob(two, "layers"), form="layers")
        layers = read_caffemodel(write(tmp_path / "net", new, old))
        assert list(layers) == ["old", "new"]
        np.testing.assert_array_equal(layers["new"][0], one)
        np.testing.assert_array_equal(layers["old"][0].ravel(), two.ravel())

    def test_a_name_that_is_not_utf8(self, tmp_path: Path) -> None:
        layers = read_caffemodel(write(tmp_path / "net", layer(b"conv\xe9", blob(self.VALUES))))
        assert list(layers) == ["conv\\xe9"]


def a_zip() -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("net.caffemodel", "x" * 100)
    return content.getvalue()


NO_MODELS = {
    "empty": b"",
    "text": b"name: 'VGG16'\nlayer { name: 'conv1_1' }\n",
    "png": b"\x89PNG\r\n\x1a\n" + bytes(64),
    "zip": a_zip(),
    "random": np.random.default_rng(0).bytes(10_000),
    "without weights": layer("relu1_1") + layer("relu1_2", form="layers"),
}
SMALL = layer("a", blob(np.ones((2, 3)))) + layer("b", blob(np.ones(4), "layers"), form="layers")


class TestBrokenFiles:
    @pytest.mark.parametrize("kind", NO_MODELS)
    def test_no_caffemodel(self, tmp_path: Path, kind: str) -> None:
        path = write(tmp_path / "net.caffemodel", NO_MODELS[kind])
        with pytest.raises(WeightsError) as caught:
            read_caffemodel(path)
        assert str(caught.value) in {
            f"{path} holds no weights that can be read: it is damaged, or no caffemodel.",
            f"{path} holds no layer with weights: it is damaged, or no caffemodel.",
        }

    def test_no_file(self, tmp_path: Path) -> None:
        path = str(tmp_path / "net.caffemodel")
        with pytest.raises(WeightsError) as caught:
            read_caffemodel(path)
        expected = f"The weights {path} cannot be read: No such file or directory."
        assert str(caught.value) == expected

    def test_a_folder(self, tmp_path: Path) -> None:
        with pytest.raises(WeightsError) as caught:
            read_caffemodel(str(tmp_path))
        assert str(caught.value) == f"The weights {tmp_path} cannot be read: Is a directory."

    def test_larger_than_a_message_can_be(self, tmp_path: Path) -> None:
        path = write(tmp_path / "net.caffemodel", SMALL)
        os.truncate(path, 2**31)
        with pytest.raises(WeightsError) as caught:
            read_caffemodel(path)
        assert str(caught.value) == f"{path} is no caffemodel: it is larger than 2 GiB."

    def test_cut_off_anywhere(self, tmp_path: Path) -> None:
        between = len(layer("a", blob(np.ones((2, 3)))))
        for length in set(range(len(SMALL))) - {between}:
            path = write(tmp_path / "net.caffemodel", SMALL[:length])
            with pytest.raises(WeightsError, match=r"net\.caffemodel holds no "):
                read_caffemodel(path)

    @settings(max_examples=300, deadline=None)
    @given(place=st.integers(0, len(SMALL) - 1), byte=st.integers(0, 255))
    def test_a_changed_byte_is_refused_or_changes_no_more_than_it_can(
        self, tmp_path_factory: pytest.TempPathFactory, place: int, byte: int
    ) -> None:
        content = bytearray(SMALL)
        content[place] = byte
        path = tmp_path_factory.getbasetemp() / "changed.caffemodel"
        layers: Layers = {}
        with suppress(WeightsError):
            layers = read_caffemodel(write(path, content))
        assert sum(values.size for blobs in layers.values() for values in blobs) <= 10

    @pytest.mark.parametrize(
        ("shape", "shown"),
        [
            ((2, 4), "(2, 4)"),
            ((7,), "(7,)"),
            ((), "()"),
            ((-2, -3), "(-2, -3)"),
            ((0, 2**62), "(0, 4611686018427387904)"),
            ((2**62, 2**62, 6), "(4611686018427387904, 4611686018427387904, 6)"),
        ],
    )
    def test_another_shape_than_the_numbers_have(
        self, tmp_path: Path, shape: tuple[int, ...], shown: str
    ) -> None:
        content = shape_field(shape) + message(BLOB_DATA, np.ones(6, np.float32).tobytes())
        path = write(tmp_path / "net.caffemodel", layer("fc6", content))
        with pytest.raises(WeightsError) as caught:
            read_caffemodel(path)
        assert str(caught.value) == (
            f"{path} is damaged: layer 'fc6' has 6 numbers in a blob of shape {shown}."
        )

    def test_a_shape_that_fits_no_numbers(self, tmp_path: Path) -> None:
        path = write(tmp_path / "net.caffemodel", layer("fc6", shape_field((2**62, 0))))
        with pytest.raises(WeightsError, match="layer 'fc6' has 0 numbers in a blob of shape"):
            read_caffemodel(path)

    def test_too_many_dimensions(self, tmp_path: Path) -> None:
        content = shape_field([1] * 100) + message(BLOB_DATA, bytes(4))
        path = write(tmp_path / "net.caffemodel", layer("fc6", content))
        with pytest.raises(WeightsError) as caught:
            read_caffemodel(path)
        assert str(caught.value) == (
            f"{path} is damaged: layer 'fc6' has a blob of 100 dimensions, Caffe's have 32 at most."
        )

    @pytest.mark.parametrize("form", FORMS)
    def test_two_layers_of_one_name(self, tmp_path: Path, form: str) -> None:
        values = np.ones(2)
        second = layer("conv", blob(values, form), form=form)
        path = write(tmp_path / "net.caffemodel", layer("conv", blob(values)), second)
        with pytest.raises(WeightsError) as caught:
            read_caffemodel(path)
        expected = f"{path} is damaged: it has two layers 'conv' with weights."
        assert str(caught.value) == expected


def refusal(layers: Layers, n_classes: int | None = CLASSES) -> str:
    """Return what is said of layers that are not those of the slim VGG16."""
    with pytest.raises(WeightsError) as caught:
        vgg16_state(layers, n_classes, "net.caffemodel", shapes=SLIM)
    return str(caught.value)


class TestOtherNetworks:
    OTHER = "net.caffemodel holds another network than VGG16: "

    def test_missing_layers(self) -> None:
        layers = slim_layers()
        for name in ("conv3_2", "fc7", "fc8"):
            del layers[name]
        assert refusal(layers) == f"{self.OTHER}it lacks conv3_2, fc7, fc8."

    def test_more_layers_as_vgg19_has(self) -> None:
        layers = slim_layers()
        layers["conv3_4"] = layers["conv3_3"]
        assert refusal(layers) == f"{self.OTHER}it also has conv3_4."

    def test_several_last_layers(self) -> None:
        layers = slim_layers()
        layers["fc8_other"] = layers["fc8"]
        assert refusal(layers) == f"{self.OTHER}it has several last layers: fc8, fc8_other."

    def test_weights_without_biases(self) -> None:
        layers = slim_layers()
        layers["conv1_1"].pop()
        assert refusal(layers) == f"{self.OTHER}layer 'conv1_1' has 1 blobs, VGG16's have 2."

    def test_weights_of_another_shape(self) -> None:
        layers = slim_layers()
        layers["conv3_2"][0] = layers["conv3_2"][0][:, :4]
        assert refusal(layers) == (
            f"{self.OTHER}layer 'conv3_2' has weights of shape (16, 4, 3, 3), "
            "VGG16's are (16, 16, 3, 3)."
        )

    @pytest.mark.parametrize("shape", [(HIDDEN, 2, 64), (2, HIDDEN // 2, 128), (HIDDEN, 128, 1, 1)])
    def test_as_many_numbers_in_another_shape(self, shape: tuple[int, ...]) -> None:
        layers = slim_layers()
        layers["fc6"][0] = layers["fc6"][0].reshape(shape)
        assert refusal(layers) == (
            f"{self.OTHER}layer 'fc6' has weights of shape {shape}, VGG16's are (24, 128)."
        )

    def test_biases_of_another_shape(self) -> None:
        layers = slim_layers()
        layers["fc7"][1] = layers["fc7"][1][:-1]
        assert refusal(layers) == (
            f"{self.OTHER}layer 'fc7' has biases of shape (23,), VGG16's are (24,)."
        )

    def test_other_classes(self) -> None:
        assert refusal(slim_layers("fc8a"), 205) == (
            f"{self.OTHER}layer 'fc8a' has weights of shape (5, 24), VGG16's are (205, 24)."
        )

    def test_a_last_layer_that_is_no_matrix(self) -> None:
        layers = slim_layers()
        layers["fc8"][0] = layers["fc8"][0].ravel()
        assert refusal(layers, None) == (
            f"{self.OTHER}layer 'fc8' has weights of shape (120,), VGG16's are (1, 24)."
        )

    @pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
    @pytest.mark.parametrize(("index", "what"), [(0, "weights"), (1, "biases")])
    def test_what_is_no_number(self, number: float, index: int, what: str) -> None:
        layers = slim_layers()
        layers["conv4_1"][index].flat[7] = number
        assert refusal(layers) == (
            f"net.caffemodel is damaged: layer 'conv4_1' has {what} that are not finite numbers."
        )

    def test_doubles_beyond_single_precision(self, tmp_path: Path) -> None:
        doubles = message(BLOB_DOUBLE, np.full(HIDDEN, 1e300).tobytes())
        path = write(tmp_path / "net", layer("fc7", shape_field((HIDDEN,)) + doubles))
        layers = slim_layers()
        layers["fc7"][1] = read_caffemodel(path)["fc7"][0]
        assert "layer 'fc7' has biases that are not finite numbers." in refusal(layers)

    def test_without_a_path(self) -> None:
        with pytest.raises(WeightsError, match=r"^The caffemodel holds another network than"):
            vgg16_state({"conv1_1": []})

    def test_the_true_shapes_are_the_ones_that_count(self) -> None:
        with pytest.raises(WeightsError) as caught:
            vgg16_state(slim_layers(), path="net.caffemodel")
        assert str(caught.value) == (
            f"{self.OTHER}layer 'conv1_1' has weights of shape (4, 3, 3, 3), "
            "VGG16's are (64, 3, 3, 3)."
        )


def pack(path: Path, mode: str = "w:gz", **members: bytes | tarfile.TarInfo) -> str:
    """Write an archive of files by their names, and of members that are ready made."""
    with tarfile.open(path, mode) as tar:  # type: ignore[call-overload]
        for name, content in members.items():
            if isinstance(content, tarfile.TarInfo):
                tar.addfile(content)
                continue
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return str(path)


def link(name: str, kind: bytes, target: str) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


NOISE = np.random.default_rng(0).bytes(1_300_000)


class TestArchives:
    @pytest.fixture(autouse=True)
    def _nothing_is_left_behind(self, tmp_path: Path) -> Iterator[None]:
        (tmp_path / "out").mkdir()
        yield
        assert {file.name for file in (tmp_path / "out").iterdir()} <= {"net.caffemodel"}

    def extract(self, tmp_path: Path, archive: str) -> bytes:
        target = str(tmp_path / "out" / "net.caffemodel")
        assert extract_caffemodel(archive, target) == target
        return Path(target).read_bytes()

    def refusal(self, tmp_path: Path, archive: str) -> str:
        """Return what is said of an archive; what was there before must stay."""
        before = tmp_path / "out" / "net.caffemodel"
        before.write_bytes(b"before")
        with pytest.raises(WeightsError) as caught:
            extract_caffemodel(archive, str(before))
        assert before.read_bytes() == b"before"
        return str(caught.value)

    @pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
    def test_the_one_model(self, tmp_path: Path, mode: str) -> None:
        files = {"places/readme.txt": b"hello", "places/net.caffemodel": NOISE, "z.txt": b"bye"}
        archive = pack(tmp_path / "archive", mode, **files)
        assert self.extract(tmp_path, archive) == NOISE

    def test_a_real_one(self, tmp_path: Path, real: str) -> None:
        with tarfile.open(tmp_path / "archive", "w:gz", compresslevel=1) as tar:
            tar.add(real, "./net.caffemodel")
        assert self.extract(tmp_path, str(tmp_path / "archive")) == Path(real).read_bytes()

    def test_what_macos_puts_beside_it(self, tmp_path: Path) -> None:
        files = {"./._net.caffemodel": b"attributes", "./net.caffemodel": b"weights"}
        assert self.extract(tmp_path, pack(tmp_path / "archive", **files)) == b"weights"

    def test_no_model(self, tmp_path: Path) -> None:
        archive = pack(tmp_path / "archive", **{"net.prototxt": b"x"})
        assert self.refusal(tmp_path, archive) == (
            f"{archive} holds no .caffemodel; name another archive, or the file."
        )

    def test_several_models(self, tmp_path: Path) -> None:
        archive = pack(tmp_path / "archive", **{"a.caffemodel": b"x", "b/c.caffemodel": b"x"})
        assert self.refusal(tmp_path, archive) == (
            f"{archive} holds several .caffemodel files: a.caffemodel, b/c.caffemodel; "
            "unpack it and name one of them."
        )

    @pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE])
    def test_links_are_not_followed(self, tmp_path: Path, kind: bytes) -> None:
        secret = tmp_path / "secret"
        secret.write_bytes(b"secret")
        member = link("net.caffemodel", kind, str(secret))
        archive = pack(tmp_path / "archive", secret=b"inside", net=member)
        assert "holds no .caffemodel" in self.refusal(tmp_path, archive)

    @pytest.mark.parametrize("name", ["../x.caffemodel", "a/../../x.caffemodel", "/x.caffemodel"])
    def test_files_that_climb_out_are_passed_over(self, tmp_path: Path, name: str) -> None:
        archive = pack(tmp_path / "archive", **{name: b"x"})
        assert "holds no .caffemodel" in self.refusal(tmp_path, archive)

    @pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
    def test_cut_off(self, tmp_path: Path, mode: str) -> None:
        archive = pack(tmp_path / "archive", mode, **{"net.caffemodel": NOISE})
        os.truncate(archive, 1_000_000)
        assert self.refusal(tmp_path, archive) == (
            f"{archive} cannot be unpacked: it is damaged, or no archive."
        )

    @pytest.mark.parametrize("mode", ["w:gz", "w:bz2", "w:xz"])
    def test_altered(self, tmp_path: Path, mode: str) -> None:
        archive = pack(tmp_path / "archive", mode, **{"net.caffemodel": NOISE})
        with open(archive, "r+b") as file:
            file.seek(700_000)
            file.write(bytes(100))
        assert self.refusal(tmp_path, archive) == (
            f"{archive} cannot be unpacked: it is damaged, or no archive."
        )

    @pytest.mark.parametrize("kind", ["empty", "text", "png", "zip", "random"])
    def test_no_archive(self, tmp_path: Path, kind: str) -> None:
        archive = write(tmp_path / "archive", NO_MODELS[kind])
        assert self.refusal(tmp_path, archive) == (
            f"{archive} cannot be unpacked: it is damaged, or no archive."
        )

    def test_no_such_file(self, tmp_path: Path) -> None:
        archive = str(tmp_path / "archive")
        assert self.refusal(tmp_path, archive) == (
            f"{archive} cannot be unpacked: No such file or directory."
        )

    def test_larger_than_a_model_can_be(self, tmp_path: Path) -> None:
        member = tarfile.TarInfo("net.caffemodel")
        member.size = 2**31
        archive = write(tmp_path / "archive", member.tobuf())
        os.truncate(archive, 512 + 2**31 + 1024)
        assert self.refusal(tmp_path, archive) == (
            f"{archive} holds no caffemodel: net.caffemodel is larger than 2 GiB."
        )

    def test_a_folder_that_is_not_there(self, tmp_path: Path) -> None:
        archive = pack(tmp_path / "archive", **{"net.caffemodel": b"x"})
        target = str(tmp_path / "absent" / "net.caffemodel")
        with pytest.raises(StorageError, match="cannot be written: its folder is not there"):
            extract_caffemodel(archive, target)
