"""File of a checkpoint: plain values and tensors, written whole, and read as a stranger's file is.

PyTorch is imported by what needs it: that a file is missing or damaged is found before it loads.
"""

from __future__ import annotations

import io
import math
import pickle
import struct
import sys
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from casadi_dynamics.errors import InputError
from casadi_dynamics.input_files import read_input
from sspinn_opensim.files import check_shape, write_atomically

FORMAT = 6
#: What a checkpoint holds, whoever wrote it.
_SHAPE = {
    "format": int,
    "versions": {str: str},
    "identity": {
        "training": {"settings": {"steps": int, "batch": int}},
        "network": {"sensors?": [str]},
        "body?": {str: object},
        "people?": {str: {str: object}},
    },
    "state": {"step": int, "finished": bool, "network": {str: object}, "people": {str: {str: object}}},
}
#: What pickle makes the values of a checkpoint with: plain ones, and calls of what `_Plain` knows.
_OPCODES = (
    *(pickle.PROTO, pickle.STOP, pickle.MARK, pickle.NONE, pickle.NEWTRUE, pickle.NEWFALSE),
    *(pickle.BININT, pickle.BININT1, pickle.BININT2, pickle.LONG1, pickle.BINFLOAT, pickle.BINUNICODE),
    *(pickle.EMPTY_TUPLE, pickle.TUPLE, pickle.TUPLE1, pickle.TUPLE2, pickle.TUPLE3, pickle.EMPTY_LIST),
    *(pickle.APPEND, pickle.APPENDS, pickle.EMPTY_DICT, pickle.BINPUT),
    *(pickle.LONG_BINPUT, pickle.BINGET, pickle.LONG_BINGET, pickle.GLOBAL, pickle.REDUCE, pickle.BINPERSID),
)
#: Values in a checkpoint with the history of ten million steps, and how deep they lie in each other.
_MOST_VALUES, _DEEPEST = 10_000_000, 30
#: What is raised where a file is damaged; a `RuntimeError` of torch, of too little memory, is not among it.
_DAMAGE = (
    pickle.UnpicklingError,
    EOFError,
    KeyError,
    IndexError,
    TypeError,
    ValueError,
    OverflowError,
    struct.error,
    zlib.error,
)


