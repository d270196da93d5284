"""Every way a worker process can fail must become one clear error: no process left, nothing half-written."""

import importlib
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from casadi_dynamics.errors import InputError, OpenSimError
from casadi_dynamics.opensim_process import groups as processes
from casadi_dynamics.opensim_process import jobs
from casadi_dynamics.opensim_process.jobs import Job, run_job, run_jobs
from casadi_dynamics.opensim_process.worker.models import describe_model, upgrade, version

PREAMBLE = """
import json, os, signal, subprocess, sys, time
request, answer = sys.argv[1:]
arguments = json.load(open(request))["arguments"]
def reply(values):
    open(answer, "w").write(json.dumps({"values": values}))
"""
#: A table with all that its header states.
TABLE = "whole\nversion=1\nnRows=2\nnColumns=2\ninDegrees=no\nendheader\ntime\tx\n0\t1\n1\t2\n"


def pretended(opensim):
    """Stand for the job of a fake worker, which does not call it."""


linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc, limits memory")


@pytest.fixture
def fake(tmp_path, monkeypatch):
    """Return a function that makes a worker of a few lines, in place of OpenSim's, and gives its name."""
    folder = tmp_path / "fakes"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)

    def make(body, name="fake_worker"):
        (folder / f"{name}.py").write_text(PREAMBLE + textwrap.dedent(body))
        return name

    return make


@pytest.fixture
def run_fake(fake):
    """Return run_job with a worker of a few lines in place of OpenSim's."""

    def run(body, arguments=None, **options):
        return run_job(pretended, arguments or {}, worker=fake(body), **{"timeout_s": 20.0, **options})

    return run


@pytest.fixture
def model_file(repository):
    """Return the built-in model."""
    return repository / "osim_models" / "planar_gait.osim"


@pytest.fixture
def results(tmp_path):
    """Return a folder for outputs that holds an earlier result and must stay so when a job fails."""
    folder = tmp_path / "results"
    folder.mkdir()
    (folder / "out.sto").write_text("earlier")
    yield folder
    left = {path.name: path.read_text() for path in folder.iterdir()}
    assert left in ({"out.sto": "earlier"}, {"out.sto": TABLE})


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


def opensim_of(folder: Path, source: str) -> dict[str, str]:
    """Put a module in OpenSim's place, for the real worker; return the environment that finds it."""
    folder.mkdir()
    (folder / "opensim.py").write_text(textwrap.dedent(source))
    return os.environ | {"PYTHONPATH": os.pathsep.join([str(folder), *filter(None, sys.path)])}


def test_whole_lines_are_told_while_the_job_runs(run_fake):
    """Each once, and none of them before it has ended."""
    told = []
    body = """
        for text in ("[info] first\\n[info] sec", "ond\\n", "[info] third\\n"):
            print(text, end="", flush=True)
            time.sleep(0.6)
        reply({})
    """
    run_fake(body, watch=told.append)
    assert "".join(told) == "[info] first\n[info] second\n[info] third\n" and told.count("") > 2
    assert told.index("[info] first\n") < told.index("[info] second\n") < told.index("[info] third\n")


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
    result = run_fake('reply({"path": arguments["path"], "cwd": os.listdir()})', {"path": Path("x")})
    assert result.values == {"path": str(tmp_path / "x"), "cwd": []}


