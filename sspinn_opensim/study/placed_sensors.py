"""Places of the sensors of a new study: by what the user says, by files and names, or by how they move."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from casadi_dynamics.errors import InputError, nearest
from casadi_dynamics.model import Model
from sspinn_opensim.anatomy import MIDDLE, WORDS, segment_of
from sspinn_opensim.anatomy.sensor_places import foot_of_toes
from sspinn_opensim.recording.sensors.placement import body_of_segment
from sspinn_opensim.recording.streams import Stream, stream_of

#: What says where a sensor sits, if the vendor's files do.
_FILES, _NAME = "the files say where it sits", "guess: its name tells"
#: Probability from which a place is guessed by how a sensor moves.
_SURE, _SURE_MIDDLE = 0.9, 0.5


@dataclass(frozen=True)
class Placed:
    """A sensor with the body that carries it.

    Attributes
    ----------
    name : str
        Of the sensor in the study: the user's word for where it sits, else ``thigh_r``, ``pelvis`` and so on.
    source : str
        Of the sensor in the file.
    body : str
        Of the model.
    told_by : str
        What says so, in words; empty: the user did.
    beside : tuple of str
        Sensors of the file on the same body that are not used.
    """

    name: str
    source: str
    body: str
    told_by: str = ""
    beside: tuple[str, ...] = ()


def place_streams(
    streams: Sequence[Stream],
    where: Mapping[str, str],
    model: Model,
    by_movement: Callable[[], Mapping[str, tuple[str, str, float]]] = dict,
) -> tuple[Placed, ...]:
    """Return the sensors whose place is known: by the user, by the file, by their names, or by how they move.

    Of several on one body, unless the user lists them, one is used: without their places they would all be
    taken to sit at the same one. It is the first that the file or its name places, or the surest by movement.

    Parameters
    ----------
    where : mapping of str to str
        Name of a sensor in the file, or a part of it, to the segment or body that carries it.
    model : Model
        Whose bodies are meant.
    by_movement : callable
        Returns segment, side and probability of sensors by their names; asked if nothing else says a place.

    Raises
    ------
    InputError
        The user names a sensor, segment or body that there is not, or two sensors for one name; or no sensor
        has a place.
    """
    placed = _placed_by_user(streams, where, model)
    taken = {p.source for p in placed}
    for stream in streams:
        # Who lists sensors leaves out those of which the files say nothing.
        if stream.name in taken or (where and not stream.segment):
            continue
        said = stream.segment or stream.name
        body, told_by = _body(said, model), _FILES if stream.segment else _NAME
        foot = foot_of_toes(model, body) if body is not None else None
        if foot is not None and foot not in {_body(other.segment or other.name, model) for other in streams}:
            # A sensor on the instep is called so, too; on the toes it would turn the toe joint by itself.
            told_by = f'guess: on the instep; a sensor beyond the toe joint is on body "{body}"'
            body = foot
        first = next((k for k, p in enumerate(placed) if p.body == body and p.told_by), None)
        if first is not None:
            placed[first] = _with_beside(placed[first], stream.name)
        elif body is not None:
            placed.append(Placed(_plain(said), stream.name, body, told_by))
    if not placed:
        told = by_movement()
        placed = _placed_by_movement(told, model)
        _refuse_none(placed, streams, told)
    placed = _called_by_segment(placed, model)
    names = [p.name for p in placed]
    for name in names:
        if names.count(name) > 1:
            raise InputError(
                f"Two sensors are called '{name}'.",
                where="--where",
                found=", ".join(p.source for p in placed if p.name == name),
                fix="leave one of them out, or name their segments in two ways (tibia_r, shank_r)",
            )
    return tuple(placed)


def _called_by_segment(placed: Sequence[Placed], model: Model) -> list[Placed]:
    """Return sensors that the user did not name by their segments, where that tells them apart."""

    def usual(p: Placed) -> str:
        told = segment_of(p.body) if p.told_by else None
        return segment_name(told) if told and body_of_segment(model, told) == p.body else p.name

    names = [usual(p) for p in placed]
    return [
        replace(p, name=name) if names.count(name) == 1 else p for p, name in zip(placed, names, strict=True)
    ]


def _with_beside(placed: Placed, source: str) -> Placed:
    return replace(placed, beside=(*placed.beside, source))


def _placed_by_user(streams: Sequence[Stream], where: Mapping[str, str], model: Model) -> list[Placed]:
    by_user = {stream_called(name, streams, where).name: segment for name, segment in where.items()}
    placed = []
    for name, said in by_user.items():
        body = _body(said, model)
        if body is None:
            raise InputError(
                f"The model '{model.name}' has no body for '{said}'.",
                where=f"--where {name}={said}",
                expected="a segment such as pelvis, thigh_r, shank_l, foot_r, trunk; or a body: "
                + ", ".join(body.name for body in model.bodies),
                fix=nearest(said, [body.name for body in model.bodies]),
            )
        placed.append(Placed(_plain(said), name, body))
    return placed


def check_segments(where: Mapping[str, str]) -> None:
    """Refuse words for where sensors sit that tell no segment, or not its side, where there is no model."""
    for name, said in where.items():
        told = segment_of(said, beside=True)
        if told is None or (not told[1] and told[0] not in MIDDLE):
            sides = {segment: ("",) if segment in MIDDLE else ("right", "left") for segment in WORDS}
            known = [segment_name((segment, side)) for segment in WORDS for side in sides[segment]]
            raise InputError(
                f"No segment is called '{said}'.",
                where=f"--where {name}={said}",
                expected="one of " + ", ".join(known),
                fix=nearest(said, known),
            )


def tells_segment(name: str) -> bool:
    """Return whether a name tells a segment, and its side where it has one."""
    told = segment_of(name)
    return told is not None and bool(told[1] or told[0] in MIDDLE)


def is_sure(segment: str, probability: float) -> bool:
    """Return whether a place that a sensor's movement tells may be guessed.

    Pelvis and trunk move alike, but have no side that could be mistaken.
    """
    return probability >= (_SURE_MIDDLE if segment in MIDDLE else _SURE)


def segment_name(place: tuple[str, str]) -> str:
    """Return a name of a segment and side as a sensor may have it: ``thigh_r``, ``pelvis``."""
    segment, side = place
    return f"{segment}_{side[0]}" if side else segment


def _placed_by_movement(told: Mapping[str, tuple[str, str, float]], model: Model) -> list[Placed]:
    """Return sensors on the bodies they most probably sit on, the surest of each body, as they are told."""
    placed: dict[str, Placed] = {}
    middle = sum(segment in MIDDLE for segment, _, _ in told.values())
    for name, (found, side, probability) in sorted(told.items(), key=lambda item: -item[1][2]):
        # Pelvis and trunk move alike: a single sensor on one of them is usually that on the pelvis.
        alone = found in MIDDLE and middle == 1
        segment = "pelvis" if alone else found
        body = body_of_segment(model, (segment, side))
        if body is None or not (alone or is_sure(segment, probability)):
            continue
        if body in placed:
            placed[body] = _with_beside(placed[body], name)
        else:
            words = "pelvis or the trunk" if alone else " ".join((side, segment)).strip()
            sure = "" if alone else f" (probability {probability:.2f})"
            placed[body] = Placed(body, name, body, f"guess: it moves like a sensor on the {words}{sure}")
    order = list(told)
    return sorted(placed.values(), key=lambda p: order.index(p.source))


def _refuse_none(
    placed: Sequence[Placed], streams: Sequence[Stream], told: Mapping[str, tuple[str, str, float]]
) -> None:
    if not placed:
        likely = {name: f"{segment_name((found, side))} ({p:.2f})" for name, (found, side, p) in told.items()}
        names = [f"{s.name} moves like {likely[s.name]}" if s.name in likely else s.name for s in streams]
        raise InputError(
            "Nothing says for sure where the sensors sit.",
            where=streams[0].file,
            expected=f"names that tell a segment ({', '.join(WORDS)}), or a mapping file",
            found=", ".join(names),
            fix=f"say it: --where {streams[0].name}=SEGMENT ..., one for each sensor that is to be used",
        )


def stream_called(name: str, streams: Sequence[Stream], where: Collection[str]) -> Stream:
    """Return the sensor that ``--where`` names beside others; what is none is refused as `stream_of` does."""
    named = {other.lower() for other in where}
    near = nearest(name, [s.name for s in streams if s.name.lower() not in named])
    return stream_of(streams, name, "--where", near or f"leave {name} out, if that sensor was not worn")


def _body(said: str, model: Model) -> str | None:
    """Return the body that a segment or body is, by its name; None if it tells none."""
    if any(body.name == said for body in model.bodies):
        return said
    told = segment_of(said)
    return body_of_segment(model, told) if told is not None and tells_segment(said) else None


def _plain(name: str) -> str:
    """Return the name of a segment without what OpenSim puts at the end of frames."""
    return name.removesuffix("_imu")
