"""Two people of one model: the walker, and one who is smaller and lighter, walks slower and longer."""

import dataclasses

import pytest


def _scaled(model, length, mass):
    """Return a model scaled uniformly."""

    def times(values, factor):
        return tuple(factor * value for value in values)

    def moved(item, **changes):
        return dataclasses.replace(item, **changes)

    return dataclasses.replace(
        model,
        bodies=tuple(
            moved(
                b,
                mass=mass * b.mass,
                mass_center=times(b.mass_center, length),
                inertia=times(b.inertia, mass * length**2),
            )
            for b in model.bodies
        ),
        joints=tuple(
            moved(
                j,
                parent=moved(j.parent, translation=times(j.parent.translation, length)),
                child=moved(j.child, translation=times(j.child.translation, length)),
            )
            for j in model.joints
        ),
        imu_frames=tuple(moved(f, position=times(f.position, length)) for f in model.imu_frames),
        contact_spheres=tuple(moved(s, location=times(s.location, length)) for s in model.contact_spheres),
    )


@pytest.fixture(scope="session")
def smaller(planar_model):
    """Return the planar model at nine tenths of its size and eight tenths of its mass."""
    return _scaled(planar_model, 0.9, 0.8)


@pytest.fixture(scope="session")
def make_member(planar_model, smaller, record):
    """Return a function: name, size and changes of the recording to (member, recording)."""
    from sspinn_opensim.training.cohort import Member
    from sspinn_opensim.training.signals import make_signals
    from sspinn_opensim.training.subject import make_subject

    def make(name, small=False, fixed=None, model=None, **changes):
        model = model or (smaller if small else planar_model)
        recording = record(model, **changes)
        subject = make_subject(model, recording, fixed or {}, height_m=1.62 if small else 1.8)
        return Member(name, subject, make_signals(recording, subject)), recording

    return make


@pytest.fixture(scope="session")
def pair(make_member):
    """Return a cohort of two, and the recording of each by name."""
    from sspinn_opensim.training.cohort import Cohort

    tall, recording = make_member("tall")
    small, other = make_member("small", small=True, seconds=4.0, speed_m_s=0.9)
    return Cohort((tall, small)), {"tall": recording, "small": other}
