"""Imports run one way, heavy libraries stay in their rooms, and no label reaches training."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGES = ("casadi_dynamics", "osim_models", "sspinn_opensim")

_ERRORS, _MODEL, _SYMBOLIC = (f"casadi_dynamics.{room}" for room in ("errors", "model", "symbolic"))
_DYNAMICS = {"casadi_dynamics", _ERRORS, _MODEL, _SYMBOLIC} | {
    f"casadi_dynamics.{room}" for room in ("osim", "compiled", "verify", "simbody_defect")
}
_BASE = {_ERRORS, "casadi_dynamics", "sspinn_opensim"}
_STUDY, _RECORDING, _OPENSIM_IO, _TRAINING, _ESTIMATION, _EVALUATION = (
    f"sspinn_opensim.{room}"
    for room in ("study", "recording", "opensim_io", "training", "estimation", "evaluation")
)
_TO_TRAIN = _BASE | _DYNAMICS | {_STUDY, _RECORDING, _OPENSIM_IO}

#: Room -> rooms it may import from beside itself. A module is in the room with the longest matching name.
ALLOWED = {
    "casadi_dynamics": {_ERRORS},
    _ERRORS: set(),
    _MODEL: {_ERRORS},
    "casadi_dynamics.osim": {_ERRORS, _MODEL},
    _SYMBOLIC: {_ERRORS, _MODEL},
    "casadi_dynamics.compiled": {_ERRORS, _MODEL, _SYMBOLIC},
    "casadi_dynamics.simbody_defect": {_MODEL, _SYMBOLIC},
    "casadi_dynamics.verify": _DYNAMICS,
    "casadi_dynamics.live": {_ERRORS},
    "casadi_dynamics.__main__": _DYNAMICS | {"casadi_dynamics.live"},
    "osim_models": _DYNAMICS,
    # Scripts that ask OpenSim: for stored answers, and for the built-in recording.
    "osim_models.answers": _DYNAMICS | {"osim_models", _OPENSIM_IO},
    "osim_models.demo": _DYNAMICS | {"osim_models", _OPENSIM_IO},
    "sspinn_opensim": set(),
    _STUDY: {_ERRORS, "osim_models"},
    _RECORDING: _BASE | {_STUDY, _MODEL},
    _OPENSIM_IO: _BASE | {_MODEL, "casadi_dynamics.osim", "osim_models"},
    _TRAINING: _TO_TRAIN,
    _ESTIMATION: _TO_TRAIN | {_TRAINING},
    _EVALUATION: _TO_TRAIN | {_TRAINING, _ESTIMATION},
    "sspinn_opensim.inverse_dynamics": _BASE | _DYNAMICS | {_OPENSIM_IO},
    # What the workflows print and leave for the reader of a results folder.
    "sspinn_opensim.console": _BASE | {_TRAINING},
    "sspinn_opensim.readme_file": _BASE | {_STUDY},
    "sspinn_opensim.workflows": _TO_TRAIN
    | {_TRAINING, _ESTIMATION, _EVALUATION, "osim_models"}
    | {"sspinn_opensim.console", "sspinn_opensim.readme_file"},
    "sspinn_opensim.doctor": _BASE | {_OPENSIM_IO},
    "sspinn_opensim.cli": _BASE | {_STUDY, "sspinn_opensim.workflows", "sspinn_opensim.doctor"},
    "sspinn_opensim.__main__": {"sspinn_opensim.cli"},
}

#: Library -> rooms or modules that may import it.
LIBRARIES = {
    "torch": {"casadi_dynamics.compiled", _TRAINING, _ESTIMATION},
    "lxml": {"casadi_dynamics.osim", _OPENSIM_IO, "osim_models"},
    "opensim": {"sspinn_opensim.opensim_io.worker"},
    "matio": {_RECORDING},
}

#: Rooms whose code must not know that a reference exists.
WITHOUT_LABELS = (_TRAINING, _ESTIMATION)


def room_of(module: str, rooms=ALLOWED) -> str | None:
    """Return the longest room that holds a module; None for a module of another project."""
    parts = module.split(".")
    candidates = (".".join(parts[:length]) for length in range(len(parts), 0, -1))
    return next((name for name in candidates if name in rooms), None)


def imported(tree: ast.AST) -> list[tuple[int, str]]:
    """Return line and full name of every import, inside functions too; ``from a import b`` is ``a.b``."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            found += [(node.lineno, f"{base}.{alias.name}") for alias in node.names]
    return found