WRITES_FIRST = "open(arguments['out'], 'w').write('half')\n"
FAILURES = {
    "segfault": (
        "print('last words', flush=True); os.kill(os.getpid(), signal.SIGSEGV)",
        "crashed .signal SIGSEGV. without an answer.*found: last words.*fix",
    ),
    "killed": (
        "print('last words', flush=True); os.kill(os.getpid(), signal.SIGKILL)",
        "was killed .signal SIGKILL. without an answer.*last words.*free memory",
    ),
    "aborted": ("os.abort()", "crashed .signal SIGABRT. without an answer"),
    "status": ("sys.exit(3)", "ended with exit code 3 without an answer"),
    "exception": ("raise RuntimeError('burst')", "ended with exit code 1 without an answer.*burst"),
    "says nothing": ("sys.exit(0)", "ended with exit code 0 without an answer"),
    "half an answer": ("open(answer, 'w').write('{\"val')", "ended with exit code 0 without an answer"),
    "an answer that is none": ("open(answer, 'w').write('[1]')", "ended with exit code 0 without an answer"),
    "crash after the answer": (
        "reply({}); os.kill(os.getpid(), signal.SIGSEGV)",
        "crashed .signal SIGSEGV. after its answer",
    ),
    "error of OpenSim": (
        "open(answer, 'w').write(json.dumps({'error': 'RuntimeError: no such body'}))",
        "failed.*no such body",
    ),
    "memory, in Python": (
        "try:\n    b = bytearray(1 << 40)\nexcept MemoryError as e:\n"
        "    open(answer, 'w').write(json.dumps({'error': f'MemoryError: {e}'}))",
        "could not get the memory it asked for: its limit is 2 GiB.*shorter part",
    ),
    "memory, uncaught": ("bytearray(1 << 40)", "could not get the memory it asked for: its limit is 2 GiB"),
    "memory, little by little": (
        "kept = []\nwhile True: kept.append(bytearray(1 << 26))",
        "could not get the memory it asked for: its limit is 2 GiB",
    ),
    "memory, in C++": (
        "print(\"terminate called after throwing an instance of 'std::bad_alloc'\", flush=True); os.abort()",
        "could not get the memory it asked for: its limit is 2 GiB.*bad_alloc",
    ),
    "hangs asleep": ("time.sleep(60)", "did not end within 1.5 s and was stopped"),
    "hangs at work": ("print('step 7', flush=True)\nwhile True: pass", "did not end within 1.5 s.*step 7"),
    "hangs, deaf to signals": (
        "[signal.signal(s, signal.SIG_IGN) for s in (signal.SIGTERM, signal.SIGINT)]; time.sleep(60)",
        "did not end within 1.5 s",
    ),
    "garbage": (
        "sys.stdout.buffer.write(os.urandom(1 << 22)); sys.stdout.flush(); sys.exit(4)",
        "ended with exit code 4 without an answer",
    ),
    "endless garbage": (
        "while True: os.write(1, b'[error] the same again\\n' * 10000)",
        "printed more than 64 MiB and was stopped.*the same again",
    ),
    "one endless line": ("while True: os.write(1, b'x' * 1000000)", "printed more than 64 MiB"),
}


