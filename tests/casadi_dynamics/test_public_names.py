"""The public names of the package, and the script in its documentation."""

import re
import subprocess
import sys

import pytest

import casadi_dynamics


@pytest.mark.parametrize("name", casadi_dynamics.__all__)
def test_every_public_name_is_there(name):
    assert getattr(casadi_dynamics, name).__name__ == name


def test_another_name_is_no_attribute():
    with pytest.raises(AttributeError, match="buildd"):
        _ = casadi_dynamics.buildd


def test_the_package_alone_loads_nothing_heavy():
    script = "import sys, casadi_dynamics; print(*{'torch', 'casadi', 'numpy', 'lxml'} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == ""


def test_the_script_of_the_documentation_runs(repository):
    text = (repository / "docs" / "compiled.md").read_text(encoding="utf-8")
    (script,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    names = {}
    exec(script, names)
    assert names["q"].grad is not None and names["q"].grad.abs().sum() > 0