def violations(module: str, source: str) -> list[str]:
    """Return one sentence for each import of `module` that runs the wrong way."""
    home, found = room_of(module), []
    for line, name in imported(ast.parse(source)):
        target, library = room_of(name), name.split(".")[0]
        if name.startswith("."):
            found.append(f"{module}:{line} imports relatively: {name}")
        elif target is not None and target != home and target not in ALLOWED[home]:
            found.append(f"{module}:{line} ({home}) must not import {name} ({target})")
        elif library in LIBRARIES and room_of(module, LIBRARIES[library]) is None:
            found.append(f"{module}:{line} must not import {library}")
    return found


def label_uses(module: str, source: str) -> list[str]:
    """Return where code of a room without labels mentions a reference, or a reader that could open one."""
    found = []
    for node in ast.walk(ast.parse(source)):
        names = {getattr(node, field, None) for field in ("id", "attr", "arg")}
        if names & {"reference", "ReferenceChoice"}:
            found.append(f"{module}:{node.lineno} mentions a reference")
    for line, name in imported(ast.parse(source)):
        if "matlab_tables" in name or name.endswith("ReferenceChoice"):
            found.append(f"{module}:{line} imports {name}")
    return found


def modules(repository: Path) -> list[tuple[str, str]]:
    """Return name and source of every module of the packages."""
    found = []
    for file in sorted(file for package in PACKAGES for file in (repository / package).rglob("*.py")):
        parts = file.relative_to(repository).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found.append((name, file.read_text(encoding="utf-8")))
    return found


def test_imports_run_one_way(repository):
    found = modules(repository)
    assert len(found) > 20
    assert not [sentence for module, source in found for sentence in violations(module, source)]


def test_no_label_reaches_training(repository):
    rooms = [(module, source) for module, source in modules(repository) if room_of(module) in WITHOUT_LABELS]
    assert not [sentence for module, source in rooms for sentence in label_uses(module, source)]


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("casadi_dynamics.model.types", "from sspinn_opensim.recording import Recording"),
        ("casadi_dynamics.model.types", "from casadi_dynamics.symbolic import build"),
        ("casadi_dynamics.osim.reader", "import casadi_dynamics.compiled"),
        ("casadi_dynamics.osim.reader", "def read():\n    import torch.nn"),
        ("casadi_dynamics", "from casadi_dynamics import compiled"),
        ("sspinn_opensim.study", "from casadi_dynamics.model import Model"),
        ("sspinn_opensim.recording.types", "from sspinn_opensim import workflows"),
        ("sspinn_opensim.recording.types", "def late():\n    from sspinn_opensim.opensim_io import jobs"),
        ("sspinn_opensim.training.losses", "from sspinn_opensim.evaluation.reference import read"),
        ("sspinn_opensim.evaluation.report", "from lxml import etree"),
        ("sspinn_opensim.opensim_io.jobs", "import opensim"),
        ("sspinn_opensim.workflows", "from .cli import main"),
    ],
)
def test_a_wrong_import_is_caught(module, source):
    assert len(violations(module, source)) == 1


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("sspinn_opensim.opensim_io.worker", "import opensim"),
        ("sspinn_opensim.training.losses", "from sspinn_opensim.recording import Recording\nimport torch"),
        ("sspinn_opensim.cli", "def run():\n    from sspinn_opensim import workflows"),
        ("casadi_dynamics.verify", "from casadi_dynamics.compiled import compile"),
    ],
)
def test_a_right_import_is_not_caught(module, source):
    assert violations(module, source) == []


@pytest.mark.parametrize(
    "source",
    [
        "def train(study):\n    return study.reference",
        "def train(recording, reference):\n    pass",
        "from sspinn_opensim.recording.matlab_tables import read_rows",
        "from sspinn_opensim.study import ReferenceChoice",
    ],
)
def test_a_label_is_caught(source):
    assert label_uses("sspinn_opensim.training.trainer", source)


def test_the_command_line_starts_without_heavy_libraries(repository):
    code = (
        "import sys, sspinn_opensim.cli as cli; cli.build_parser(); "
        "print(*({'torch', 'casadi', 'opensim', 'scipy', 'pandas', 'matplotlib'} & set(sys.modules)))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=repository, capture_output=True, text=True, timeout=60, check=True
    )
    assert answer.stdout.strip() == ""
