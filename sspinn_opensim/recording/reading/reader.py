"""The registry of formats, and the reading of the recording that a study names."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Protocol

import numpy as np

from sspinn_opensim.recording.checks.streams import check_channels, check_streams, refuse_impossible
from sspinn_opensim.recording.checks.units import refuse_implausible
from sspinn_opensim.recording.choices import Format, RecordingChoice, SensorChoice
from sspinn_opensim.recording.clocks.common import on_one_clock
from sspinn_opensim.recording.formats import (
    apdm,
    blue_trident,
    c3d_analog,
    csv_table,
    delsys,
    dorschky2019,
    movella_dot,
    mvnx,
    ngimu,
    noraxon,
    npz_archive,
    opensense,
    parquet_table,
    shimmer,
    x_imu3,
    xsens_mt,
)
from sspinn_opensim.recording.parts import check_inside, used_part
from sspinn_opensim.recording.reading.missing import files_not_read, missing_signals, refuse_without_signals
from sspinn_opensim.recording.resample import resample
from sspinn_opensim.recording.sensors.gyro_bias import describe_biases, gyro_biases
from sspinn_opensim.recording.sensors.mounting import mounting_rotation, place_sensor
from sspinn_opensim.recording.sensors.placement import site_of
from sspinn_opensim.recording.sensors.rest import corrected_at_rest
from sspinn_opensim.recording.signals.rotations import rotate
from sspinn_opensim.recording.streams import Stream, stream_of
from sspinn_opensim.recording.tiled import tiled
from sspinn_opensim.recording.types import Recording

#: In the order in which a file is held against them: tables of any origin come last.
_MODULES = (
    dorschky2019,
    xsens_mt,
    movella_dot,
    mvnx,
    opensense,
    apdm,
    ngimu,
    x_imu3,
    blue_trident,
    shimmer,
    noraxon,
    delsys,
    npz_archive,
    c3d_analog,
    parquet_table,
    csv_table,
)
#: Every format by its name. Studies, their checks and documentation, and the evaluation look here.
FORMATS: Mapping[str, Format] = MappingProxyType({module.FORMAT.name: module.FORMAT for module in _MODULES})


class Recorded(Protocol):
    """A study, as far as reading goes: a recording and the sensors to take from it."""

    @property
    def recording(self) -> RecordingChoice:
        """File, format and options."""
        ...

    @property
    def sensors(self) -> tuple[SensorChoice, ...]:
        """Sensors in the order of the study."""
        ...


def read_recording(study: Recorded, *, refuse: bool = True, whole: bool = False) -> Recording:
    """Read the recording a study names, in SI units, at the rate the study asks for.

    Signals are along the axes of the bodies, but for sensors whose `Sensor.axes_known` is false.

    Parameters
    ----------
    refuse : bool
        Whether units that cannot be right are an error; else `checks.find_faults` names them.
    whole : bool
        Whether all of it is returned, and not only the part that the study uses.

    Returns
    -------
    Recording
        Checked, at the rate of `RecordingChoice.sampling_rate_hz`, else at that of the format.
    """
    choice = study.recording
    form = FORMATS[choice.format]
    if form.read is not None:
        recording = _with_channels_checked(form.read(choice, study.sensors))
    else:
        assert form.streams is not None
        recording = _recording(form, form.streams(choice), choice, study.sensors)
    if refuse:
        refuse_implausible(recording, str(choice.file), getattr(choice.options, "acceleration_unit", None))
    recording = corrected_at_rest(recording, choice.rest_correction)
    check_inside(recording, choice)
    # Beside a mean stride there is nothing.
    if not whole or choice.cycle_s is not None:
        recording = used_part(recording, choice)
    if choice.cycle_s is not None:
        recording = tiled(recording, choice.cycle_s)
    rate = choice.sampling_rate_hz
    return recording if rate is None else resample(recording, rate)


def _recording(
    form: Format, streams: tuple[Stream, ...], choice: RecordingChoice, sensors: Sequence[SensorChoice]
) -> Recording:
    """Return the recording of the chosen sensors of a file or folder, turned as far as axes are known."""
    chosen = [stream_of(streams, sensor.source or sensor.name, choice.file) for sensor in sensors]
    refuse_without_signals(form, chosen)
    refuse_impossible(chosen)
    named = [dataclasses.replace(one, name=sensor.name) for one, sensor in zip(chosen, sensors, strict=True)]
    common = on_one_clock(named, choice, [site_of(sensor) for sensor in sensors])
    names = [sensor.name for sensor in sensors]
    signals = common.acceleration, common.angular_rate
    biases = gyro_biases(names, common.time_s, *signals, choice.standing_s, common.usable)
    for bias in biases:
        if bias.subtracted:
            k = names.index(bias.sensor)
            common.angular_rate[:, k] -= np.where(common.angular_rate_available[k], bias.bias_rad_s, 0.0)
    pairs = (
        (common.acceleration, common.acceleration_available),
        (common.angular_rate, common.angular_rate_available),
    )
    for signal, available in pairs:
        for k, sensor in enumerate(sensors):
            signal[:, k], available[k] = rotate(signal[:, k], available[k], mounting_rotation(sensor))
        signal.flags.writeable = False
    unknown = np.zeros((len(sensors), 3))
    return Recording(
        name=choice.name,
        time_s=common.time_s,
        sensors=tuple(place_sensor(sensor, segment_axes=form.segment_axes) for sensor in sensors),
        acceleration=common.acceleration,
        angular_rate=common.angular_rate,
        acceleration_available=common.acceleration_available,
        angular_rate_available=common.angular_rate_available,
        acceleration_variance=unknown,
        angular_rate_variance=unknown,
        speed_m_s=choice.speed_m_s,
        notes=(
            *files_not_read(streams, choice),
            *missing_signals(chosen),
            *common.notes,
            *describe_biases(biases),
        ),
        usable=common.usable,
        clocks=common.clocks,
        gyro_biases=biases,
        findings=tuple(
            check_streams(
                {sensor.name: stream for sensor, stream in zip(sensors, chosen, strict=True)},
                choice.recorded_rate_hz,
            )
        ),
    )


def _with_channels_checked(recording: Recording) -> Recording:
    """Return a recording that no streams were read for with what is wrong with its channels."""
    signals = {}
    for k, sensor in enumerate(recording.sensors):
        pairs = (
            (recording.acceleration[:, k], recording.acceleration_available[k]),
            (recording.angular_rate[:, k], recording.angular_rate_available[k]),
        )
        acceleration, angular_rate = (np.where(known, signal, np.nan) for signal, known in pairs)
        signals[sensor.name] = (acceleration, angular_rate)
    return dataclasses.replace(recording, findings=tuple(check_channels(signals)))
