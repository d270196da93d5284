"""Entries of the cache on disk: found again, told apart, and never trusted blindly."""

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import casadi as ca
import pytest
import torch

from casadi_dynamics import disk_cache
from casadi_dynamics.compiled import compile_torch
from casadi_dynamics.compiled.llvm import machine as llvm
from casadi_dynamics.disk_cache import cache_folder, load_or_make


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Return an empty cache's folder."""
    monkeypatch.setenv("CASADI_DYNAMICS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


class Maker:
    """Makes code and counts how often."""

    def __init__(self, code=b"machine code"):
        self.code, self.count = code, 0

    def __call__(self):
        self.count += 1
        return self.code


def test_an_entry_is_made_once(folder):
    make = Maker()
    assert [load_or_make("key", make) for _ in range(3)] == [make.code] * 3
    assert make.count == 1
    (entry,) = folder.iterdir()
    assert entry.suffix == ".o"
    assert entry.stat().st_mode & 0o077 == 0
    assert folder.stat().st_mode & 0o077 == 0


def test_keys_are_told_apart(folder):
    codes = {key: b"code of " + key.encode() for key in ("a", "b", "a\nb", "")}
    for key, code in codes.items():
        assert load_or_make(key, Maker(code)) == code
    for key, code in codes.items():
        assert load_or_make(key, Maker(b"other")) == code
    assert len(list(folder.iterdir())) == len(codes)


def flipped(content, place):
    changed = bytearray(content)
    changed[place] ^= 1
    return bytes(changed)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda content: b"",
        lambda content: content[:-1],
        lambda content: content[:40],
        lambda content: content[:-12],  # all but the code
        lambda content: content + b"more",
        lambda content: flipped(content, -1),
        lambda content: flipped(content, 3),  # whose it is
        lambda content: flipped(content, len(content) - 14),  # its checksum
        lambda content: b"\x7fELF" + content,
        lambda content: b"machine code",
    ],
)
def test_a_spoilt_entry_is_made_again(folder, spoil):
    load_or_make("key", Maker())
    (entry,) = folder.iterdir()
    sound = entry.read_bytes()
    entry.write_bytes(spoil(sound))
    make = Maker()
    assert load_or_make("key", make) == make.code
    assert make.count == 1
    assert entry.read_bytes() == sound


def test_an_entry_under_anothers_name_is_not_used(folder):
    load_or_make("one", Maker(b"one"))
    (one,) = folder.iterdir()
    load_or_make("two", Maker(b"two"))
    (two,) = set(folder.iterdir()) - {one}
    two.write_bytes(one.read_bytes())
    assert load_or_make("two", Maker(b"two")) == b"two"


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_an_entry_that_others_may_write_to_is_made_again(folder, mode):
    load_or_make("key", Maker())
    (entry,) = folder.iterdir()
    entry.chmod(mode)
    make = Maker()
    load_or_make("key", make)
    assert make.count == 1
    assert entry.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("mode", [0o720, 0o702, 0o777])
def test_a_folder_that_others_may_write_to_is_not_used(folder, mode):
    folder.mkdir()
    folder.chmod(mode)
    make = Maker()
    assert cache_folder() is None
    assert [load_or_make("key", make) for _ in range(2)] == [make.code] * 2
    assert make.count == 2
    assert not list(folder.iterdir())


def test_anothers_folder_and_entries_are_not_used(folder, monkeypatch):
    load_or_make("key", Maker())
    monkeypatch.setattr(os, "getuid", lambda: 123456)
    make = Maker()
    load_or_make("key", make)
    assert make.count == 1


@pytest.mark.parametrize("value", ["off", "OFF"])
def test_off_keeps_nothing(tmp_path, monkeypatch, value):
    monkeypatch.setenv("CASADI_DYNAMICS_CACHE", value)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    make = Maker()
    for _ in range(2):
        assert load_or_make("key", make) == make.code
    assert make.count == 2
    assert not list(tmp_path.iterdir())


