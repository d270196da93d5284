"""Docstrings and documents are held against the code: parameters, exceptions, names, paths, rooms.

All of it reads syntax trees; nothing is imported.
"""

import ast
import builtins
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGES = ("casadi_dynamics", "osim_models", "sspinn_opensim")

#: Sections that numpydoc knows and these packages use.
_SECTIONS = {"Parameters", "Attributes", "Returns", "Yields", "Raises", "Notes", "See Also"}

#: Names in documents that no code spells as they are: of other projects, models and data sets, in formulas,
#: and made of parts.
_FOREIGN = """
    CoordinateSet MomentArmSolver stepAny calcInextensibleTendonActiveFiberForce DataLoader
    scipy optimize least_squares torch func vjp jvp jacrev
    mujoco mj_inverse mjd_inverseFD pinocchio rnea computeRNEADerivatives forward_backward
    gait10dof18musc_subject01 Rajagopal2016 datasets SchreiberMoissenet2019 HamnerDelp2013
    schreiber2019_walking hamner2013_running
    glut_med1 glut_med2 glut_med3 R_soleus knee_angle_r_beta
    th W_i X_FM a_i theta_x delta_z fy
    NAME_ax NAME_gz NAME_q1 NAME_q4 ACCX1 Lumbar timestamp_us
    NAME_imu DATA DIR RightFoot RightLowerLeg RightThigh left_shank lfemur
    _deg angle_spread_deg angle_correlation
"""
FOREIGN = set(_FOREIGN.split())


def sources(repository: Path, *folders: str) -> dict[Path, ast.Module]:
    """Return the syntax trees of some folders, by path relative to the repository."""
    files = (path for folder in folders for path in sorted((repository / folder).rglob("*.py")))
    return {path.relative_to(repository): ast.parse(path.read_text(encoding="utf-8")) for path in files}


@pytest.fixture(scope="module")
def trees(repository):
    return sources(repository, *PACKAGES)


@pytest.fixture(scope="module")
def documents(repository):
    """Return the text of every document, by path relative to the repository."""
    files = (repository / "README.md", *repository.glob("docs/*.md"), *repository.glob("*/README.md"))
    return {path.relative_to(repository): path.read_text(encoding="utf-8") for path in sorted(set(files))}


