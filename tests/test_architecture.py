"""Imports run one way, heavy libraries stay in their rooms, and no label reaches training."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

PACKAGES = ("casadi_dynamics", "osim_models", "sspinn_opensim")

_ERRORS, _MODEL, _SYMBOLIC = (f"casadi_dynamics.{room}" for room in ("errors", "model", "symbolic"))
_DYNAMICS = {"casadi_dynamics", _ERRORS, _MODEL, _SYMBOLIC} | {
    f"casadi_dynamics.{room}" for room in ("osim", "compiled", "verify", "simbody_defect")
}
_BASE = {_ERRORS, "casadi_dynamics", "sspinn_opensim"}
_STUDY, _RECORDING, _OPENSIM_IO, _TRAINING, _ESTIMATION, _EVALUATION, _SIMULATION = (
    f"sspinn_opensim.{room}"
    for room in "study recording opensim_io training estimation evaluation simulation".split()
)
_MUSCLES = "sspinn_opensim.muscles"
#: What verbs in modules of their own build upon.
_WORKING = {"sspinn_opensim.workflows", "sspinn_opensim.seeds", "sspinn_opensim.console"} | {
    "sspinn_opensim.study_record"
}
_TO_TRAIN = _BASE | _DYNAMICS | {_STUDY, _RECORDING, _OPENSIM_IO, "sspinn_opensim.sensor_sets"}


def _in_opensim_io(rooms: str) -> set[str]:
    return {f"{_OPENSIM_IO}.{room}" for room in rooms.split()}


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
    _STUDY: {_ERRORS, "osim_models", "sspinn_opensim.sensor_sets"},
    "sspinn_opensim.sensor_sets": {_ERRORS},
    "sspinn_opensim.cohort_file": {_ERRORS, _STUDY},
    _RECORDING: _BASE | {_STUDY, _MODEL, "sspinn_opensim.sensor_sets"},
    **{
        f"{_OPENSIM_IO}{room}": _BASE
        | {_MODEL, "casadi_dynamics.osim", "osim_models"}
        | _in_opensim_io(others)
        for room, others in {
            "": "",
            ".documents": "",
            ".files": "",
            ".process": "",
            ".worker": "process",
            ".model": "documents files process",
            ".tables": "documents files process",
            ".trials": "model process tables",
            ".scaling": "documents files model process tables",
            ".static_optimization": "documents files model process tables trials",
            ".tools": "documents files model process static_optimization tables trials",
        }.items()
    },
    # Feet are found where bodies stand, which takes the symbolic side.
    **{
        f"{_OPENSIM_IO}.model.{module}": _BASE
        | {_MODEL, _SYMBOLIC, "casadi_dynamics.osim"}
        | _in_opensim_io("documents files model")
        for module in ("contact", "shoes")
    },
    _TRAINING: _TO_TRAIN,
    _ESTIMATION: _TO_TRAIN | {_TRAINING},
    _EVALUATION: _TO_TRAIN | {_TRAINING, _ESTIMATION},
    # Motions become recordings: files for the others, who must not look in here.
    _SIMULATION: _BASE | _DYNAMICS | {_STUDY, _RECORDING, _OPENSIM_IO},
    "sspinn_opensim.simulate": _BASE | _DYNAMICS | {_RECORDING, _OPENSIM_IO, _SIMULATION, "osim_models"},
    "sspinn_opensim.scale": _BASE
    | {_STUDY, _OPENSIM_IO, "sspinn_opensim.opensim_io.model.shoes"}
    | {"sspinn_opensim.console", "sspinn_opensim.manifest"},
    "sspinn_opensim.inverse_dynamics": _BASE | _DYNAMICS | {_OPENSIM_IO},
    # Muscle forces of whole trials without OpenSim; its set-ups, tables and verdict are those of opensim_io.
    _MUSCLES: _BASE | _DYNAMICS | {_OPENSIM_IO, "sspinn_opensim.inverse_dynamics"},
    # What the workflows print and leave for the reader of a results folder.
    "sspinn_opensim.console": _BASE | {_TRAINING},
    "sspinn_opensim.gui_steps": _BASE | {_OPENSIM_IO},
    "sspinn_opensim.readme_file": _BASE | {"sspinn_opensim.gui_steps"},
    "sspinn_opensim.manifest": _BASE | {_OPENSIM_IO, "sspinn_opensim.readme_file"},
    "sspinn_opensim.open_folder": _BASE
    | {_OPENSIM_IO}
    | {f"sspinn_opensim.{module}" for module in ("console", "gui_steps", "manifest", "readme_file")},
    "sspinn_opensim.compare": _BASE
    | {"casadi_dynamics.osim", _MODEL, _OPENSIM_IO, _EVALUATION}
    | {"sspinn_opensim.console", "sspinn_opensim.gui_steps"},
    "sspinn_opensim.moment_table": set(),
    "sspinn_opensim.moment_comparison": _BASE
    | _DYNAMICS
    | {_OPENSIM_IO, "sspinn_opensim.moment_table", "sspinn_opensim.inverse_dynamics"},
    "sspinn_opensim.joint_loads": _BASE
    | {_OPENSIM_IO, "sspinn_opensim.moment_comparison", "sspinn_opensim.moment_table"}
    | {"sspinn_opensim.console", "sspinn_opensim.manifest"},
    "sspinn_opensim.cli_trials": {_ERRORS, "sspinn_opensim.joint_loads"},
    "sspinn_opensim.study_record": {_STUDY, "sspinn_opensim.manifest"},
    "sspinn_opensim.workflows": _TO_TRAIN
    | {_TRAINING, _ESTIMATION, _EVALUATION, "osim_models"}
    | {"sspinn_opensim.console", "sspinn_opensim.seeds", "sspinn_opensim.scale", _MUSCLES}
    | {"sspinn_opensim.manifest", "sspinn_opensim.study_record"}
    | {f"{_OPENSIM_IO}.model.contact", f"{_OPENSIM_IO}.model.shoes"},
    "sspinn_opensim.seeds": _BASE | {_STUDY, _OPENSIM_IO, _TRAINING, "sspinn_opensim.console"},
    "sspinn_opensim.adapt": _TO_TRAIN | {_TRAINING} | _WORKING,
    "sspinn_opensim.cohort_workflows": _TO_TRAIN
    | {_TRAINING, _EVALUATION, "sspinn_opensim.cohort_file"}
    | _WORKING,
    "sspinn_opensim.ablation": _TO_TRAIN
    | {_TRAINING, _EVALUATION, "sspinn_opensim.inverse_dynamics"}
    | {"sspinn_opensim.workflows", "sspinn_opensim.console"},
    "sspinn_opensim.locate": _TO_TRAIN | {_TRAINING, _ESTIMATION} | _WORKING,
    "sspinn_opensim.doctor": _BASE | {_OPENSIM_IO},
    "sspinn_opensim.cli_muscles": _BASE | {"sspinn_opensim.workflows", "sspinn_opensim.laboratory_muscles"},
    "sspinn_opensim.laboratory_muscles": _BASE
    | {_OPENSIM_IO, _MUSCLES, _EVALUATION, "sspinn_opensim.console", "sspinn_opensim.manifest"},
    "sspinn_opensim.cli": _BASE
    | {
        _STUDY,
        "sspinn_opensim.cli_trials",
        "sspinn_opensim.cli_muscles",
        "sspinn_opensim.sensor_sets",
        "sspinn_opensim.workflows",
        "sspinn_opensim.doctor",
    }
    | {
        f"sspinn_opensim.{module}"
        for module in "ablation adapt cohort_file cohort_workflows compare locate open_folder scale simulate"
        "".split()
    },
    "sspinn_opensim.__main__": {"sspinn_opensim.cli"},
}

#: Library -> rooms or modules that may import it.
LIBRARIES = {
    "torch": {"casadi_dynamics.compiled", _TRAINING, _ESTIMATION},
    "lxml": {"casadi_dynamics.osim", _OPENSIM_IO, "osim_models"},
    "lightning": {_TRAINING},
    "opensim": {"sspinn_opensim.opensim_io.worker"},
    "daqp": {_MUSCLES},
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
        elif target is not None and target != home and not _may_import(home, target):
            found.append(f"{module}:{line} ({home}) must not import {name} ({target})")
        elif library in LIBRARIES and room_of(module, LIBRARIES[library]) is None:
            found.append(f"{module}:{line} must not import {library}")
    return found


def _may_import(home: str, target: str) -> bool:
    """Return whether a room may import another; who may use opensim_io may use its rooms but the worker's."""
    inside = target.startswith(f"{_OPENSIM_IO}.") and target != f"{_OPENSIM_IO}.worker"
    return target in ALLOWED[home] or (inside and _OPENSIM_IO in ALLOWED[home])