def test_where_the_folder_is(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("CASADI_DYNAMICS_CACHE", "")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert cache_folder() == tmp_path / "home" / ".cache" / "casadi_dynamics"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg" / "casadi_dynamics"
    monkeypatch.setenv("CASADI_DYNAMICS_CACHE", str(tmp_path / "named"))
    assert cache_folder() == tmp_path / "named"
    assert all(path.is_dir() for path in (tmp_path / "xdg" / "casadi_dynamics", tmp_path / "named"))


def test_a_folder_that_cannot_be_is_no_error(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("CASADI_DYNAMICS_CACHE", str(tmp_path / "file" / "below"))
    assert load_or_make("key", Maker()) == Maker().code
    monkeypatch.setenv("CASADI_DYNAMICS_CACHE", str(tmp_path / "file"))
    assert load_or_make("key", Maker()) == Maker().code
    assert (tmp_path / "file").read_text() == "not a folder"


@pytest.mark.parametrize("step", ["mkstemp", "replace"])
def test_a_folder_that_cannot_be_written_to_is_no_error(folder, monkeypatch, step):
    def refused(*_, **__):
        raise PermissionError("read-only file system")

    owner = disk_cache.tempfile if step == "mkstemp" else disk_cache.os
    with monkeypatch.context() as patch:
        patch.setattr(owner, step, refused)
        assert load_or_make("key", Maker()) == Maker().code
    assert not list(folder.iterdir())  # nothing half written either


def test_a_folder_that_can_only_be_read_is_of_use(folder, monkeypatch):
    load_or_make("key", Maker())

    def refused(*_, **__):
        raise OSError("read-only file system")

    monkeypatch.setattr(disk_cache.os, "utime", refused)
    make = Maker()
    assert load_or_make("key", make) == make.code
    assert make.count == 0


def test_what_fails_to_be_made_leaves_nothing(folder):
    def fails():
        raise RuntimeError("no such instruction")

    with pytest.raises(RuntimeError, match="no such instruction"):
        load_or_make("key", fails)
    assert not list(folder.iterdir())


def test_the_entries_not_used_for_longest_go_first(folder, monkeypatch):
    size = 1000
    monkeypatch.setattr(disk_cache, "LARGEST_SIZE", 4 * (size + 200))
    for k in range(4):
        load_or_make(f"{k}", Maker(bytes(size)))
        made = max(folder.iterdir(), key=lambda path: path.stat().st_mtime_ns)
        os.utime(made, (1000 + k, 1000 + k))
    load_or_make("0", Maker(bytes(size)))  # used again: the oldest is now 1
    load_or_make("4", Maker(bytes(size)))
    counts = []
    for k in (0, 2, 3, 4):
        make = Maker(bytes(size))
        load_or_make(f"{k}", make)
        counts.append(make.count)
    assert counts == [0, 0, 0, 0]
    assert len(list(folder.iterdir())) == 4
    make = Maker(bytes(size))
    load_or_make("1", make)
    assert make.count == 1


def test_writers_at_once_leave_one_sound_entry(folder):
    code = os.urandom(1_000_000)
    together = threading.Barrier(4)

    def make():
        together.wait(10)
        return code

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: load_or_make("key", make), range(4)))
    assert found == [code] * 4
    assert len(list(folder.iterdir())) == 1
    never = Maker()
    assert load_or_make("key", never) == code
    assert never.count == 0


def function(factor=2.0):
    x = ca.SX.sym("x", 2)
    return ca.Function("f", [x], [factor * ca.sin(x)], ["x"], ["f"])


def call(made):
    x = torch.tensor([[0.5, 1.0]] * 3, dtype=torch.float64, requires_grad=True)
    value = made(x=x)["f"]
    value.sum().backward()
    return value.detach(), x.grad


@pytest.fixture
def compilations(monkeypatch):
    """Return a list that grows by one for each compilation."""
    texts, real = [], llvm.compiled
    monkeypatch.setattr(llvm, "compiled", lambda text: texts.append(text) or real(text))
    return texts