def documented(tree: ast.AST) -> Iterator[tuple[ast.AST, str]]:
    """Yield what has a docstring, with it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            text = ast.get_docstring(node)
            if text:
                yield node, text


def sections(text: str) -> dict[str, list[tuple[list[str], str, str]]]:
    """Return the sections of a docstring, each as entries: names, type and words."""
    found: dict[str, list] = {}
    entries: list = []
    lines = text.splitlines()
    for i, line in enumerate(lines):
        if i + 1 < len(lines) and re.fullmatch("-{3,}", lines[i + 1]) and line:
            entries = found.setdefault(line, [])
        elif line.startswith(" ") and entries:
            names, kind, words = entries[-1]
            entries[-1] = (names, kind, f"{words} {line.strip()}".strip())
        elif line and not line.startswith((" ", "---")):
            names, _, kind = line.partition(" : ")
            entries.append(([name.strip() for name in names.split(",")], kind, ""))
    return found


def _own(body: list[ast.stmt]) -> dict[str, bool]:
    annotated = (
        node for node in body if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    )
    return {node.target.id: True for node in annotated}


def parameters(node: ast.AST, classes: dict[str, ast.ClassDef]) -> dict[str, bool]:
    """Return the parameters of a function or class in their order, and whether each has an annotation."""
    if isinstance(node, ast.ClassDef):
        made = [item for item in node.body if isinstance(item, ast.FunctionDef) and item.name == "__init__"]
        if made:
            return parameters(made[0], classes)
        bases = [classes[base.id] for base in node.bases if isinstance(base, ast.Name) and base.id in classes]
        return {name: True for base in bases for name in parameters(base, classes)} | _own(node.body)
    given = node.args
    names = [(item, "") for item in (*given.posonlyargs, *given.args)]
    names += [(given.vararg, "*")] if given.vararg else []
    names += [(item, "") for item in given.kwonlyargs]
    names += [(given.kwarg, "**")] if given.kwarg else []
    found = {stars + item.arg: item.annotation is not None for item, stars in names}
    return {name: annotated for name, annotated in found.items() if name not in ("self", "cls")}


def attributes(node: ast.ClassDef, classes: dict[str, ast.ClassDef]) -> set[str]:
    """Return the attributes of a class: its fields, what its methods assign, its methods and properties."""
    stored = [item for item in ast.walk(node) if isinstance(getattr(item, "ctx", None), ast.Store)]
    assigned = [item.attr for item in stored if isinstance(item, ast.Attribute)]
    assigned += [item.id for item in stored if isinstance(item, ast.Name)]
    methods = (item.name for item in node.body if isinstance(item, ast.FunctionDef))
    return {*parameters(node, classes), *assigned, *methods}


def faults(node: ast.AST, text: str, classes: dict[str, ast.ClassDef]) -> list[str]:
    """Return what is wrong with the sections of a docstring.

    A section may leave out what its name and annotation say; what it lists must exist, in the order of the
    signature, and be told more of than its type: words, or the shape of an array.
    """
    found = [f"unknown section {name}" for name in sections(text) if name not in _SECTIONS]
    for section in ("Parameters", "Attributes"):
        entries = sections(text).get(section, [])
        known = parameters(node, classes) if not isinstance(node, ast.Module) else {}
        order = list(known)
        listed = [name for names, _, _ in entries for name in names]
        found += [f"{names}: only a type" for names, kind, words in entries if not words and "(" not in kind]
        if section == "Attributes" and not set(listed) <= set(order):
            found += [f"no attribute {name}" for name in listed if name not in attributes(node, classes)]
            continue
        found += [f"no parameter {name}" for name in listed if name not in known]
        first = [order.index(names[0]) for names, _, _ in entries if names[0] in known]
        found += ["another order than the signature's"] * (first != sorted(first))
        if section == "Parameters" and entries:
            silent = [name for name, annotated in known.items() if name not in listed and not annotated]
            found += [f"{name}: neither words nor an annotation" for name in silent]
    return found


def classes_of(trees: dict[Path, ast.Module]) -> dict[str, ast.ClassDef]:
    """Return the classes by their names."""
    nodes = (node for tree in trees.values() for node in ast.walk(tree))
    return {node.name: node for node in nodes if isinstance(node, ast.ClassDef)}


def test_docstrings_list_the_parameters_there_are(trees):
    classes = classes_of(trees)
    found = [
        f"{path}:{node.lineno} {node.name}: {fault}"
        for path, tree in trees.items()
        for node, text in documented(tree)
        if not isinstance(node, ast.Module)
        for fault in faults(node, text, classes)
    ]
    assert len(classes) > 100 and not found, "\n".join(found)


@pytest.mark.parametrize(
    ("signature", "section", "fault"),
    [
        ("x: int, *y: int", "x : int\n    Words.\n*y : int\n    Words.", None),
        ("x: int, y: int", "y : int\n    Words.", None),
        ("x: ndarray, y: int", "x : (n,) ndarray", None),
        ("x: int, y: int", "x : int\ny : int\n    Words.", "['x']: only a type"),
        ("x: int, y: int", "y : int\n    Words.\nx : int\n    Words.", "another order than the signature's"),
        ("x: int", "z : int\n    Words.", "no parameter z"),
        ("x: int, y", "x : int\n    Words.", "y: neither words nor an annotation"),
    ],
)
def test_a_wrong_parameter_is_caught(signature, section, fault):
    node = ast.parse(f"def f({signature}): pass").body[0]
    text = f"Do it.\n\nParameters\n----------\n{section}"
    assert faults(node, text, {}) == ([fault] if fault else [])


def test_docstrings_name_exceptions_that_exist(trees):
    known = {*classes_of(trees), *dir(builtins)}
    raised = [
        (path, name)
        for path, tree in trees.items()
        for _, text in documented(tree)
        for names, _, _ in sections(text).get("Raises", [])
        for name in names
    ]
    assert len(raised) > 50 and not [pair for pair in raised if pair[1] not in known]


def test_a_module_begins_with_what_it_is(trees):
    """A noun in one line of the length of all lines."""
    first = {path: (ast.get_docstring(tree) or "").splitlines()[0] for path, tree in trees.items()}
    asking = r"(What|Which|How|Where|Whether|From|When|Who|Why)\b"
    wrong = {
        path: line for path, line in first.items() if re.match(asking, line) or len(line) > 107 or "?" in line
    }
    assert not wrong


#: Names of other models with their side, and columns, which are named after whatever carries them.
_OF_DATA = re.compile(r"\w+_([lr]|(acc|gyro)_[xyz]|(force_)?v[xyz])")


def spoken(trees, documents) -> Iterator[tuple[str, str]]:
    """Yield where each name in backticks stands, and the name; blocks of code are left out."""
    texts = [
        (f"{path}:{getattr(node, 'lineno', 1)}", text)
        for path, tree in trees.items()
        for node, text in documented(tree)
    ]
    texts += [
        (str(path), re.sub(r"```.*?```", "", text, flags=re.DOTALL)) for path, text in documents.items()
    ]
    for place, text in texts:
        for quoted in re.findall(r"(?<!`)``?([^`\n]+?)``?(?!`)", text):
            name = quoted.removesuffix("()")
            if re.fullmatch(r"[a-z_](\w|[./](?!\.))*", name, re.ASCII | re.IGNORECASE):
                yield place, name


class Names:
    """All that the code spells: identifiers, words of its texts, files; what modules and classes have."""

    def __init__(self, repository: Path, trees: dict[Path, ast.Module]) -> None:
        skipped = {".git", "__pycache__", ".venv", "build", "dist"}
        paths = (path.relative_to(repository) for path in repository.rglob("*"))
        self.files = [path for path in paths if not skipped & set(path.parts)]
        self.modules = {
            ".".join(path.with_suffix("").parts).removesuffix(".__init__"): tree
            for path, tree in trees.items()
        }
        self.bases, self.classes = classes_of(trees), {}
        for tree in trees.values():
            for node in ast.walk(tree):
                if isinstance(node, ast.ClassDef):
                    self.classes.setdefault(node.name, set()).update(attributes(node, self.bases))
        self.words = {*dir(builtins), *FOREIGN} | {
            part for path in self.files for part in (*path.parts, path.stem)
        }
        for path, tree in (trees | sources(repository, "tests", "benchmarks")).items():
            told = {id(node.body[0].value) for node, _ in documented(tree)}
            for node in ast.walk(tree):
                if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in told:
                    self.words.update(re.findall(r"\w+", node.value))
                if path.parts[0] in PACKAGES or getattr(node, "id", "").isupper():
                    self.words.update(
                        str(getattr(node, field, "")) for field in ("id", "attr", "arg", "name")
                    )

    def resolves(self, name: str) -> bool:
        """Return whether a name leads to something of this project, or to something foreign."""
        parts = Path(name).parts
        if "/" in name and any(path.parts[-len(parts) :] == parts for path in self.files):
            return True
        if name.endswith(".py") or (len(parts) > 1 and parts[0] in PACKAGES):
            return len(parts) == 1 and name in self.words
        first, *rest = name.split(".")
        if first in PACKAGES and rest and rest[-1] not in ("osim", "npz"):
            return self._dotted(name)
        if first in self.classes and rest:
            return rest[0] in self.classes[first]
        return all(word in self.words or _OF_DATA.fullmatch(word) for word in re.split("[./]", name) if word)

    def _dotted(self, name: str) -> bool:
        """Return whether a full name leads to a module, a name of one, or an attribute of a class there."""
        module, rest = name, []
        while module not in self.modules:
            module, _, last = module.rpartition(".")
            rest.insert(0, last)
        if not rest:
            return True
        first, *attribute = rest
        nodes = list(ast.walk(self.modules[module]))
        there = {getattr(node, "name", None) for node in self.modules[module].body}
        there |= {item.name for node in nodes if isinstance(node, ast.ImportFrom) for item in node.names}
        there |= {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
        # Public names of a package stand in a table of texts.
        there |= {node.value for node in nodes if isinstance(node, ast.Constant)}
        return first in there and set(attribute) <= self.classes.get(first, set())


@pytest.fixture(scope="module")
def names(repository, trees):
    return Names(repository, trees)


def test_every_name_in_docstrings_and_documents_leads_somewhere(trees, documents, names):
    found = list(spoken(trees, documents))
    stale = [f"{place} {name}" for place, name in found if not names.resolves(name)]
    assert len(found) > 1000 and not stale, "\n".join(stale)


@pytest.mark.parametrize(
    ("name", "there"),
    [
        ("sspinn_opensim.training.loss_terms.TERMS", True),
        ("sspinn_opensim.training.loss_terms.Term.weight", True),
        ("sspinn_opensim.training.loss_terms.TERM", False),
        ("sspinn_opensim.workflows", False),
        ("sspinn_opensim/training/losses.py", True),
        ("training/losses.py", True),
        ("training/loss.py", False),
        ("Estimate.q", True),
        ("Estimate.no_such_field", False),
        ("kinematics.mot", True),
        ("pelvis_acc_x", True),
    ],
)
def test_a_stale_name_is_caught(names, name, there):
    assert names.resolves(name) == there


def test_a_name_that_nothing_spells_is_caught(names):
    assert not names.resolves("No" + "SuchClass") and not names.resolves("no" + "_such_word")


def test_every_foreign_name_is_used(trees, documents):
    used = {word for _, name in spoken(trees, documents) for word in re.split(r"[./]", name)}
    assert used >= FOREIGN, FOREIGN - used


def test_every_room_has_its_row(repository, documents):
    """The table of docs/architecture.md: each folder of the packages that holds code, and no other path."""
    table = documents[Path("docs/architecture.md")].partition("| room |")[2].partition("\n\n")[0]
    rows = {
        name for line in table.splitlines() for name in re.findall(r"`([^`]+)`", line.partition(" | ")[0])
    }
    found = {path.parent for package in PACKAGES for path in (repository / package).rglob("*/__init__.py")}
    folders = {path.relative_to(repository).as_posix() for path in found}
    assert folders - set(PACKAGES) <= rows, folders - rows
    assert not [name for name in rows if not (repository / name).exists()]
