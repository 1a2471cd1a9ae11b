"""A real saved model of a few hundred bytes: the mean colour of a photo decides."""

import hashlib
import json
import os

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from emotag.bundle.config import CONFIG, NETWORK, BundleConfig
from emotag.emotions import FIVE, LabelSet
from emotag.photos.preprocess import Preprocess

SIZE = 32


def save_small_bundle(
    folder: str | os.PathLike[str],
    labels: LabelSet = FIVE,
    *,
    learnt_sentiment: bool = False,
    name: str = "small",
) -> str:
    """Save a model that maps the mean colour to probabilities, and return its folder."""
    os.makedirs(folder)
    model = _network(len(labels), learnt_sentiment=learnt_sentiment)
    config = BundleConfig(
        name=name,
        recipe="colour",
        backbone="none",
        label_set=labels,
        preprocess=Preprocess(SIZE, SIZE, mean=(0.0,) * 3, std=(1.0,) * 3),
        learnt_sentiment=learnt_sentiment,
        emotag_version="0",
        files={NETWORK: hashlib.sha256(model).hexdigest()},
    )
    with open(os.path.join(folder, NETWORK), "wb") as file:
        file.write(model)
    with open(os.path.join(folder, CONFIG), "w", encoding="utf-8") as file:
        json.dump(config.to_dict(), file)
    return os.fspath(folder)


def _network(n_labels: int, *, learnt_sentiment: bool) -> bytes:
    outputs = {"emotion": n_labels} | ({"sentiment": 2} if learnt_sentiment else {})
    nodes = [helper.make_node("ReduceMean", ["pixels", "axes"], ["colour"], keepdims=0)]
    constants = [numpy_helper.from_array(np.array([2, 3]), "axes")]
    for seed, (output, count) in enumerate(outputs.items()):
        weight = np.random.default_rng(seed).normal(size=(3, count))
        # the hue shall count, and not how bright a photo is
        weight = ((weight - weight.mean(axis=0)) / 20).astype(np.float32)
        constants.append(numpy_helper.from_array(weight, f"{output}_weight"))
        nodes.append(helper.make_node("MatMul", ["colour", f"{output}_weight"], [f"{output}_x"]))
        nodes.append(helper.make_node("Softmax", [f"{output}_x"], [output], axis=1))
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["n", 3, SIZE, SIZE])],
        [
            helper.make_tensor_value_info(output, TensorProto.FLOAT, ["n", count])
            for output, count in outputs.items()
        ],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model)
    return model.SerializeToString()