@linux
@pytest.mark.parametrize("case", FAILURES)
def test_a_failing_worker_is_one_error_and_leaves_nothing(run_fake, tmp_path, monkeypatch, results, case):
    """Each writes a part of its output and has a child that outlives it, unless it is ended."""
    body, message = FAILURES[case]
    (temporary := tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    pids = tmp_path / "pids"
    child = (
        'child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])\n'
        'open(arguments["pids"], "w").write(f"{os.getpid()} {child.pid}")\n'
    )
    start = time.monotonic()
    # Time to start Python twice on a loaded machine, where the end of the time is not the point.
    patience = 1.5 if "hangs" in case else 20.0
    with pytest.raises(OpenSimError, match=f"(?s)OpenSim job 'pretended' {message}") as caught:
        run_fake(
            WRITES_FIRST + child + body,
            {"out": results / "out.sto", "pids": pids},
            outputs=[results / "out.sto"],
            timeout_s=patience,
            memory_bytes=2 << 30,
        )
    assert isinstance(caught.value, InputError) and caught.value.fix
    assert time.monotonic() - start < 20
    assert len(str(caught.value)) < 4000
    assert all(line.isprintable() for line in str(caught.value).splitlines())  # no control characters
    started = [int(pid) for pid in pids.read_text().split()]
    assert len(started) == 2 and wait_until(lambda: not any(map(alive, started)))
    assert not list(temporary.iterdir())


def test_opensim_that_hangs_in_its_own_code_is_ended(tmp_path):
    """It does not come back from a file of elements within elements, and lets no Python thread run.

    Twenty times as deep it crashes after a few seconds, its stack used up.
    """
    model, depth = tmp_path / "nested.osim", 10_000
    nested = ("<a>" * depth + "</a>" * depth) * 100
    model.write_text(f"<OpenSimDocument Version='40000'><Model name='m'>{nested}</Model></OpenSimDocument>")
    with pytest.raises(OpenSimError, match="(?s)did not end within 4 s and was stopped.*nested.osim"):
        run_job(describe_model, {"model": model}, timeout_s=4.0)


@linux
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_outlives_an_interrupted_or_killed_parent(tmp_path, results, sent):
    """The real worker, its child, and the files it was writing."""
    pids = tmp_path / "pids"
    environment = opensim_of(
        tmp_path / "fakes",
        f"""
        import os, subprocess, sys, time
        class Logger:
            removeFileSink = staticmethod(lambda: None)
        def Model(path):
            child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
            open({str(pids)!r}, 'w').write(f"{{os.getpid()}} {{child.pid}} ")
            while True: sum(range(1000))
        """,
    )
    script = f"""
from pathlib import Path
from casadi_dynamics.opensim_process.jobs import run_job
from casadi_dynamics.opensim_process.worker.models import upgrade
out = Path({str(results)!r}, "out.sto")
run_job(upgrade, {{"model": "m", "output": out}}, timeout_s=60, outputs=[out])
"""
    parent = subprocess.Popen([sys.executable, "-c", script], env=environment, stderr=subprocess.PIPE)
    assert wait_until(lambda: pids.exists() and pids.read_text().endswith(" "))
    assert len(list(results.iterdir())) == 2  # the temporary folder stands beside the earlier result
    parent.send_signal(sent)
    _, errors = parent.communicate(timeout=20)
    assert parent.returncode != 0
    assert sent is not signal.SIGINT or b"KeyboardInterrupt" in errors
    started = [int(pid) for pid in pids.read_text().split()]
    assert len(started) == 2 and wait_until(lambda: not any(map(alive, started)))
    assert wait_until(lambda: len(list(results.iterdir())) == 1)


@linux
def test_a_job_ends_with_the_command_that_asked(tmp_path, model_file):
    pid = tmp_path / "pid"
    environment = opensim_of(
        tmp_path / "fakes",
        f"import os, time\nopen({str(pid)!r}, 'w').write(f'{{os.getpid()}} ')\ntime.sleep(60)",
    )
    command = [sys.executable, "-m", "casadi_dynamics", "verify", str(model_file)]
    parent = subprocess.Popen(command, env=environment)
    assert wait_until(lambda: pid.exists() and pid.read_text().endswith(" "))
    parent.kill()
    parent.wait()
    assert wait_until(lambda: not alive(int(pid.read_text())))


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "out.sto: not written"),
        ("", "out.sto: empty"),
        (TABLE[:-1], "its last line does not end"),
        (TABLE[:-4], "1 rows where its header states 2"),
        (TABLE.replace("1\t2", "1"), "row 2 has 1 cells for 2 labels"),
        (TABLE[:40], "it has no rows"),
    ],
)
def test_an_output_that_is_missing_or_cut_is_an_error(run_fake, results, content, why):
    body = "print('[error] the disk is slow')\n"
    body += "" if content is None else f"open(arguments['out'], 'w').write({content!r})\n"
    with pytest.raises(OpenSimError, match=f"(?s)did not write out.sto.*{why}.*the disk is slow"):
        run_fake(body + "reply({})", {"out": results / "out.sto"}, outputs=[results / "out.sto"])


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.osim", "<?xml version='1.0'?>\n<A><B::C>1</B::C>"), ("a.xml", "<A/"), ("a.npz", "PK broken")],
)
def test_a_model_or_an_archive_that_is_cut_is_an_error(run_fake, tmp_path, name, content):
    body = f"open(arguments['out'], 'w').write({content!r}); reply({{}})"
    with pytest.raises(OpenSimError, match=f"(?s)did not write {name}.*cut short"):
        run_fake(body, {"out": tmp_path / name}, outputs=[tmp_path / name])
    assert not (tmp_path / name).exists()


def test_a_whole_output_takes_its_place(run_fake, results):
    body = f"open(arguments['out'], 'w').write({TABLE!r}); reply({{'out': arguments['out']}})"
    output = results / "out.sto"
    answer = run_fake(body, {"out": output}, outputs=[output])
    assert output.read_text() == TABLE
    staged = Path(answer.values["out"])
    assert staged.name == "out.sto" and staged.parent.parent == results


