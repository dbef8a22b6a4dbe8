# SPDX-License-Identifier: GPL-3.0-or-later
"""What the compiler does to a graph keeps its answers, on graphs small enough to work out."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from compiler.attempts import attempts, kept_counts
from compiler.graph import Graph
from compiler.quantise import Range, Seen, activations, quantise, sensitivity
from compiler.rounding import round_weights
from compiler.simplify import drop_reshapes, read_one_token
from compiler.smoothing import smooth
from onnx import TensorProto, helper, numpy_helper

RNG = np.random.default_rng(7)
SIZE = 16
WEIGHTS = {
    name: RNG.normal(size=shape).astype(np.float32)
    for name, shape in {"first": (SIZE, SIZE), "second": (SIZE, SIZE), "bias": (SIZE,), "table": (5000, SIZE)}.items()
}


def model(nodes: list[onnx.NodeProto], shapes: dict[str, list[object]], output: list[object]) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("ids", TensorProto.INT64, ["batch", "sequence"])],
        [helper.make_tensor_value_info("result", TensorProto.FLOAT, output)],
        [
            *(numpy_helper.from_array(value, name) for name, value in WEIGHTS.items()),
            numpy_helper.from_array(np.array(0, dtype=np.int64), "zero"),
            numpy_helper.from_array(np.array([0, -1, 4, 4], dtype=np.int64), "apart"),
            numpy_helper.from_array(np.array([0, -1, SIZE], dtype=np.int64), "together"),
        ],
        value_info=[helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()],
    )
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=9)


def run(graph: onnx.ModelProto, ids: list[list[int]]) -> np.ndarray:
    session = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    return np.asarray(session.run(["result"], {"ids": np.array(ids)})[0])


def seen(low: float, high: float) -> Seen:
    return Seen(np.full(SIZE, low), np.full(SIZE, high), np.eye(SIZE, dtype=np.float32))


STATES: list[object] = ["batch", "sequence", SIZE]
EMBED = helper.make_node("Gather", ["table", "ids"], ["states"])
LINEAR = helper.make_node("MatMul", ["states", "first"], ["product"])
BIASED = helper.make_node("Add", ["product", "bias"], ["biased"])


def classifier(*between: onnx.NodeProto, last: str) -> onnx.ModelProto:
    take = helper.make_node("Gather", [last, "zero"], ["result"], axis=1)
    shapes = {name: STATES for name in ("states", "product", "biased", "activated", "skipped")}
    return model([EMBED, LINEAR, BIASED, *between, take], shapes, ["batch", SIZE])


def test_reshapes_that_end_where_they_began_are_gone() -> None:
    apart = helper.make_node("Reshape", ["biased", "apart"], ["heads"])
    together = helper.make_node("Reshape", ["heads", "together"], ["whole"])
    take = helper.make_node("Gather", ["whole", "zero"], ["result"], axis=1)
    shapes = {"biased": STATES, "whole": STATES, "heads": ["batch", "sequence", 4, 4]}
    graph = model([EMBED, LINEAR, BIASED, apart, together, take], shapes, ["batch", SIZE])
    before = run(graph, [[1, 2, 3]])
    drop_reshapes(Graph(graph))
    assert [node.op_type for node in graph.graph.node] == ["Gather", "MatMul", "Add", "Gather"]
    np.testing.assert_array_equal(run(graph, [[1, 2, 3]]), before)


def test_a_reshape_that_changes_the_shape_stays() -> None:
    apart = helper.make_node("Reshape", ["biased", "apart"], ["heads"])
    take = helper.make_node("Gather", ["heads", "zero"], ["result"], axis=1)
    shapes = {"biased": STATES, "heads": ["batch", "sequence", 4, 4]}
    graph = model([EMBED, LINEAR, BIASED, apart, take], shapes, ["batch", 4, 4])
    drop_reshapes(Graph(graph))
    assert "Reshape" in [node.op_type for node in graph.graph.node]


def test_what_only_the_first_token_is_read_of_is_computed_for_the_first_token() -> None:
    gelu = helper.make_node("Gelu", ["biased"], ["activated"])
    skip = helper.make_node("Add", ["activated", "states"], ["skipped"])
    graph = classifier(gelu, skip, last="skipped")
    before = run(graph, [[1, 2, 3], [4, 5, 0]])
    read_one_token(Graph(graph))
    kinds = [node.op_type for node in graph.graph.node]
    assert kinds.index("MatMul") > 1, "the token is taken before the product"
    np.testing.assert_allclose(run(graph, [[1, 2, 3], [4, 5, 0]]), before, atol=1e-6)


def test_what_another_reader_needs_whole_is_computed_whole() -> None:
    total = helper.make_node("ReduceSum", ["biased"], ["skipped"], keepdims=1)
    both = helper.make_node("Add", ["biased", "skipped"], ["activated"])
    graph = classifier(total, both, last="activated")
    before = run(graph, [[1, 2, 3]])
    read_one_token(Graph(graph))
    inputs = {node.op_type: node.input[0] for node in graph.graph.node}
    assert inputs["MatMul"] == "states"
    np.testing.assert_allclose(run(graph, [[1, 2, 3]]), before, atol=1e-5)


def test_int8_weights_use_seven_bits_so_that_sums_of_two_fit_processors_without_vnni() -> None:
    graph = classifier(last="biased")
    small = quantise(graph, {"states": seen(-4.0, 4.0)})
    weights = [numpy_helper.to_array(tensor) for tensor in small.graph.initializer if tensor.name == "first/int8"]
    assert [value.dtype for value in weights] == [np.int8]
    assert int(np.abs(weights[0].astype(int)).max()) * 255 * 2 <= 32767


def test_a_quantised_graph_answers_nearly_the_same_and_holds_a_quarter() -> None:
    graph = classifier(last="biased")
    assert activations(Graph(graph)) == ["states"]
    small = quantise(graph, {"states": seen(float(WEIGHTS["table"].min()), float(WEIGHTS["table"].max()))})
    wanted, given = run(graph, [[1, 2], [3, 4]]), run(small, [[1, 2], [3, 4]])
    assert np.abs(wanted - given).max() < 0.05 * np.abs(wanted).max()
    assert not np.array_equal(wanted, given)
    assert small.ByteSize() < graph.ByteSize() / 2.5


def test_an_answer_of_int8_does_not_depend_on_its_neighbours_in_the_batch() -> None:
    small = quantise(classifier(last="biased"), {"states": seen(-4.0, 4.0)})
    alone = run(small, [[1, 2, 3]])[0]
    np.testing.assert_array_equal(run(small, [[4999, 17, 8], [1, 2, 3]])[1], alone)


@pytest.mark.parametrize(("low", "high"), [(-1.0, 3.0), (0.5, 3.0), (-3.0, -0.5), (0.0, 0.0)])
def test_zero_is_always_a_value_of_the_range(low: float, high: float) -> None:
    scale, zero = Range(low, high).scale_and_zero()
    assert 0 <= int(zero) <= 255
    assert scale > 0
    reach = (0 - int(zero)) * float(scale), (255 - int(zero)) * float(scale)
    assert reach[0] <= min(low, 0) + float(scale)
    assert reach[1] >= max(high, 0) - float(scale)


def test_weights_whose_inputs_have_nothing_to_do_with_each_other_are_rounded_one_by_one() -> None:
    weights = WEIGHTS["first"]
    scale = np.abs(weights).max(axis=0) / 63
    rounded = round_weights(weights, scale, np.eye(SIZE, dtype=np.float32), 63)
    np.testing.assert_array_equal(rounded, np.rint(weights / scale))


def test_rounding_keeps_products_nearer_than_each_weight_by_itself_does() -> None:
    common = RNG.normal(size=(400, 1))
    inputs = (common + 0.3 * RNG.normal(size=(400, 96))).astype(np.float32)
    weights = RNG.normal(size=(96, 24)).astype(np.float32)
    scale = np.abs(weights).max(axis=0) / 63
    rounded = round_weights(weights, scale, inputs.T @ inputs, 63)
    plain = np.rint(weights / scale)
    assert np.abs(rounded.astype(int)).max() <= 63
    errors = [np.square(inputs @ (steps * scale - weights)).mean() for steps in (rounded, plain)]
    assert errors[0] < 0.5 * errors[1]


def test_inputs_that_are_always_nothing_do_not_stop_the_rounding() -> None:
    rounded = round_weights(WEIGHTS["first"], np.ones(SIZE), np.zeros((SIZE, SIZE), dtype=np.float32), 63)
    np.testing.assert_array_equal(rounded, np.clip(np.rint(WEIGHTS["first"]), -63, 63))


def two_products(shared: bool) -> onnx.ModelProto:
    """states → product → again, by two weight matrices or twice by the same one."""
    again = helper.make_node("MatMul", ["biased", "first" if shared else "second"], ["again"])
    take = helper.make_node("Gather", ["again", "zero"], ["result"], axis=1)
    shapes = {name: STATES for name in ("states", "product", "biased", "again")}
    return model([EMBED, LINEAR, BIASED, again, take], shapes, ["batch", SIZE])


def watched(graph: onnx.ModelProto, values: np.ndarray) -> dict[str, Seen]:
    """As if every activation had these values: [tokens, size]."""
    one = Seen(values.min(axis=0), values.max(axis=0), values.T @ values / len(values))
    return dict.fromkeys(activations(Graph(graph)), one)


def with_an_outlier() -> np.ndarray:
    return np.asarray(RNG.normal(size=(200, SIZE)) * np.array([30.0] + [1.0] * (SIZE - 1)), dtype=np.float32)


def test_taking_outliers_out_changes_no_answer() -> None:
    graph = two_products(shared=False)
    smoothed, seen_smoothed = smooth(graph, watched(graph, with_an_outlier()))
    assert {node.op_type for node in smoothed.graph.node} == {"Gather", "MatMul", "Add", "Mul"}
    assert set(seen_smoothed) == set(activations(Graph(smoothed)))
    np.testing.assert_allclose(run(smoothed, [[1, 2], [3, 4]]), run(graph, [[1, 2], [3, 4]]), rtol=1e-4, atol=1e-4)


def test_without_outliers_less_of_a_product_is_noise() -> None:
    graph = classifier(last="biased")
    found = watched(graph, with_an_outlier())
    smoothed, seen_smoothed = smooth(graph, found)
    before = sensitivity(Graph(graph), "states", found["states"])
    (name,) = seen_smoothed
    assert sensitivity(Graph(smoothed), name, seen_smoothed[name]) < before / 2


def test_weights_that_are_used_twice_are_not_copied_to_take_outliers_out() -> None:
    graph = two_products(shared=True)
    smoothed, seen_smoothed = smooth(graph, watched(graph, with_an_outlier()))
    assert list(smoothed.graph.node) == list(graph.graph.node)
    assert set(seen_smoothed) == {"states", "biased"}


def test_a_product_that_is_kept_stays_float32() -> None:
    graph = two_products(shared=False)
    small = quantise(graph, watched(graph, with_an_outlier()), kept=["biased"])
    kinds = [node.op_type for node in small.graph.node]
    assert (kinds.count("MatMul"), kinds.count("MatMulIntegerToFloat")) == (1, 1)
    assert [node.input[1] for node in small.graph.node if node.op_type == "MatMul"] == ["second"]


@pytest.mark.parametrize(("activations", "counts"), [(3, []), (4, [1]), (24, [1, 2, 4, 6]), (48, [1, 2, 4, 8, 12])])
def test_more_and_more_products_are_kept_up_to_a_quarter(activations: int, counts: list[int]) -> None:
    assert kept_counts(activations) == counts


def test_the_attempts_begin_with_all_of_it_in_int8_and_each_says_what_it_does() -> None:
    graph = two_products(shared=False)
    found = list(attempts(graph, watched(graph, with_an_outlier())))
    assert [attempt.how for attempt in found] == ["", " without outliers"]
    for attempt in found:
        assert "MatMulIntegerToFloat" in {node.op_type for node in attempt.make().graph.node}
