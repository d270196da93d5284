"""Every way a worker process can fail must become one clear error, and no process may outlive its job."""

import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest

from casadi_dynamics.errors import InputError
from sspinn_opensim.opensim_io.jobs import OpenSimError, run_job

PREAMBLE = """
import json, os, signal, subprocess, sys, time
request, answer = sys.argv[1:]
arguments = json.load(open(request))["arguments"]
def reply(values):
    open(answer, "w").write(json.dumps({"values": values}))
"""


@pytest.fixture
def run_fake(tmp_path, monkeypatch):
    """Return run_job with a worker of a few lines in place of OpenSim's."""

    def run(body, arguments=None, **options):
        (tmp_path / "fake_worker.py").write_text(PREAMBLE + textwrap.dedent(body))
        monkeypatch.syspath_prepend(tmp_path)
        return run_job("fake", arguments or {}, worker="fake_worker", **{"timeout_s": 20.0, **options})

    return run


def alive(pid):
    """Whether a process still runs; one that is dead but not yet collected does not."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_until(condition, seconds=10.0):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
    return condition()


def test_answer_log_and_warnings_come_back(run_fake, tmp_path):
    result = run_fake(
        'print("[info] hello"); print("[warning] careful"); reply({"sum": arguments["a"] + arguments["b"]})',
        {"a": 1, "b": 2},
    )
    assert result.values == {"sum": 3}
    assert result.log.splitlines() == ["[info] hello", "[warning] careful"]
    assert result.log_warnings == ["[warning] careful"]
    assert 0 < result.wall_s < 20


def test_paths_arrive_absolute_and_the_working_folder_is_empty(run_fake, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = run_fake(
        'reply({"path": arguments["path"], "cwd": os.listdir()})', {"path": __import__("pathlib").Path("x")}
    )
    assert result.values == {"path": str(tmp_path / "x"), "cwd": []}


@pytest.mark.parametrize(
    "body, message",
    [
        (
            "print('last words', flush=True); os.kill(os.getpid(), signal.SIGSEGV)",
            "crashed .signal SIGSEGV.*last words",
        ),
        ("sys.exit(3)", "ended with exit code 3"),
        ("raise RuntimeError('burst')", "(?s)exit code 1.*burst"),
        ("open(answer, 'w').write('{\"val')", "ended with exit code 0 without an answer"),
        ("open(answer, 'w').write(json.dumps({'error': 'RuntimeError: no such body'}))", "no such body"),
    ],
)
def test_a_failing_worker_is_one_error(run_fake, body, message):
    with pytest.raises(OpenSimError, match=f"(?s){message}") as caught:
        run_fake(body)
    assert isinstance(caught.value, InputError) and caught.value.fix


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_hanging_worker_is_killed_with_its_children(run_fake, tmp_path):
    body = """
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
        open(arguments["pids"], "w").write(f"{os.getpid()} {child.pid}")
        time.sleep(60)
    """
    start = time.monotonic()
    with pytest.raises(OpenSimError, match="did not end within 1 s"):
        run_fake(body, {"pids": tmp_path / "pids"}, timeout_s=1.0)
    assert time.monotonic() - start < 10
    pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
    assert wait_until(lambda: not any(map(alive, pids)))


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGKILL])
def test_no_worker_outlives_an_interrupted_or_killed_parent(tmp_path, sent):
    pids = tmp_path / "pids"
    (tmp_path / "opensim.py").write_text(
        f"import os, time\nopen({str(pids)!r}, 'w').write(str(os.getpid()))\ntime.sleep(60)\n"
    )
    script = "from sspinn_opensim.opensim_io.jobs import run_job; run_job('version', {}, timeout_s=60)"
    search = os.pathsep.join([str(tmp_path), *filter(None, sys.path)])
    parent = subprocess.Popen(
        [sys.executable, "-c", script], env=os.environ | {"PYTHONPATH": search}, stderr=subprocess.PIPE
    )
    assert wait_until(lambda: pids.exists() and pids.read_text())
    parent.send_signal(sent)
    _, errors = parent.communicate(timeout=20)
    assert parent.returncode != 0
    assert sent is signal.SIGKILL or b"KeyboardInterrupt" in errors
    assert wait_until(lambda: not alive(int(pids.read_text())))


@pytest.mark.parametrize("content, why", [(None, "missing"), (b"", "empty")])
def test_an_output_that_is_missing_or_empty_is_an_error(run_fake, tmp_path, content, why):
    output = tmp_path / "out.sto"
    body = "reply({})" if content is None else "open(arguments['out'], 'wb').close(); reply({})"
    with pytest.raises(OpenSimError, match="did not write out.sto"):
        run_fake(body, {"out": output}, outputs=[output])


def test_an_output_left_from_before_is_an_error(run_fake, tmp_path):
    output = tmp_path / "out.sto"
    output.write_text("old")
    with pytest.raises(OpenSimError, match="did not write out.sto"):
        run_fake("reply({})", outputs=[output])
    run_fake("open(arguments['out'], 'w').write('new'); reply({})", {"out": output}, outputs=[output])


def test_without_opensim_the_error_names_the_command(tmp_path, monkeypatch):
    (tmp_path / "opensim.py").write_text("raise ImportError(\"No module named 'opensim'\")")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(OpenSimError, match='pip install "opensim'):
        run_job("version", {}, timeout_s=60)


def test_a_temporary_folder_that_cannot_be_used_is_one_error(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "missing"))
    with pytest.raises(OpenSimError, match="could not be started"):
        run_job("version", {}, timeout_s=60)


def test_unknown_job_and_unreadable_model(tmp_path):
    with pytest.raises(OpenSimError, match="no job 'versoin'"):
        run_job("versoin", {}, timeout_s=60)
    with pytest.raises(OpenSimError, match="(?s)describe_model.*Cannot open file"):
        run_job("describe_model", {"model": tmp_path / "none.osim"}, timeout_s=60)


def test_the_worker_loads_no_casadi_and_leaves_no_log_file(tmp_path, model_file):
    script = "import sys, sspinn_opensim.opensim_io.worker; print([m for m in sys.modules if 'casadi' in m])"
    search = os.pathsep.join(filter(None, sys.path))
    found = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | {"PYTHONPATH": search},
        capture_output=True,
        text=True,
    )
    assert found.stdout.strip() == "[]", found.stderr
    described = run_job("describe_model", {"model": model_file}, timeout_s=60, cwd=tmp_path)
    assert described.values["total_mass_kg"] == pytest.approx(75.0)
    assert not list(tmp_path.iterdir())
