"""What a user sees: notes once, headings, results, and the steps of a training."""

import dataclasses
import logging
import subprocess
import sys
import warnings

import pytest

from casadi_dynamics.errors import InputWarning
from sspinn_opensim.cli.console import Screen
from sspinn_opensim.training.settings import Progress

LOG = logging.getLogger("sspinn_opensim.verbs.any")


def step(number, steps=20, value=2.0):
    terms, weights = {"torque": value, "friction": 0.5}, {"torque": 1.0, "friction": 4.0}
    return Progress(3, number, steps, terms, weights, value + 2.0, 65.0)


def test_what_is_logged_is_printed_while_the_screen_is_attached(capsys):
    before = logging.getLogger("sspinn_opensim").handlers[:]
    with Screen().attached():
        LOG.info("scale", extra={"heading": True})
        LOG.info("[1, 2] bodies")
        LOG.info(step(1).terms)
        LOG.debug("not for users")
    LOG.info("nobody listens")
    assert logging.getLogger("sspinn_opensim").handlers == before
    first, *rest = capsys.readouterr().out.splitlines()
    assert first.startswith("scale ─") and rest == ["[1, 2] bodies", "{'torque': 2.0, 'friction': 0.5}"]


def test_names_steer_neither_the_terminal_nor_the_console(capsys, monkeypatch):
    """A name that would be markup, move the cursor, turn the direction of the text or is half a character."""
    # Half a character cannot pass from one test process to another, where pytest reports what was logged.
    monkeypatch.setattr(logging.getLogger("sspinn_opensim"), "propagate", False)
    nasty = "x [/1.3][bold]\x1b[2J\x9b1A\u202e\ud800\r\x07"
    screen = Screen()
    with screen.attached():
        LOG.info(nasty, extra={"heading": True})
        LOG.info(nasty)
        warnings.simplefilter("always")
        warnings.warn(nasty, InputWarning, stacklevel=1)
    printed = capsys.readouterr()
    for text in (printed.out.splitlines()[0], printed.out.splitlines()[1], printed.err):
        assert "x [/1.3][bold]\\x1b[2J\\x9b1A\\u202e\\ud800\\r\\x07" in text


def test_a_readers_warning_is_one_note_and_others_stay_warnings(capsys):
    screen, usual = Screen(), warnings.showwarning
    with screen.attached():
        warnings.simplefilter("always")
        for _ in range(3):
            warnings.warn("walk.mot: a blank line", InputWarning, stacklevel=1)
        with pytest.warns(UserWarning, match="of a library"):
            warnings.warn("of a library", UserWarning, stacklevel=1)
    assert warnings.showwarning is usual
    printed = capsys.readouterr()
    assert printed.out == "" and printed.err.count("note: walk.mot: a blank line\n") == 1
    assert "note: of a library" not in printed.err


def test_elsewhere_than_on_a_terminal_a_training_is_ten_lines(capsys):
    screen = Screen()
    with screen.attached():
        for number in range(1, 21):
            screen.progress(step(number))
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 20  # a line of the step, and one of the terms
    assert lines[0] == "seed 3: step 2 of 20, 1:05 left, loss 4" and lines[-2].startswith("seed 3: step 20")
    assert lines[1].split() == ["torque", "2", "friction", "0.5"]


def test_terms_that_were_zero_throughout_are_not_told(capsys):
    screen = Screen()
    with screen.attached():
        for number in (1, 2, 20):
            never = {"facing": 0.0, "slope": 0.1 * (number == 2)}
            screen.progress(dataclasses.replace(step(number), terms=step(number).terms | never))
    told = capsys.readouterr().out.splitlines()[-1].split()
    assert told[::2] == ["torque", "friction", "slope"]


def test_on_a_terminal_a_training_is_live_until_something_is_said(capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    screen = Screen()
    with screen.attached():
        screen.progress(step(1))
        assert screen._live is not None
        LOG.info("stopped early")
        assert screen._live is None
        screen.progress(step(2))
        screen.progress(step(20))
        assert screen._live is None
    printed = capsys.readouterr().out
    assert "share" in printed and "50 %" in printed and "stopped early" in printed
    assert "seed 3: step 20 of 20" in printed


@pytest.mark.parametrize("verb", ["--help", "doctor"])
def test_the_command_answers_where_rich_is_missing(verb, tmp_path, repository):
    (tmp_path / "rich.py").write_text("raise ImportError('broken')\n")
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); from sspinn_opensim import cli; "
    code += f"cli.main([{verb!r}])"
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=repository, capture_output=True, text=True, timeout=120, check=False
    )
    assert answer.returncode == 0 and "Traceback" not in answer.stderr
    assert ("usage: sspinn" if verb == "--help" else "python ") in answer.stdout