def test_a_folder_of_outputs_is_moved_when_all_are_whole(run_fake, tmp_path):
    """One file of two is cut: neither moves; then both do, and what else was written."""
    folder = tmp_path / "static_optimization"
    body = (
        f"[open(os.path.join(arguments['folder'], n), 'w').write({TABLE!r}[:arguments['upto']])"
        " for n in ('a.sto', 'b.sto')]\n"
        f"open(os.path.join(arguments['folder'], 'a.sto'), 'w').write({TABLE!r})\n"
        "open(os.path.join(arguments['folder'], 'more.xml'), 'w').write('<A></A>'); reply({})"
    )
    outputs = [folder / "a.sto", folder / "b.sto"]
    with pytest.raises(OpenSimError, match="did not write b.sto"):
        run_fake(body, {"folder": folder, "upto": -2}, outputs=outputs)
    assert not folder.exists()
    run_fake(body, {"folder": folder, "upto": 1000}, outputs=outputs)
    assert {path.name for path in folder.iterdir()} == {"a.sto", "b.sto", "more.xml"}
    assert {path.name for path in tmp_path.iterdir()} == {"static_optimization", "fakes"}


def test_an_output_in_place_that_was_left_from_before_is_an_error(run_fake, tmp_path):
    """A set-up file may name the output: no argument leads there."""
    output = tmp_path / "out.sto"
    output.write_text("old")
    with pytest.raises(OpenSimError, match="did not write out.sto"):
        run_fake("reply({})", outputs=[output])
    body = f"open(arguments['said']['out'], 'w').write({TABLE!r}); reply({{}})"
    run_fake(body, {"said": {"out": output}}, outputs=[output])


@linux
@pytest.mark.parametrize("place", ["missing/out.sto", "file/out.sto", "/proc/out.sto"])
def test_an_output_folder_that_cannot_be_written_is_one_error(run_fake, tmp_path, place):
    (tmp_path / "file").write_text("in the way")
    output = tmp_path / place  # an absolute place stays as it is
    with pytest.raises(OpenSimError, match="(?s)cannot write to the folder of its output.*where.*free space"):
        run_fake("reply({})", {"out": output}, outputs=[output])


#: OpenSim cuts this table and says nothing, as its tools do.
PRINTS_A_TABLE = """
def table(opensim, model, output):
    storage, labels = opensim.Storage(), opensim.ArrayStr()
    for label in ("time", "x"):
        labels.append(label)
    storage.setColumnLabels(labels)
    for k in range(5000):
        storage.append(0.01 * k, opensim.Vector(1, 0.5))
    storage.printToFile(output, "w")
    return {}
"""


@linux
@pytest.mark.parametrize(
    ("module", "job", "suffix"),
    [("casadi_dynamics.opensim_process.worker.models", "upgrade", "osim"), ("tables", "table", "sto")],
)
def test_a_disk_that_fills_up_is_one_error(tmp_path, model_file, module, job, suffix):
    """OpenSim itself writes to a disk too small for its output."""
    (tmp_path / "tables.py").write_text(PRINTS_A_TABLE)
    disk = tmp_path / "disk"
    disk.mkdir()
    script = f"""
import subprocess
from pathlib import Path
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12k", "tmpfs", {str(disk)!r}], check=True)
from casadi_dynamics.errors import OpenSimError
from casadi_dynamics.opensim_process.jobs import run_job
from {module} import {job}
out = Path({str(disk)!r}, "out.{suffix}")
try:
    run_job({job}, {{"model": {str(model_file)!r}, "output": out}}, timeout_s=60, outputs=[out])
except OpenSimError as error:
    print(error)
print("left:", [path.name for path in out.parent.iterdir()])
"""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), *filter(None, sys.path)])}
    isolated = ["unshare", "-Urm"]
    if (
        shutil.which("unshare") is None
        or subprocess.run(
            [*isolated, "mount", "-t", "tmpfs", "tmpfs", str(disk)], capture_output=True, check=False
        ).returncode
    ):
        pytest.skip("this system does not let a test mount a small disk")
    done = subprocess.run(
        [*isolated, sys.executable, "-c", script],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.startswith(f"OpenSim job '{job}' "), done.stdout + done.stderr
    assert f"fix: the disk is full: free some space for {disk}" in done.stdout and "left: []" in done.stdout


@linux
def test_a_model_that_needs_too_much_memory_is_one_error(tmp_path, model_file):
    """OpenSim itself, in less address space than it needs to start."""
    with pytest.raises(
        OpenSimError,
        match="OpenSim job 'upgrade' could not get the memory it asked for: its limit is 0.2 GiB",
    ):
        run_job(
            upgrade,
            {"model": model_file, "output": tmp_path / "out.osim"},
            timeout_s=60,
            outputs=[tmp_path / "out.osim"],
            memory_bytes=200 << 20,
        )
    assert not list(tmp_path.iterdir())


@linux
def test_jobs_in_threads_do_not_disturb_each_other(fake, tmp_path):
    """Of eight, some crash, hang or answer wrongly; the others deliver."""
    fake(
        f"""
        k = arguments["k"]
        if k == 1: os.kill(os.getpid(), signal.SIGSEGV)
        if k == 3: time.sleep(60)
        open(arguments["out"], "w").write({TABLE!r}[: 20 if k == 5 else None])
        reply({{"k": k}})
        """
    )

    def one(k):
        output = tmp_path / f"{k}.sto"
        try:
            answer = run_job(
                pretended, {"k": k, "out": output}, timeout_s=5, outputs=[output], worker="fake_worker"
            )
            return answer.values["k"]
        except OpenSimError as error:
            return error.what

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(one, range(8)))
    assert [answers[k] for k in (0, 2, 4, 6, 7)] == [0, 2, 4, 6, 7]
    assert "SIGSEGV" in answers[1] and "within 5 s" in answers[3] and "did not write 5.sto" in answers[5]
    assert {path.name for path in tmp_path.glob("*.sto")} == {f"{k}.sto" for k in (0, 2, 4, 6, 7)}
    assert not list(tmp_path.glob(".draft_*"))