def write_checkpoint(path: Path, parts: Mapping[str, object]) -> None:
    """Write ``identity``, ``versions`` and ``state`` of a training; the file is whole or not there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    import torch  # takes long to import

    content = io.BytesIO()
    torch.save(_same_bytes({"format": FORMAT, **parts}), content)
    write_atomically(path, content.getvalue())


def read_checkpoint(path: Path) -> dict:
    """Return what a checkpoint holds.

    Raises
    ------
    InputError
        It is not there, damaged, of another version, or holds more than such a file has.
    """
    data = read_whole(path)
    _outline(path, data)
    import torch  # takes long to import

    try:
        # Of a whole file only its content can be wrong; whatever else fails says nothing against it.
        content = torch.load(data, weights_only=True)
        _refuse_repeated(content)
        _refuse_infinite(content["state"]["network"])
    except _DAMAGE as error:
        raise _unreadable(path, f"{type(error).__name__}: {error}") from None
    return content


def read_outline(path: Path) -> dict:
    """Return what a checkpoint holds but for its arrays, which are None, without PyTorch.

    Raises
    ------
    InputError
        As `read_checkpoint`, where the arrays need not be looked at for it.
    """
    return _outline(path, read_whole(path))


def _outline(path: Path, data: io.BytesIO) -> dict:
    try:
        with zipfile.ZipFile(data) as archive:
            (values,) = (name for name in archive.namelist() if name.endswith("/data.pkl"))
            content = _Plain(io.BytesIO(archive.read(values))).load()
        _refuse_grown(content)
        check_shape(content, _SHAPE)
    except (*_DAMAGE, AttributeError) as error:  # a value put into one that holds none
        raise _unreadable(path, f"{type(error).__name__}: {error}") from None
    if content["format"] != FORMAT:
        raise InputError(
            "The checkpoint was written by another version.",
            where=path,
            expected=f"format {FORMAT}",
            found=f"format {content['format']}",
            fix="train with --restart",
        )
    data.seek(0)
    return content


class _Plain(pickle._Unpickler):
    """Makes plain values, and None of every array; calls nothing of what a file names."""

    stack: list[Any]
    pop_mark: Callable[[], list[Any]]

    def _put(self, items: list) -> None:
        """Put items into a dict. Python itself ends at a key of a million tuples in each other."""
        if any(type(key) not in (str, int) for key in items[::2]):
            raise pickle.UnpicklingError("a key that is neither text nor number")
        self.stack[-1].update(zip(items[::2], items[1::2], strict=True))

    def _put_one(self) -> None:
        *self.stack[:], key, value = self.stack
        self._put([key, value])

    def _put_all(self) -> None:
        self._put(self.pop_mark())

    dispatch: ClassVar[dict[int, Callable]] = {
        code[0]: pickle._Unpickler.dispatch[code[0]] for code in _OPCODES
    } | {
        pickle.SETITEM[0]: _put_one,
        pickle.SETITEMS[0]: _put_all,
    }

    def find_class(self, module: str, name: str) -> Callable:
        """Return what stands for the one thing that a checkpoint names, and for its arrays."""
        if (module, name) == ("collections", "OrderedDict"):
            return dict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _no_array
        if module in ("torch", "torch._utils"):
            return lambda *_: None
        raise pickle.UnpicklingError(f"{module}.{name}, which no training writes")

    def persistent_load(self, pid: Any) -> int:
        """Return how many numbers an array is made of; they lie beside the values."""
        return pid[4]


def _no_array(numbers: int, _offset: int, shape: Sequence[int], *_: object) -> None:
    """Stand for an array; refuse one that is larger than its numbers."""
    if math.prod(shape) > numbers:
        raise ValueError("an array that repeats its numbers")


def fill(path: Path, load: Callable[[dict], object], state: dict) -> None:
    """Load a state; one that does not fit comes from a version with another network."""
    try:
        load(state)
    except (KeyError, IndexError, TypeError, AttributeError, RuntimeError, ValueError) as error:
        raise InputError(
            "The checkpoint holds another network.",
            where=path,
            found=" ".join(str(error).split())[:120],
            fix="train with --restart",
        ) from None


def read_whole(path: Path) -> io.BytesIO:
    """Return the bytes of a checkpoint whose file is an archive with the content that it states.

    Raises
    ------
    InputError
        It is not there, damaged, or unpacks to more than it is.
    """
    if not path.is_file():
        raise InputError("There is no trained network.", where=path, fix="run sspinn train first")
    data = io.BytesIO(read_input(path, "the checkpoint"))
    _refuse_damaged(path, data)
    return data


def _same_bytes(value: object) -> object:
    """Return plain values whose equal texts are one object: what pickle writes depends on that.

    So a training that was interrupted and taken up again ends with the very file of one that was not.
    """
    if isinstance(value, Mapping):
        return {_same_bytes(key): _same_bytes(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_same_bytes(item) for item in value)
    return sys.intern(value) if type(value) is str else value


def _refuse_grown(content: object) -> None:
    """Refuse values that a small file makes endless: shared many times, or deep in each other."""
    waiting, seen = [(content, 0)], 0
    while waiting:
        value, depth = waiting.pop()
        seen += 1
        if seen > _MOST_VALUES or depth > _DEEPEST:
            raise ValueError("more values, or deeper in each other, than a checkpoint has")
        if isinstance(value, Mapping):
            waiting += [(item, depth + 1) for item in value.values()]
        elif isinstance(value, list | tuple):
            waiting += [(item, depth + 1) for item in value]


def _refuse_repeated(content: object) -> None:
    """Refuse arrays that are larger than the numbers they have."""
    import torch  # takes long to import

    waiting = [content]
    while waiting:
        value = waiting.pop()
        if isinstance(value, torch.Tensor):
            if value.numel() * value.element_size() > value.untyped_storage().nbytes():
                raise ValueError("an array that repeats its numbers")
        elif isinstance(value, Mapping):
            waiting += value.values()
        elif isinstance(value, list | tuple):
            waiting += value


def _refuse_infinite(network: dict) -> None:
    import torch  # takes long to import

    for name, value in network.items():
        if isinstance(value, torch.Tensor) and not value.isfinite().all():
            raise ValueError(f"'{name}' of the network is no finite number")


def _refuse_damaged(path: Path, data: io.BytesIO) -> None:
    """Refuse a file that is no archive of torch, or does not have the checksums that it states."""
    try:
        with zipfile.ZipFile(data) as archive:
            members = archive.infolist()
            plain = all(member.compress_type == zipfile.ZIP_STORED for member in members)
            if not plain or sum(member.file_size for member in members) > data.getbuffer().nbytes:
                raise ValueError("an archive that unpacks to more than it is")
            values = [name for name in archive.namelist() if name.endswith("/data.pkl")]
            whole = archive.testzip() is None and bool(values)
            # The one kind of value that a few bytes can make as large as memory is; no training writes it.
            if whole and any(b"bytearray" in archive.read(name) for name in values):
                raise ValueError("arrays of bytes, which no training writes")
    except (
        zipfile.BadZipFile,
        RuntimeError,
        *_DAMAGE,
    ) as error:  # an archive with a password, or another packing
        raise _unreadable(path, str(error)) from None
    if not whole:
        raise _unreadable(path, "an archive with other content than it states")
    data.seek(0)


def _unreadable(path: Path, found: str) -> InputError:
    return InputError(
        "The checkpoint cannot be read.",
        where=str(path),
        found=found.splitlines()[0][:120],
        fix="train with --restart",
    )
