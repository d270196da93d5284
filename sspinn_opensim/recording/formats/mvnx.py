"""MVNX, the XML of Xsens MVN: all sensors of a suit in one file, frame by frame.

Sensors are named after the segments that carry them. Only frames of type ``normal`` are data; those before
them are poses of the calibration. What was measured is in `sensorAcceleration` (specific force) and
`sensorAngularVelocity`, along the sensors' axes; newer files have `sensorFreeAcceleration` instead, in the
world's axes and without gravity, and no angular velocity of the sensors. The file is parsed as a stream.

References
----------
Xsens, MVN User Manual, MV0319P.N, section on MVNX: units, frames, which contents are optional.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from xml.parsers import expat

import numpy as np

from casadi_dynamics.errors import InputError
from sspinn_opensim.recording.choices import Format, RecordingChoice
from sspinn_opensim.recording.formats import xsens_columns as columns
from sspinn_opensim.recording.formats.text_tables import read_numbers
from sspinn_opensim.recording.streams import Stream

#: What is read of a frame, with its numbers a sensor.
_WIDTHS = {
    "sensorAcceleration": 3,
    "sensorAngularVelocity": 3,
    "sensorFreeAcceleration": 3,
    "sensorOrientation": 4,
}
#: Bytes that are parsed at once, and frames whose texts are kept before they become numbers.
_CHUNK, _FRAMES = 1 << 20, 2000
_NORMAL = "normal"
#: What a vertebra that MVN names stands for: that sensor sits on the breastbone.
_SEGMENTS = {"T8": "sternum"}


@dataclass(frozen=True)
class MvnxOptions:
    """``[recording.mvnx]``: what is taken as angular rate.

    Parameters
    ----------
    angular_rate : str
        ``gyroscope``: what was measured. ``orientation``: the turn of each sensor from frame to frame.
    """

    angular_rate: Literal["gyroscope", "orientation"] = "gyroscope"


def read_mvnx(choice: RecordingChoice) -> tuple[Stream, ...]:
    """Return the streams of all sensors, in the order of the file.

    Raises
    ------
    InputError
        If the file is no XML, is cut off, holds several people, no sensors or no data of them, or frames that
        differ in what they hold.
    """
    path, options = choice.file, choice.options or MvnxOptions()
    content = _Content(path)
    content.parse()
    return tuple(
        _stream(content, k, options.angular_rate == "orientation") for k in range(len(content.sensors))
    )


def is_mvnx(_path: Path, head: bytes) -> bool:
    """Return whether a file is MVNX."""
    return b"<mvnx" in head.replace(b"\x00", b"")


FORMAT = Format(
    "mvnx",
    MvnxOptions,
    streams=read_mvnx,
    recognises=is_mvnx,
    export="export with sensorAcceleration and sensorAngularVelocity; or, for files with sensorOrientation, "
    'their turns as angular rate: angular_rate = "orientation" under [recording.mvnx], or sspinn check '
    "--option angular_rate=orientation",
)


@dataclass
class _Content:
    """What is read of a file while the parser goes through it."""

    path: Path
    rate_hz: float | None = None
    people: int = 0
    sensors: list[str] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    indices: list[str] = field(default_factory=list)
    times_ms: list[str] = field(default_factory=list)
    blocks: dict[str, list[np.ndarray]] = field(default_factory=dict)
    _parser: expat.XMLParserType = field(default_factory=expat.ParserCreate)
    _texts: dict[str, list[str]] = field(default_factory=dict)
    _kinds: tuple[str, ...] | None = None
    _frame: dict[str, str] | None = None
    _text: list[str] | None = None

    def parse(self) -> None:
        """Read the file.

        Raises
        ------
        InputError
            As `read_mvnx`.
        """
        parser = self._parser
        parser.buffer_text = True
        parser.buffer_size = 1 << 16
        parser.StartElementHandler, parser.EndElementHandler = self._start, self._end
        parser.EntityDeclHandler = self._refuse_entity
        with self._errors(), self.path.open("rb") as file:
            while data := file.read(_CHUNK):
                parser.Parse(data, False)
            parser.Parse(b"", True)
        self._convert()
        if self.people > 1:
            raise InputError(
                "The file holds several people.",
                where=self.path,
                found=f"{self.people} elements <subject>",
                fix="export each person on its own",
            )
        if not self.sensors or not self.lines or not self.blocks:
            raise InputError(
                "The file has no data of sensors.",
                where=self.path,
                expected="frames of type 'normal' with " + ", ".join(_WIDTHS),
                found=f"{len(self.sensors)} sensors, {len(self.lines)} such frames"
                + (", which hold segments only" if self.lines else ""),
                fix="choose the data of the sensors in MVN's settings for MVNX and export again",
            )

    def signal(self, kind: str, sensor: int) -> np.ndarray | None:
        """Return the numbers of one sensor, (n, 3) or (n, 4), or None."""
        blocks = self.blocks.get(kind)
        if blocks is None:
            return None
        width = _WIDTHS[kind]
        return np.concatenate([block[:, sensor * width : (sensor + 1) * width] for block in blocks])

    def _start(self, name: str, found: dict[str, str]) -> None:
        if ":" in name:
            name = name.rpartition(":")[2]
        if self._frame is not None:
            if name in _WIDTHS:
                self._text = []
                self._parser.CharacterDataHandler = self._text.append
        elif name == "frame":
            if found.get("type", _NORMAL) == _NORMAL:
                self._frame = {}
                self.lines.append(self._parser.CurrentLineNumber)
                self.indices.append(found.get("index", ""))
                self.times_ms.append(found.get("time", ""))
        elif name == "subject":
            self.people += 1
            self.rate_hz = columns.stated_rate(found.get("frameRate", "") + "Hz")
        elif name == "sensor" and not self.lines:
            self.sensors.append(found.get("label", ""))

    def _end(self, name: str) -> None:
        if self._frame is None:
            return
        if ":" in name:
            name = name.rpartition(":")[2]
        if self._text is not None and name in _WIDTHS:
            self._parser.CharacterDataHandler = None
            if name in self._frame:
                raise self._wrong("A frame holds something twice.", found=name)
            self._frame[name] = "".join(self._text)
            self._text = None
        elif name == "frame":
            self._end_frame(self._frame)
            self._frame = None
            if len(self.lines) % _FRAMES == 0:
                self._convert()

    def _end_frame(self, frame: dict[str, str]) -> None:
        kinds = tuple(kind for kind in _WIDTHS if kind in frame)
        self._kinds = kinds if self._kinds is None else self._kinds
        if kinds != self._kinds:
            raise self._wrong(
                "Frames differ in what they hold.", expected=", ".join(self._kinds), found=", ".join(kinds)
            )
        for kind, text in frame.items():
            self._texts.setdefault(kind, []).append(text)

    def _convert(self) -> None:
        """Turn the texts of the last frames into numbers."""
        for kind, texts in self._texts.items():
            body = _rows(texts)
            if "" in texts or "\n\n" in body:
                raise self._wrong("A frame is empty.", found=f"<{kind}> without numbers")
            width = len(self.sensors) * _WIDTHS[kind]
            lines = self.lines[len(self.lines) - len(texts) :]
            try:
                numbers, _ = read_numbers(body.encode(), " ", width, range(width), self.path, lines)
            except InputError as error:
                raise error.at(f"{error.where}, <{kind}>") from error
            self.blocks.setdefault(kind, []).append(numbers)
        self._texts = {}

    def _wrong(self, what: str, *, expected: str = "", found: str = "") -> InputError:
        return InputError(what, where=f"{self.path}, line {self.lines[-1]}", expected=expected, found=found)

    def _refuse_entity(self, *_: object) -> None:
        raise InputError("The file declares XML entities.", where=self.path, fix="remove its <!DOCTYPE ...>")

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise InputError(f"The recording cannot be read: {error.strerror}.", where=self.path) from error
        except expat.ExpatError as error:
            ended = error.code in (3, 5, 13, 20)  # nothing, or nothing more, where something was to come
            raise InputError(
                "The file ends too early." if ended else "The file is not XML.",
                where=f"{self.path}, line {error.lineno}",
                found=expat.ErrorString(error.code),
                fix="it was cut off: export or copy it again" if ended else "",
            ) from error
        except (ValueError, LookupError) as error:  # an encoding that the parser does not know
            where = f"{self.path}, line {self._parser.CurrentLineNumber}"
            raise InputError("The file is not XML.", where=where, found=str(error)) from error


def _rows(texts: list[str]) -> str:
    """Return the numbers of each text in a line of their own, with one blank between them."""
    body = "\n".join(texts)
    plain = body.count("\n") == len(texts) - 1 and not any(odd in body for odd in ("  ", "\t", " \n", "\n "))
    return body if plain else "\n".join(" ".join(text.split()) for text in texts)


def _stream(content: _Content, sensor: int, by_orientation: bool) -> Stream:
    name = content.sensors[sensor] or f"sensor {sensor + 1}"
    force = content.signal("sensorAcceleration", sensor)
    rate = content.signal("sensorAngularVelocity", sensor)
    free = content.signal("sensorFreeAcceleration", sensor)
    turns, complaint = columns.unit_quaternions(content.signal("sensorOrientation", sensor))
    notes = [f"Sensor {name}: {complaint}"] if complaint else []
    lacks = []
    if by_orientation:
        rate = None
        if turns is not None and content.rate_hz is not None:
            rate = columns.rates_of_orientations(turns, content.rate_hz, _clock(content)[0])
            notes.append("Angular rate is the turn of each sensor from frame to frame, not its gyroscope.")
    if rate is None:
        lacks.append("the file has no angular velocity of the sensors (sensorAngularVelocity)")
    if force is not None and (resting := columns.is_free(force)) is not None:
        force = None
        lacks.append(f"sensorAcceleration is free acceleration: {resting:.2g} m/s^2 at rest")
    if force is None and free is not None:
        if turns is not None and rate is not None:
            force = columns.specific_force(free, turns)
            notes.append(columns.MADE_OF_FREE)
        else:
            lacks.append("sensorFreeAcceleration is without gravity")
    counter, time_s = _clock(content)
    stream = Stream(
        name,
        content.path,
        force,
        rate,
        turns,
        time_s,
        counter,
        content.rate_hz,
        _SEGMENTS.get(name, name),
        tuple(notes),
        content.lines,
        tuple(lacks),
    )
    # The first frame has none before it from which it turned.
    return stream.cut(1) if by_orientation and rate is not None and len(stream) > 1 else stream


def _clock(content: _Content) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Return the numbers of the frames, and their times in s where the file states no rate."""
    counter = _whole_numbers(content, content.indices, "index")
    if content.rate_hz is not None or len(content.lines) < 2:
        return counter, None
    times = _whole_numbers(content, content.times_ms, "time")
    return counter, None if times is None else times / 1000.0


def _whole_numbers(content: _Content, texts: list[str], name: str) -> np.ndarray | None:
    if not all(texts):
        return None
    try:
        numbers = np.array([int(text) for text in texts], dtype=np.int64)
    except (ValueError, OverflowError) as error:
        raise InputError(f"The {name} of a frame is no whole number.", where=content.path) from error
    wrong = np.flatnonzero(np.diff(numbers) <= 0)
    if wrong.size:
        row = int(wrong[0]) + 1
        raise InputError(
            f"The {name} of the frames does not go forward.",
            where=f"{content.path}, line {content.lines[row]}",
            expected=f"more than {numbers[row - 1]}",
            found=str(numbers[row]),
        )
    return numbers
