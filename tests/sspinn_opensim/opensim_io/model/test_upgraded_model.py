"""Old model files: OpenSim writes them anew, and what is read agrees with what OpenSim answers."""

import numpy as np
import pytest
from lxml import etree

from casadi_dynamics.errors import InputError
from casadi_dynamics.opensim_process.jobs import run_job
from casadi_dynamics.opensim_process.worker.models import describe_model
from casadi_dynamics.osim import is_older, read_model
from casadi_dynamics.symbolic import build
from casadi_dynamics.verify import answer_sensors, compare
from sspinn_opensim.opensim_io.model.model_file import read_model_tree
from sspinn_opensim.opensim_io.model.upgraded_model import current_file, read_any_model, read_current


@pytest.fixture
def old_model(repository):
    """Return a public model of version 30000."""
    path = repository.parent / "shared" / "models" / "gait3d_pelvis213.osim"
    if not path.is_file():
        pytest.skip("the public models are not beside this checkout (../shared/models)")
    return path


def test_an_old_model_agrees_with_opensim(old_model):
    assert is_older(old_model)
    with pytest.raises(InputError, match="older version"):
        read_model(old_model)
    model = read_any_model(old_model)
    with np.load(old_model.with_suffix(".npz")) as stored:
        answers = dict(stored)
    errors = compare(model, build(model, answer_sensors(model, answers)), answers)
    assert len(errors) > 10 and max(errors.values()) < 1e-12, errors


def test_a_new_file_is_taken_as_it_is(repository, tmp_path):
    planar = repository / "osim_models" / "planar_gait.osim"
    assert current_file(planar, tmp_path) == planar and not list(tmp_path.iterdir())
    assert read_any_model(planar) == read_model(planar)


def test_messages_name_the_file_of_the_user(tmp_path):
    """A massless model of version 30000 whose one body OpenSim knows and we cannot convert."""
    old = tmp_path / "old.osim"
    text = '<OpenSimDocument Version="30000"><Model name="m"><ForceSet><objects>'
    text += '<ExpressionBasedCoordinateForce name="push"><coordinate>a</coordinate>'
    text += "</ExpressionBasedCoordinateForce></objects></ForceSet></Model></OpenSimDocument>"
    old.write_text(text)
    with pytest.raises(InputError) as caught:
        read_any_model(old)
    assert str(old) in caught.value.where and "upgraded_model_" not in str(caught.value)


def test_a_message_on_what_opensim_made_of_a_file_says_so(tmp_path):
    old, current = tmp_path / "old.osim", tmp_path / "old_upgraded.osim"
    old.write_text('<OpenSimDocument Version="30000"><Model name="m"/></OpenSimDocument>')
    body = '<BodySet><objects>\n<Body name="rod"/></objects></BodySet>'
    current.write_text(f'<OpenSimDocument Version="40000"><Model name="m">{body}</Model></OpenSimDocument>')
    with pytest.raises(InputError, match="No chain of joints") as caught:
        read_current(old, current)
    assert caught.value.where == f"{old}, as upgraded by OpenSim, line 2, Body 'rod'"


@pytest.mark.parametrize("text", ["", "<a/>", '<OpenSimDocument Version="10900"><Model/></OpenSimDocument>'])
def test_what_opensim_cannot_upgrade_is_refused(tmp_path, text):
    path = tmp_path / "bad.osim"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        read_any_model(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("kind", ["whole", "old"])
def test_a_model_in_several_files_becomes_one_that_opensim_loads(repository, request, tmp_path, kind):
    """OpenSim finds the sets beside the model; a copy of the model alone would have lost them."""
    old = request.getfixturevalue("old_model") if kind == "old" else None
    given = old or repository / "osim_models" / "planar_gait.osim"
    root = etree.parse(str(given)).getroot()
    sets = [root.find(f"Model/{tag}") for tag in ("BodySet", "ForceSet", "MarkerSet")]
    (tmp_path / "sets").mkdir()
    for node in [x for x in sets if x is not None]:
        node.getparent().replace(node, etree.Element(node.tag, file=f"sets/{node.tag}.xml"))
        own = etree.Element("OpenSimDocument", Version=root.get("Version"))
        own.append(node)
        own.getroottree().write(str(tmp_path / "sets" / f"{node.tag}.xml"))
    apart = tmp_path / "apart.osim"
    root.getroottree().write(str(apart))
    (tmp_path / "new").mkdir()
    file = current_file(apart, tmp_path / "new")
    assert file == tmp_path / "new" / "apart_upgraded.osim" and "file=" not in file.read_text()
    assert read_any_model(apart).bodies == read_any_model(given).bodies
    asked = [run_job(describe_model, {"model": model}, timeout_s=120).values for model in (file, given)]
    assert asked[0] == asked[1] and asked[0]["total_mass_kg"] > 70
    if kind == "whole":
        assert [b.get("name") for b in read_model_tree(apart).iter("Body")] == [
            b.get("name") for b in read_model_tree(given).iter("Body")
        ]
