"""Networks of strangers: those that may be run, and those that are refused before they are."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emotag.errors import BundleError
from emotag.sessions import open_session, refuse_external_data

onnx = pytest.importorskip("onnx")
from google.protobuf.descriptor import FieldDescriptor  # noqa: E402
from onnx import ModelProto, TensorProto, helper, numpy_helper  # noqa: E402

SECRET = "secret.bin"
OUTSIDE = (
    "the model keeps weights in a file outside itself, which is refused; "
    "export it with external_data=False."
)
NO_MODEL = "the model is not an ONNX model, or is cut off."

# The fields of ONNX's messages that the crafted models below write by hand.
MODEL_GRAPH, GRAPH_INITIALIZER = 7, 5
TENSOR_DIMS, TENSOR_TYPE, TENSOR_NAME, TENSOR_EXTERNAL, TENSOR_LOCATION = 1, 2, 8, 13, 14
VARINT, FIXED64, LENGTH = 0, 1, 2


def make_model(*initializers: Any) -> ModelProto:
    """Return a network that adds its weights ``w``, four numbers, to its input."""
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "w"], ["y"])],
        "adder",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 4])],
        initializer=initializers,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 9
    return model


def make_condition(tensor: Any) -> ModelProto:
    """Return a network that returns its weights ``v`` from a branch of a condition."""
    result = helper.make_tensor_value_info("z", TensorProto.FLOAT, [4])
    node = helper.make_node("Identity", ["v"], ["z"])
    branch = helper.make_graph([node], "branch", [], [result], initializer=[tensor])
    model = make_model(numpy_helper.from_array(np.array(True), "truth"))
    model.graph.node[0].CopyFrom(
        helper.make_node("If", ["truth"], ["y"], then_branch=branch, else_branch=branch)
    )
    model.graph.output[0].CopyFrom(helper.make_tensor_value_info("y", TensorProto.FLOAT, [4]))
    return model


def inside(name: str = "w") -> Any:
    return numpy_helper.from_array(np.arange(4, dtype=np.float32), name)


def outside(name: str = "w", location: str = SECRET) -> Any:
    """Return four weights that lie in another file."""
    tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=[4])
    tensor.external_data.add(key="location", value=location)
    tensor.data_location = TensorProto.EXTERNAL
    return tensor


ADDER = make_model(inside()).SerializeToString()
ZEROS = {"x": np.zeros((2, 4), dtype=np.float32)}


@pytest.fixture
def secret_nearby(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in a folder with a file that a crafted model names."""
    np.array([7, 7, 7, 7], dtype=np.float32).tofile(tmp_path / SECRET)
    monkeypatch.chdir(tmp_path)