def fake_jobs(fake, monkeypatch, tmp_path, bodies):
    """Return jobs whose worker runs the body that their argument names."""
    cases = "\n".join(f"if arguments['k'] == {k}: {body}" for k, body in enumerate(bodies))
    fake(f"open(arguments['pids'] + str(os.getpid()), 'w').close()\n{cases}")
    monkeypatch.setattr(
        jobs.run_job, "__kwdefaults__", jobs.run_job.__kwdefaults__ | {"worker": "fake_worker"}
    )
    (tmp_path / "pids").mkdir()
    return [Job(pretended, {"k": k, "pids": f"{tmp_path}/pids/"}, 30.0) for k in range(len(bodies))]


def test_several_jobs_answer_in_order(fake, monkeypatch, tmp_path):
    bodies = ["(time.sleep(0.5), reply({'k': 0}))", "reply({'k': 1})", "reply({'k': 2})"]
    wanted = fake_jobs(fake, monkeypatch, tmp_path, bodies)
    assert [result.values["k"] for result in run_jobs(wanted, at_once=2)] == [0, 1, 2]


@linux
def test_one_failing_job_ends_those_beside_it(fake, monkeypatch, tmp_path):
    wanted = fake_jobs(fake, monkeypatch, tmp_path, ["time.sleep(60)", "sys.exit(3)", "time.sleep(60)"])
    start = time.monotonic()
    with pytest.raises(OpenSimError, match="exit code 3"):
        run_jobs(wanted, at_once=2)
    assert time.monotonic() - start < 40  # the others would sleep for 60 s
    pids = [int(path.name) for path in (tmp_path / "pids").iterdir()]
    assert 1 <= len(pids) <= 2 and wait_until(lambda: not any(map(alive, pids)))


@linux
def test_an_interruption_ends_all_jobs(tmp_path):
    """Ctrl-C while two worker threads wait for OpenSim."""
    pids = tmp_path / "pids"
    pids.mkdir()
    environment = opensim_of(
        tmp_path / "fakes", f"import os, time\nopen({str(pids)!r} + f'/{{os.getpid()}}', 'w')\ntime.sleep(60)"
    )
    script = (
        "from casadi_dynamics.opensim_process.jobs import Job, run_jobs\n"
        "from casadi_dynamics.opensim_process.worker.models import version\n"
        "run_jobs([Job(version, {}, 60.0) for _ in range(3)], at_once=2)"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], env=environment, stderr=subprocess.PIPE)
    assert wait_until(lambda: len(list(pids.iterdir())) == 2)
    parent.send_signal(signal.SIGINT)
    _, errors = parent.communicate(timeout=20)
    assert b"KeyboardInterrupt" in errors
    assert wait_until(lambda: not any(alive(int(path.name)) for path in pids.iterdir()))