def label_uses(module: str, source: str) -> list[str]:
    """Return where code of a room without labels mentions a reference, or a reader that could open one.

    Names count, and texts that could stand for names (``getattr(study, "reference")``).
    """
    found = []
    for node in ast.walk(ast.parse(source)):
        names = {getattr(node, field, None) for field in ("id", "attr", "arg")}
        text = node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
        if names & {"reference", "ReferenceChoice"} or text == "reference":
            found.append(f"{module}:{node.lineno} mentions a reference")
        if re.fullmatch(r"[\w.]*(evaluation|matlab_tables|workflows)(\.\w+)*", text):
            found.append(f"{module}:{node.lineno} names the module {text}")
    for line, name in imported(ast.parse(source)):
        if "matlab_tables" in name or name.endswith("ReferenceChoice"):
            found.append(f"{module}:{line} imports {name}")
    return found


def reached(start: Iterable[str], sources: Mapping[str, str]) -> set[str]:
    """Return the modules of the packages that some modules import, directly or through others."""
    known, open_ends = set(), list(start)
    while open_ends:
        module = open_ends.pop()
        if module in known:
            continue
        known.add(module)
        for _, name in imported(ast.parse(sources[module])):
            target = room_of(name, sources)
            if target is not None:
                open_ends.append(target)
    return known


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


