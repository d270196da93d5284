"""The public names of the package: there, documented, and loaded late."""

import subprocess
import sys

import pytest

import sspinn_opensim


@pytest.mark.parametrize("name", [name for name in sspinn_opensim.__all__ if name != "__version__"])
def test_every_name_is_there_and_documented(name):
    found = getattr(sspinn_opensim, name)
    assert callable(found) and found.__doc__
    assert f"`{name}`" in sspinn_opensim.__doc__


def test_another_name_is_no_attribute():
    with pytest.raises(AttributeError, match="no attribute 'rum'"):
        _ = sspinn_opensim.rum


def test_the_import_is_light(repository):
    """Nothing but the standard library, until a name is used."""
    code = (
        "import sys; before = set(sys.modules); import sspinn_opensim; "
        "new = {name.split('.')[0] for name in set(sys.modules) - before}; "
        "print(*(new - set(sys.stdlib_module_names) - {'sspinn_opensim'}))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=repository, capture_output=True, text=True, timeout=60, check=True
    )
    assert answer.stdout.strip() == ""
