"""Signals that end a command: raised once, held back while a step runs, ignored where they were."""

import contextlib
import signal
import subprocess
import sys

import pytest

from sspinn_opensim import interruption
from sspinn_opensim.interruption import Interrupted, as_exceptions, held_back

SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_is_an_exception_and_the_next_does_not_disturb_the_cleaning(number):
    cleaned = False
    with pytest.raises(Interrupted) as caught, as_exceptions():
        try:
            signal.raise_signal(number)
        finally:
            signal.raise_signal(signal.SIGINT)
            cleaned = True
    assert caught.value.number == number and cleaned
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_after_a_while_signals_are_heard_again(monkeypatch):
    """An interruption that something swallowed is not the last one."""
    monkeypatch.setattr(interruption, "DEAF_S", 0.0)
    heard = []
    with pytest.raises(Interrupted), as_exceptions():
        for _ in range(2):
            with pytest.raises(Interrupted):
                signal.raise_signal(signal.SIGTERM)
            heard.append("once")
    assert len(heard) == 2


@pytest.mark.parametrize("number", SIGNALS)
def test_an_interruption_that_other_code_turned_into_its_own_error_is_one(number):
    """CasADi does: a signal that comes while it converts an argument ends as a wrong argument."""
    with pytest.raises(Interrupted) as caught, as_exceptions():
        try:
            signal.raise_signal(number)
        except KeyboardInterrupt:
            raise NotImplementedError("Wrong number or type of arguments") from None
    assert caught.value.number == number


@pytest.mark.parametrize("number", SIGNALS)
def test_an_interruption_that_was_lost_is_told_at_the_end(number):
    done = []
    with pytest.raises(Interrupted) as caught, as_exceptions():
        with contextlib.suppress(KeyboardInterrupt):
            signal.raise_signal(number)
        done.append("all")
    assert caught.value.number == number and done


def test_an_error_without_an_interruption_stays_what_it_is():
    with pytest.raises(ZeroDivisionError), as_exceptions():
        raise ZeroDivisionError


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_waits_for_a_whole_step(number):
    steps = []
    with pytest.raises(Interrupted) as caught, as_exceptions(), held_back() as interrupted:
        while not interrupted():
            steps.append("begun")
            signal.raise_signal(number)
            steps.append("whole")
    assert steps == ["begun", "whole"] and caught.value.number == number


def test_a_second_signal_does_not_wait():
    with pytest.raises(Interrupted) as caught, as_exceptions(), held_back():
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGINT)
        raise AssertionError("not reached")
    assert caught.value.number == signal.SIGINT


def test_what_the_process_was_started_to_ignore_stays_ignored():
    """As `nohup` does with the closing of the terminal."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with as_exceptions(), held_back() as interrupted:
            signal.raise_signal(signal.SIGHUP)
            assert not interrupted()
    finally:
        signal.signal(signal.SIGHUP, before)


def test_ctrl_c_while_modules_load_leaves_no_traceback():
    script = """
import os, signal, sys
from sspinn_opensim.__main__ import main

class Interrupting:
    def find_spec(self, name, *_):
        if name.startswith("sspinn_opensim.cli"):
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupting())
main()
"""
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert found.returncode == -signal.SIGINT and found.stderr == b""