def run_unguarded(model: bytes) -> list[float]:
    """Run a model as someone would who does not look into it first."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        (result,) = session.run(None, ZEROS)
    except Exception as error:  # noqa: BLE001 - its errors share no base class
        pytest.skip(f"this onnxruntime refuses such a model itself: {error}")
    return [float(value) for value in result.ravel()[:4]]


class TestSoundModels:
    def test_a_model_runs(self) -> None:
        (result,) = open_session(ADDER).run(None, ZEROS)
        assert result.tolist() == [[0, 1, 2, 3]] * 2

    @pytest.mark.parametrize("threads", [1, 2])
    def test_it_runs_on_as_many_threads_as_are_given(self, threads: int) -> None:
        options = open_session(ADDER, threads=threads).get_session_options()
        assert options.intra_op_num_threads == threads
        assert options.inter_op_num_threads == 1

    def test_weights_of_every_kind_may_lie_inside(self) -> None:
        doubles = helper.make_tensor("w", TensorProto.DOUBLE, [2], [1.0, 2.0])
        strings = helper.make_tensor("s", TensorProto.STRING, [1], [b"text"])
        sparse = helper.make_sparse_tensor(
            numpy_helper.from_array(np.ones(1, dtype=np.float32), "v"),
            numpy_helper.from_array(np.zeros(1, dtype=np.int64), "i"),
            [4],
        )
        model = make_model(inside(), doubles, strings)
        model.graph.sparse_initializer.append(sparse)
        model.graph.node[0].attribute.append(helper.make_attribute("alpha", 0.5))
        refuse_external_data(model.SerializeToString())

    def test_numbers_that_a_reader_may_skip_are_skipped(self) -> None:
        unknown = key(99, FIXED64) + bytes(8) + key(98, 5) + bytes(4) + key(97, VARINT) + b"\x01"
        refuse_external_data(ADDER + unknown)
        assert open_session(ADDER + unknown).run(None, ZEROS)[0].shape == (2, 4)


def ways_to_a_tensor(
    descriptor: Any, taken: tuple[FieldDescriptor, ...] = ()
) -> Iterator[tuple[FieldDescriptor, ...]]:
    """Yield every chain of fields from a message to a tensor, none of them twice in a chain."""
    for field in descriptor.fields:
        if field.message_type is None or field in taken:
            continue
        way = (*taken, field)
        if field.message_type.name == "TensorProto":
            yield way
        else:
            yield from ways_to_a_tensor(field.message_type, way)


def put(model: Any, way: tuple[FieldDescriptor, ...], tensor: Any) -> None:
    """Put a tensor where a chain of fields leads."""
    message = model
    for field in way:
        below = getattr(message, field.name)
        message = below.add() if hasattr(below, "add") else below
    message.CopyFrom(tensor)


WAYS = {
    ".".join(field.name for field in way): way for way in ways_to_a_tensor(ModelProto.DESCRIPTOR)
}


class TestWeightsOutside:
    def test_onnxruntime_itself_would_read_the_file(self, secret_nearby: None) -> None:
        assert run_unguarded(make_model(outside()).SerializeToString()) == [7, 7, 7, 7]

    def test_the_model_is_refused_with_what_to_do(self, secret_nearby: None) -> None:
        with pytest.raises(BundleError) as caught:
            open_session(make_model(outside()).SerializeToString())
        assert str(caught.value) == OUTSIDE

    def test_the_message_calls_the_model_by_its_name(self) -> None:
        model = make_model(outside()).SerializeToString()
        with pytest.raises(BundleError, match=r"^models/theirs/model\.onnx keeps weights in a"):
            open_session(model, name="models/theirs/model.onnx")

    @pytest.mark.parametrize("location", ["/etc/passwd", "../../secret", "", "*/_ORT_MEM_ADDR_/*"])
    def test_it_does_not_matter_which_file_is_named(self, location: str) -> None:
        with pytest.raises(BundleError, match="outside itself"):
            open_session(make_model(outside(location=location)).SerializeToString())

    def test_the_ways_are_those_that_onnx_knows(self) -> None:
        ends = {
            way.rpartition(".")[0].rpartition(".")[2] + "." + way.rpartition(".")[2] for way in WAYS
        }
        assert {
            "graph.initializer",
            "attribute.t",
            "attribute.tensors",
            "g.initializer",
            "graphs.initializer",
            "sparse_initializer.values",
            "sparse_initializer.indices",
            "sparse_tensor.values",
            "sparse_tensors.indices",
            "attribute_proto.t",
            "initialization.initializer",
            "algorithm.initializer",
        } <= ends

    @pytest.mark.parametrize("way", WAYS)
    def test_they_are_found_wherever_onnx_can_keep_weights(self, way: str) -> None:
        model = make_model(inside())
        put(model, WAYS[way], inside("more"))
        refuse_external_data(model.SerializeToString())
        put(model, WAYS[way], outside("more"))
        with pytest.raises(BundleError) as caught:
            refuse_external_data(model.SerializeToString())
        assert str(caught.value) == OUTSIDE

    def test_they_are_found_in_the_branches_of_a_condition(self, secret_nearby: None) -> None:
        content = make_condition(outside("v")).SerializeToString()
        with pytest.raises(BundleError, match="outside itself"):
            open_session(content)
        assert open_session(make_condition(inside("v")).SerializeToString()).run(None, ZEROS)
        assert run_unguarded(content) == [7, 7, 7, 7]

    @pytest.mark.parametrize("told", ["location only", "file only"])
    def test_half_a_reference_is_one(self, told: str) -> None:
        tensor = outside()
        tensor.ClearField("external_data" if told == "location only" else "data_location")
        with pytest.raises(BundleError, match="outside itself"):
            refuse_external_data(make_model(tensor).SerializeToString())


def varint(number: int) -> bytes:
    low, rest = number & 0x7F, number >> 7
    return bytes([low | 0x80]) + varint(rest) if rest else bytes([low])


def key(field: int, wire: int) -> bytes:
    return varint(field << 3 | wire)


def disguised_key(field: int, wire: int) -> bytes:
    """Return a field's key with a bit above the 32 that a parser of protobuf keeps."""
    return varint(field << 3 | wire | 1 << 32)


def sized(field: int, content: bytes) -> bytes:
    return key(field, LENGTH) + varint(len(content)) + content


def disguise(model: bytes) -> bytes:
    """Return a model whose weights lie outside, written so that a strict reader overlooks it."""
    entry = sized(1, b"location") + sized(2, SECRET.encode())
    tensor = (
        key(TENSOR_DIMS, VARINT)
        + varint(4)
        + key(TENSOR_TYPE, VARINT)
        + varint(TensorProto.FLOAT)
        + sized(TENSOR_NAME, b"w")
        + disguised_key(TENSOR_EXTERNAL, LENGTH)
        + varint(len(entry))
        + entry
        + disguised_key(TENSOR_LOCATION, VARINT)
        + varint(TensorProto.EXTERNAL)
    )
    return model + sized(MODEL_GRAPH, sized(GRAPH_INITIALIZER, tensor))


