"""The lists of libraries agree: pyproject names, constraints.txt pins, environment.yml yields the same."""

import re
import tomllib
from importlib import metadata

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

PROJECT = "sspinn_opensim"


@pytest.fixture(scope="module")
def project(repository):
    return tomllib.loads((repository / "pyproject.toml").read_text())


@pytest.fixture(scope="module")
def pins(repository):
    lines = (repository / "constraints.txt").read_text().splitlines()
    entries = [line for line in lines if line and not line.startswith("#")]
    assert all(re.fullmatch(r"[a-z0-9.-]+==[a-z0-9.]+", entry) for entry in entries)
    return dict(entry.split("==") for entry in entries)


@pytest.fixture(scope="module")
def named(project):
    extras = project["project"]["optional-dependencies"]
    lines = project["project"]["dependencies"] + [line for extra in extras.values() for line in extra]
    return [canonicalize_name(Requirement(line).name) for line in lines]


def test_every_library_is_pinned(named, pins):
    assert set(named) <= set(pins)


def test_libraries_of_libraries_are_pinned(named, pins):
    waiting, seen = list(named), set()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        try:
            requirements = metadata.requires(name) or ()
        except metadata.PackageNotFoundError:  # an optional tool that is not installed here
            continue
        for requirement in map(Requirement, requirements):
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                waiting.append(canonicalize_name(requirement.name))
    assert seen <= set(pins)


def test_installed_versions_are_the_pinned_ones(project, pins):
    for line in project["project"]["dependencies"]:
        name = canonicalize_name(Requirement(line).name)
        # A local version such as 2.13.0+cpu is a build of the pinned one.
        assert Version(metadata.version(name)).public == pins[name], name


def test_pins_satisfy_the_ranges(project, pins):
    for line in project["project"]["dependencies"]:
        requirement = Requirement(line)
        assert requirement.specifier.contains(pins[canonicalize_name(requirement.name)])


def test_the_build_is_pinned(project):
    for line in project["build-system"]["requires"]:
        assert [specifier.operator for specifier in Requirement(line).specifier] == ["=="]


def test_the_conda_environment_yields_the_same(repository, project):
    text = (repository / "environment.yml").read_text()
    entries = re.findall(r"^\s*- (?!pip:)(.+?)\s*$", text, re.MULTILINE)
    channels, conda, pip = entries[:1], entries[1:-2], entries[-2:]
    assert channels == ["conda-forge"]
    assert conda == ["python=3.11", "pip"]
    assert pip == ["-c constraints.txt", "-e .[test]"]
    assert Requirement(f"python{project['project']['requires-python']}").specifier.contains("3.11.9")


def test_the_formatter_is_the_same_everywhere(repository, pins):
    hooks = (repository / ".pre-commit-config.yaml").read_text()
    assert re.findall(r"rev: v(\S+)", hooks) == [pins["ruff"]]


def test_the_license_is_apache(repository, project):
    assert project["project"]["license"] == "Apache-2.0"
    assert "Apache License" in (repository / "LICENSE").read_text().splitlines()[1]