def test_a_job_can_be_stopped_from_another_thread(run_fake):
    stop = threading.Event()
    threading.Timer(0.5, stop.set).start()
    with pytest.raises(OpenSimError, match="was stopped, because a job beside it failed"):
        run_fake("time.sleep(60)", stop=stop)


def test_the_memory_limit_follows_the_machine_and_its_container(tmp_path, monkeypatch):
    half = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    monkeypatch.setattr(processes, "_CGROUP_LIMITS", (str(tmp_path / "absent"),))
    assert processes.memory_limit() == max(half, 2 << 30)
    for text, expected in (("max\n", max(half, 2 << 30)), (str(1 << 30), 2 << 30)):
        (tmp_path / "limit").write_text(text)
        monkeypatch.setattr(processes, "_CGROUP_LIMITS", (str(tmp_path / "limit"),))
        assert processes.memory_limit() == expected


@linux
def test_jobs_at_once_share_the_memory_that_one_may_use(fake, monkeypatch, tmp_path):
    """Together they get half of the machine; before, each of as many as there are cores got that."""
    pages = (40 << 30) // os.sysconf("SC_PAGE_SIZE")
    real = os.sysconf
    monkeypatch.setattr("os.sysconf", lambda name: pages if name == "SC_PHYS_PAGES" else real(name))
    monkeypatch.setattr(processes, "_CGROUP_LIMITS", ())
    assert [processes.memory_limit(n) >> 30 for n in (1, 4, 100)] == [20, 5, 2]
    limit = "__import__('resource').getrlimit(__import__('resource').RLIMIT_AS)[0] >> 30"
    wait_for_the_limit = "time.sleep(0.5)"  # it is set on the process that has started
    wanted = fake_jobs(
        fake, monkeypatch, tmp_path, [f"({wait_for_the_limit}, reply({{'GiB': {limit}}}))"] * 4
    )
    assert [result.values["GiB"] for result in run_jobs(wanted, at_once=4)] == [5, 5, 5, 5]


def test_without_opensim_the_error_names_the_command(tmp_path, monkeypatch):
    (tmp_path / "opensim.py").write_text("raise ImportError(\"No module named 'opensim'\")")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(OpenSimError, match='pip install "opensim'):
        run_job(version, {}, timeout_s=60)


def test_a_temporary_folder_that_cannot_be_used_is_one_error(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "missing"))
    with pytest.raises(OpenSimError, match="(?s)cannot write to the temporary folder.*missing.*free space"):
        run_job(version, {}, timeout_s=60)


def test_an_unreadable_model(tmp_path):
    with pytest.raises(OpenSimError, match="(?s)describe_model.*none.osim.*Cannot open file"):
        run_job(describe_model, {"model": tmp_path / "none.osim"}, timeout_s=60)


def test_a_job_that_the_worker_could_not_import_is_refused():
    def inside(opensim):
        return {}

    for function in (inside, lambda opensim: {}):
        with pytest.raises(ValueError, match="a function of a module that can be imported"):
            run_job(function, {}, timeout_s=60)


def test_a_job_beside_casadi_is_refused(tmp_path, monkeypatch):
    """OpenSim would find symbols of the other CasADi; the module is imported before OpenSim is."""
    (tmp_path / "mixed.py").write_text("import casadi\ndef job(opensim):\n    return {}\n")
    monkeypatch.syspath_prepend(tmp_path)
    mixed = importlib.import_module("mixed")
    with pytest.raises(OpenSimError, match="(?s)'job' ended with exit code 1.*mixed loads CasADi"):
        run_job(mixed.job, {}, timeout_s=60)


def test_jobs_of_another_package_are_imported_on_request(tmp_path, monkeypatch):
    (tmp_path / "added.py").write_text(
        "def job(opensim, a):\n    return {'sum': a + len(opensim.__name__)}\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert run_job(importlib.import_module("added").job, {"a": 1}, timeout_s=60).values == {"sum": 8}


def test_the_worker_leaves_no_log_file(tmp_path, model_file):
    described = run_job(describe_model, {"model": model_file}, timeout_s=60, cwd=tmp_path)
    assert described.values["total_mass_kg"] == pytest.approx(75.0)
    assert not list(tmp_path.iterdir())
