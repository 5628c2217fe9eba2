"""What multiplies int8 weights: processor time of one token of Qwen2.5-0.5B's matrices, and what rounding costs.

One thread and processor time, so that other work on the machine disturbs little. `error` is relative, over rows of
normal numbers; `beside an outlier` is that of the same rows when a row a thousand times as large is in their batch.
torchao is compared where it is installed.
"""

from __future__ import annotations

import importlib.util
import time
import warnings
from collections.abc import Callable, Iterator

import onnx
import onnxruntime
import torch
from _measured import machine
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn
from torch.nn import functional

from vlmkit.llms.int8 import Int8Linear, rounded

# outputs, inputs, how many of them in 24 layers, and the head
SHAPES = ((896, 896, 48), (128, 896, 48), (4864, 896, 48), (896, 4864, 24), (151_936, 896, 1))
BLOCK = 128  # inputs that share a scale in ONNX Runtime's operator
Multiply = Callable[[Tensor], Tensor]


def engines(weight: Tensor) -> Iterator[tuple[str, Multiply]]:
    """Each engine with this weight `[m, k]` in its own form."""
    half, layer = weight.bfloat16(), Int8Linear(*rounded(weight))
    yield "fp32", lambda x: functional.linear(x, weight)
    yield "bf16", lambda x: functional.linear(x.bfloat16(), half).float()
    yield "torch, int8 weights only (ours)", layer
    numbers, scale = rounded(weight)
    zeros = torch.zeros(len(scale), dtype=torch.long)
    made = torch._make_per_channel_quantized_tensor(numbers, scale.double(), zeros, 0)
    packed = torch.ops.quantized.linear_prepack(made, None)
    yield "torch, linear_dynamic", lambda x: torch.ops.quantized.linear_dynamic(x, packed, reduce_range=False)
    yield "onnxruntime, MatMulNBits", _blocks(weight)
    if importlib.util.find_spec("torchao"):
        yield "torchao, Int8WeightOnly", _torchao(weight)


def _blocks(weight: Tensor) -> Multiply:
    m, k = weight.shape
    parts = weight.view(m, k // BLOCK, BLOCK)
    scale = parts.abs().amax(2) / 127
    numbers = ((parts / scale[..., None]).round() + 128).to(torch.uint8)
    sizes = {"K": k, "N": m, "bits": 8, "block_size": BLOCK, "accuracy_level": 4}
    node = helper.make_node("MatMulNBits", ["x", "w", "s"], ["y"], domain="com.microsoft", **sizes)
    graph = helper.make_graph(
        [node],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", k])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", m])],
        [numpy_helper.from_array(numbers.numpy(), "w"), numpy_helper.from_array(scale.numpy(), "s")],
    )
    versions = [helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1)]
    model: onnx.ModelProto = helper.make_model(graph, opset_imports=versions, ir_version=10)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return lambda x: torch.from_numpy(session.run(None, {"x": x.numpy()})[0])


def _torchao(weight: Tensor) -> Multiply:
    from torchao.quantization import Int8WeightOnlyConfig, quantize_

    linear = nn.Linear(weight.shape[1], weight.shape[0], bias=False)
    linear.weight = nn.Parameter(weight, requires_grad=False)
    holder = nn.Sequential(linear)
    quantize_(holder, Int8WeightOnlyConfig())
    return holder


def best_ms(multiply: Multiply, x: Tensor, runs: int = 15) -> float:
    """Least processor time of a call."""
    multiply(x)
    found = []
    for _ in range(runs):
        start_s = time.process_time()
        multiply(x)
        found.append(time.process_time() - start_s)
    return 1e3 * min(found)


def error(found: Tensor, wanted: Tensor) -> float:
    """Relative, in the mean over all numbers."""
    return float((found - wanted).norm() / wanted.norm())


def main() -> None:
    """Add up one token, and compare rows."""
    warnings.simplefilter("ignore")  # torch.ops.quantized and torchao are both deprecated in parts
    torch.set_num_threads(1)
    torch.manual_seed(0)
    print(machine("onnxruntime", *(["torchao"] if importlib.util.find_spec("torchao") else [])))
    token: dict[str, float] = {}
    prompt: dict[str, float] = {}
    errors: dict[str, tuple[float, float]] = {}
    with torch.inference_mode():
        for m, k, n in SHAPES:
            weight, rows = 0.02 * torch.randn(m, k), torch.randn(8, k)
            wanted = rows @ weight.T
            loud = torch.cat([1e3 * rows[:1], rows[1:]])
            for name, multiply in engines(weight):
                token[name] = token.get(name, 0.0) + n * best_ms(multiply, rows[:1])
                if m < SHAPES[-1][0]:
                    prompt[name] = prompt.get(name, 0.0) + n * best_ms(multiply, torch.randn(256, k), runs=3)
                if (m, k) == SHAPES[2][:2]:
                    found = error(multiply(rows)[1:], wanted[1:]), error(multiply(loud)[1:], wanted[1:])
                    errors[name] = found
    print(f"{'':<33}{'ms a token':>12}{'ms, 256 rows':>14}{'error':>9}{'beside an outlier':>20}")
    for name, ms in token.items():
        print(f"{name:<33}{ms:>12.1f}{prompt[name]:>14.0f}{errors[name][0]:>9.2%}{errors[name][1]:>20.2%}")


if __name__ == "__main__":
    main()
