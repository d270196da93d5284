import re
from importlib import metadata

import pytest

from casadi_dynamics.errors import InputError
from casadi_dynamics.opensim_process import jobs
from sspinn_opensim import cli
from sspinn_opensim.verbs import doctor


@pytest.fixture
def worker(monkeypatch):
    """Stand in for the OpenSim process, whose own tests start it."""

    def use(answer):
        def run_job(*_, **__):
            if isinstance(answer, Exception):
                raise answer
            return jobs.JobResult(values=answer, log="", log_warnings=[], wall_s=0.0)

        monkeypatch.setattr(jobs, "run_job", run_job)

    use({"opensim": "4.6-2026", "python": "3.11"})
    return use


def test_a_complete_installation_is_well(worker, capsys):
    assert cli.main(["doctor"]) == 0
    report = capsys.readouterr().out
    for name in ("python", "torch", "casadi", "opensim", "lxml", "4.6-2026", "All is well"):
        assert name in report


def test_a_missing_library_is_named_with_its_fix(worker, monkeypatch, capsys):
    installed = metadata.version

    def version(name):
        if name == "llvmlite":
            raise metadata.PackageNotFoundError(name)
        return installed(name)

    monkeypatch.setattr(metadata, "version", version)
    assert cli.main(["doctor"]) == 1
    report = capsys.readouterr().out
    assert "MISSING llvmlite" in report and "pip install -c constraints.txt llvmlite" in report
    assert "Not ready: llvmlite." in report


def test_a_worker_that_does_not_answer_is_named(worker, capsys):
    worker(InputError("The OpenSim process crashed.", fix="reinstall OpenSim"))
    assert cli.main(["doctor"]) == 1
    report = capsys.readouterr().out
    assert "The OpenSim process crashed." in report and "fix: reinstall OpenSim" in report


def test_no_place_for_temporary_files(worker, monkeypatch):
    def refuse():
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(doctor.tempfile, "NamedTemporaryFile", refuse)
    finding = doctor.check_temporary_folder()
    assert not finding.good and "TMPDIR" in finding.fix


def test_an_old_python_is_refused(monkeypatch):
    monkeypatch.setattr(doctor.sys, "version_info", (3, 10, 0))
    assert not doctor.check_python().good


def test_the_list_kept_here_is_that_of_the_project(repository):
    import tomllib

    project = tomllib.loads((repository / "pyproject.toml").read_text())["project"]
    names = [re.match(r"[\w-]+", requirement)[0] for requirement in project["dependencies"]]
    assert list(doctor._LIBRARIES) == names
