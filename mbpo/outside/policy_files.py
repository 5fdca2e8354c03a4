"""Write a policy as ONNX or as a program of torch.export."""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import logging
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mbpo.errors import ConfigError, MBPOError
from mbpo.outside.policy import Portable, hold
from mbpo.outside.whole_file import whole_file
from mbpo.settings.packages import install_command

Array = NDArray[np.float32]
ABOUT = "mbpo.json"  # the file within a .pt2 that says where it came from


def needs_onnx() -> None:
    """Check that ONNX can be written.

    Raises:
        ConfigError: a package is missing.
    """
    try:
        importlib.import_module("onnx")
        importlib.import_module("onnxscript")
    except ImportError as error:
        command = install_command("onnx") + " onnxscript"
        raise ConfigError(f"--onnx needs onnx and onnxscript ({error.name} is missing): {command}") from None


def write_onnx(path: Path, policy: Portable) -> str:
    """Write ``policy`` as ONNX, held to the learner's actions by what runs it; return what that found.

    Raises:
        ConfigError: a package is missing, or the file cannot be written.
        MBPOError: it cannot be exported, or acts otherwise.
    """
    needs_onnx()
    with _quiet("ONNX"):
        program = torch.onnx.export(
            policy.module,
            (policy.example,),
            dynamo=True,
            verbose=False,
            input_names=["obs"],
            output_names=["action"],
            dynamic_shapes=_shapes(),
        )
    assert program is not None
    model = program.model_proto
    for key, value in policy.about.items():
        model.metadata_props.add(key=f"mbpo.{key}", value=value if isinstance(value, str) else json.dumps(value))
    data = model.SerializeToString()
    act, runner = _onnx_runner(data)
    found = _said(policy, hold(policy, act, "the ONNX policy"), runner)
    with whole_file(path) as file:
        file.write(data)
    return found


def write_torch(path: Path, policy: Portable) -> str:
    """Write ``policy`` as torch.export's program, which runs by torch alone; return what holding it found.

    Raises:
        ConfigError: the file cannot be written.
        MBPOError: it cannot be exported, or acts otherwise.
    """
    buffer = io.BytesIO()
    with _quiet("torch.export"):
        program = torch.export.export(policy.module, (policy.example,), dynamic_shapes=_shapes(), strict=False)
        torch.export.save(program, buffer, extra_files={ABOUT: json.dumps(policy.about)})
        buffer.seek(0)
        loaded = torch.export.load(buffer).module()
    found = _said(
        policy, hold(policy, lambda obs: loaded(torch.from_numpy(obs)).numpy(), "the program"), "torch.export"
    )
    with whole_file(path) as file:
        file.write(buffer.getbuffer())
    return found


def _shapes() -> dict[str, Any]:
    return {"obs": {0: torch.export.Dim("batch", min=1)}}


def _said(policy: Portable, difference: float, runner: str) -> str:
    return (
        f"{runner} acts as the learner does on {len(policy.obs):,} observations, {policy.real:,} of them the run's: "
        f"max abs difference {difference:.2g}"
    )


def _onnx_runner(data: bytes) -> tuple[Callable[[Array], Array], str]:
    """Return what runs an ONNX model here: onnxruntime, or onnx's own reference where that is not installed."""
    try:
        runtime: Any = importlib.import_module("onnxruntime")
    except ImportError:
        reference: Any = importlib.import_module("onnx.reference")
        evaluator = reference.ReferenceEvaluator(data)
        return lambda obs: np.asarray(evaluator.run(None, {"obs": obs})[0]), "onnx's reference (no onnxruntime here)"
    session = runtime.InferenceSession(data, providers=["CPUExecutionProvider"])
    return lambda obs: np.asarray(session.run(None, {"obs": obs})[0]), "onnxruntime"


@contextlib.contextmanager
def _quiet(what: str) -> Iterator[None]:
    """Keep what exporters say of themselves to themselves, and make of what they raise a line."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    except Exception as error:
        raise MBPOError(f"{what} cannot export this policy: {type(error).__name__}: {str(error)[:100]}") from error
    finally:
        logging.disable(level)