def test_nothing_that_training_imports_knows_a_reference(repository):
    """Also at second hand: whatever these rooms import neither evaluates nor mentions a reference."""
    sources = dict(modules(repository))
    start = [module for module in sources if room_of(module) in WITHOUT_LABELS]
    found = reached(start, sources)
    assert len(start) > 10 and len(found) > len(start) + 10
    assert not [module for module in found if room_of(module) in (_EVALUATION, "sspinn_opensim.workflows")]
    own = {module for module in found if module.startswith("sspinn_opensim.")}
    # The study file defines the key, and the reader of a set that keeps signals and labels in one table is
    # watched row by row in test_no_labels.py.
    spoken = {module for module in own if label_uses(module, sources[module])}
    assert {name for name in spoken if room_of(name) != _STUDY} <= {"sspinn_opensim.recording.dorschky2019"}
    mixed = sources["sspinn_opensim.recording.dorschky2019"]
    assert not [sentence for sentence in label_uses("", mixed) if "mentions" in sentence]


def test_a_leak_at_second_hand_is_reached():
    helper = "def f():\n    import a.evaluation"
    sources = {"a.training": "from a import helper", "a.helper": helper, "a.evaluation": ""}
    assert reached(["a.training"], sources) == set(sources)


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
        ("sspinn_opensim.opensim_io.process.jobs", "import opensim"),
        ("sspinn_opensim.workflows", "from sspinn_opensim.opensim_io.worker import tools"),
        ("sspinn_opensim.opensim_io.tables.storage", "from sspinn_opensim.opensim_io.scaling import report"),
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
        "def train(study):\n    return getattr(study, 'reference').file",
        "import importlib\nimportlib.import_module('sspinn_opensim.evaluation.reference')",
        "__import__('sspinn_opensim.workflows')",
    ],
)
def test_a_label_is_caught(source):
    assert label_uses("sspinn_opensim.training.trainer", source)


def test_the_command_line_starts_without_heavy_libraries(repository):
    code = (
        "import sys, sspinn_opensim.cli as cli; cli.build_parser(); "
        "heavy = {'torch', 'lightning', 'casadi', 'opensim', 'scipy', 'pandas', 'matplotlib'}; "
        "print(*(heavy & set(sys.modules)))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=repository, capture_output=True, text=True, timeout=60, check=True
    )
    assert answer.stdout.strip() == ""