@pytest.mark.parametrize("content", [b"no object", b"\x7fELF" + bytes(500)])
def test_an_entry_that_is_no_object_is_compiled_again(folder, compilations, content):
    """Its checksum is right, but it is no machine code: it costs a compilation, no error and no crash."""
    first = call(compile_torch(function()))
    for entry in folder.iterdir():
        header = entry.read_bytes()[: len(disk_cache._header(""))]
        entry.write_bytes(header + disk_cache._digest(content) + content)
    second = call(compile_torch(function()))
    assert len(compilations) == 4
    for a, b in zip(first, second, strict=True):
        assert torch.equal(a, b)


def test_functions_and_gradients_are_found_again(folder, compilations):
    first = call(compile_torch(function()))
    assert len(compilations) == 2
    second = call(compile_torch(function()))
    assert len(compilations) == 2
    for a, b in zip(first, second, strict=True):
        assert torch.equal(a, b)
    assert len(list(folder.iterdir())) == 2


def test_a_gradient_that_is_found_is_not_derived_again(folder, monkeypatch):
    call(compile_torch(function()))
    monkeypatch.setattr("casadi_dynamics.compiled.source.vector_jacobian", None)
    monkeypatch.setattr("casadi_dynamics.compiled.source.record", None)
    call(compile_torch(function()))


def test_what_differs_is_compiled_anew(folder, compilations):
    call(compile_torch(function()))
    compile_torch(function(3.0))(x=torch.ones(2, dtype=torch.float64))
    assert len(compilations) == 3
    compile_torch(function(), torch.float32)(x=torch.ones(2))
    assert len(compilations) == 4
    # A gradient to other inputs is another program.
    x, y = ca.SX.sym("x"), ca.SX.sym("y")
    both = ca.Function("f", [x, y], [x * y], ["x", "y"], ["f"])
    one = torch.ones(1, dtype=torch.float64)
    for wanted in ((True, False), (False, True), (True, True)):
        a, b = (one.clone().requires_grad_(want) for want in wanted)
        compile_torch(both)(x=a, y=b)["f"].sum().backward()
    assert len(compilations) == 4 + 1 + 3


@pytest.mark.parametrize("change", range(5))
def test_other_surroundings_are_compiled_anew(folder, compilations, monkeypatch, change):
    made = compile_torch(function())
    call(made)
    here = llvm.surroundings()
    assert len(here) == 5
    other = tuple(f"{part} other" if k == change else part for k, part in enumerate(here))
    monkeypatch.setattr(llvm, "surroundings", lambda: other)
    call(compile_torch(function()))
    assert len(compilations) == 4


def test_surroundings_name_processor_and_versions():
    text = "\n".join(llvm.surroundings())
    for part in (llvm.llvm.get_host_cpu_name(), llvm.llvmlite.__version__, ca.__version__, "+"):
        assert part in text


def test_a_spoilt_program_is_compiled_again(folder, compilations):
    first = call(compile_torch(function()))
    for entry in folder.iterdir():
        entry.write_bytes(flipped(entry.read_bytes(), 200))
    second = call(compile_torch(function()))
    assert len(compilations) == 4
    assert torch.equal(first[1], second[1])


def test_processes_at_once_share_the_folder(folder):
    script = (
        "import casadi as ca, torch\n"
        "from casadi_dynamics.compiled import compile_torch\n"
        "x = ca.SX.sym('x')\n"
        "f = compile_torch(ca.Function('f', [x], [ca.exp(ca.sin(x))], ['x'], ['f']))\n"
        "print(f(x=torch.ones(1, dtype=torch.float64))['f'].item())\n"
    )
    environment = {
        **os.environ,
        "CASADI_DYNAMICS_CACHE": str(folder),
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    both = [
        subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, env=environment, text=True)
        for _ in range(2)
    ]
    values = [float(process.communicate(timeout=100)[0]) for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert values[0] == values[1] == pytest.approx(2.319776824715853)
    assert len(list(folder.iterdir())) == 1


def test_tests_leave_the_users_cache_alone(tmp_path_factory):
    assert cache_folder().is_relative_to(tmp_path_factory.getbasetemp().parent)
