import dataclasses
import json

import numpy as np
import pytest

from sspinn_opensim.recording import Sensor, find_faults, phases
from sspinn_opensim.recording.checks.overview import overview_of
from sspinn_opensim.recording.provenance import GyroBias
from sspinn_opensim.report.recording_tables import SENSOR_COLUMNS, bias_hint, sensor_rows


def test_an_overview_says_what_is_in_a_recording(walker):
    recording = walker.recording
    view = overview_of(recording, sources=[f"serial {k}" for k in range(len(recording.sensors))])
    assert [sensor.name for sensor in view.sensors] == list(recording.sensor_names)
    assert view.sensors[0].source == "serial 0" and view.sensors[0].body == recording.sensors[0].imu_frame
    assert view.phases == phases(recording) and view.findings == find_faults(recording)
    assert abs(view.duration_s - (len(recording.time_s) - 1) / recording.sampling_rate_hz) < 1e-9
    cadences = [phase.cadence_steps_per_min for phase in view.phases]
    assert view.cadence_steps_per_min == pytest.approx(np.mean(cadences))
    assert abs(view.time_of("walking") + view.time_of("running") - view.duration_s) < 0.1
    peak = np.linalg.norm(recording.acceleration[:, 0], axis=1).max()
    assert view.sensors[0].peak_m_s2 == peak
    written = json.loads(json.dumps(view.to_json()))
    assert written["samples"] == len(recording.time_s) and len(written["sensors"]) == 7
    assert written["stated_speed_m_s"] == recording.speed_m_s


def test_sensors_without_a_place_are_on_nothing(walker):
    sensors = tuple(Sensor(f"00B4{k}", f"00B4{k}", axes_known=False) for k in range(7))
    view = overview_of(dataclasses.replace(walker.recording, sensors=sensors))
    assert {sensor.body for sensor in view.sensors} == {""} and view.speed is None


def test_a_channel_that_was_not_measured_has_no_peak(walker):
    recording = walker.recording
    known = recording.angular_rate_available.copy()
    known[0] = False
    rate = recording.angular_rate.copy()
    rate[:, 0] = 0.0
    view = overview_of(dataclasses.replace(recording, angular_rate=rate, angular_rate_available=known))
    assert view.sensors[0].peak_deg_s is None and view.sensors[0].bias_deg_s is None
    assert view.sensors[0].peak_m_s2 and view.sensors[1].peak_deg_s
    assert view.to_json()["sensors"][0]["peak_deg_s"] is None


def test_a_bias_that_is_not_subtracted_is_called_kept(walker):
    recording = walker.recording
    first, second, *_ = recording.sensor_names
    biases = tuple(
        GyroBias(name, (0.01, 0.0, 0.0), (0.001, 0.001, 0.001), 2.0, subtracted)
        for name, subtracted in ((first, True), (second, False))
    )
    view = overview_of(dataclasses.replace(recording, gyro_biases=biases))
    column = SENSOR_COLUMNS.index("bias, deg/s")
    assert [row[column] for row in sensor_rows(view)[:3]] == ["0.57", "0.57 kept", "\u2013"]
    assert bias_hint(view).startswith("kept: not subtracted, as")
    assert bias_hint(overview_of(dataclasses.replace(recording, gyro_biases=biases[:1]))) == ""