class TestModelsInDisguise:
    def test_onnxruntime_sees_through_keys_that_are_too_long(self, secret_nearby: None) -> None:
        assert run_unguarded(disguise(make_model().SerializeToString())) == [7, 7, 7, 7]

    def test_so_such_keys_are_refused(self, secret_nearby: None) -> None:
        with pytest.raises(BundleError) as caught:
            open_session(disguise(make_model().SerializeToString()))
        assert str(caught.value) == NO_MODEL

    def test_onnxruntimes_own_format_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(BundleError):
            open_session(to_own_format(ADDER, tmp_path))

    def test_onnxruntimes_own_format_is_refused_where_it_looks_like_onnx(
        self, tmp_path: Path
    ) -> None:
        content = look_like_onnx(to_own_format(ADDER, tmp_path))
        assert run_unguarded(content) == [0, 1, 2, 3]
        refuse_external_data(content)
        with pytest.raises(BundleError, match=r"^the model is no model that can be run: "):
            open_session(content)


def to_own_format(model: bytes, folder: Path) -> bytes:
    path = folder / "model.ort"
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = os.fspath(path)
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.add_session_config_entry("session.save_model_format", "ORT")
    onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return path.read_bytes()


def look_like_onnx(own: bytes) -> bytes:
    """Shift a FlatBuffer so far that its first bytes also read as fields of protobuf.

    It begins with the offset of its root in four bytes and with the format's
    name in four; all other offsets are relative.
    """
    number = key(1, VARINT) + b"\x01" + key(1, FIXED64)
    root = int.from_bytes(number + b"\0", "little")
    shift = root - int.from_bytes(own[:4], "little")
    assert shift % 16 == 0
    head = number + b"\0" + own[4:8] + bytes(3)
    rest = bytes(shift - len(head)) + own
    # a field that takes in all the rest
    skip = key(99, LENGTH)
    length = varint(len(rest) - len(skip) - 3)
    assert len(length) == 3
    return head + skip + length + rest[len(skip) + 3 :]


class TestGarbage:
    @pytest.mark.parametrize(
        "content",
        [b"", b"Dear diary,", b"\x89PNG\r\n\x1a\n", b"\0" * 100, b"\xff" * 100, b"PK\x03\x04"],
        ids=["empty", "text", "png", "zeros", "ones", "zip"],
    )
    def test_what_is_no_model_is_refused(self, content: bytes) -> None:
        with pytest.raises(BundleError, match=r"^the model is no"):
            open_session(content)

    @given(st.binary(max_size=200))
    @settings(deadline=None)
    def test_random_bytes_are_refused(self, content: bytes) -> None:
        with pytest.raises(BundleError, match=r"^the model is no"):
            open_session(content)

    def test_a_model_that_is_cut_off_is_refused_or_whole_enough(self) -> None:
        refused = 0
        for cut in range(len(ADDER)):
            try:
                session = open_session(ADDER[:cut])
            except BundleError:
                refused += 1
            else:
                assert session.run(None, ZEROS)[0].tolist() == [[0, 1, 2, 3]] * 2
        assert refused > 0.9 * len(ADDER)

    @given(st.data())
    @settings(deadline=None, max_examples=200)
    def test_a_damaged_model_is_refused_or_opened_and_nothing_else(
        self, data: st.DataObject
    ) -> None:
        content = bytearray(ADDER)
        for _ in range(data.draw(st.integers(1, 4))):
            content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
        try:
            open_session(bytes(content))
        except BundleError as error:
            assert "\n" not in str(error)  # noqa: PT017

    def test_a_model_without_a_graph_names_the_reason(self) -> None:
        with pytest.raises(BundleError, match=r"^the model is no model that can be run: .*graph"):
            open_session(ModelProto(ir_version=9).SerializeToString())

    def test_a_model_nested_without_end_is_refused(self) -> None:
        model = make_model()
        graph = model.graph
        for _ in range(40):
            graph = graph.node.add().attribute.add().g
        with pytest.raises(BundleError) as caught:
            refuse_external_data(model.SerializeToString())
        assert str(caught.value) == NO_MODEL

    @pytest.mark.parametrize("wire", [3, 4, 6, 7])
    def test_wire_types_that_onnx_does_not_use_are_refused(self, wire: int) -> None:
        with pytest.raises(BundleError, match="not an ONNX model"):
            refuse_external_data(ADDER + key(99, wire) + b"\0")

    @pytest.mark.parametrize("number", [b"\xff" * 10 + b"\x01", b"\xff" * 3], ids=["long", "cut"])
    def test_numbers_that_do_not_end_are_refused(self, number: bytes) -> None:
        with pytest.raises(BundleError, match="not an ONNX model"):
            refuse_external_data(ADDER + key(99, VARINT) + number)
