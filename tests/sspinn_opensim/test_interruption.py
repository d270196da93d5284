"""Signals that end a command: raised once, held back while a step runs, ignored where they were."""

import signal

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
    with as_exceptions():
        for _ in range(2):
            with pytest.raises(Interrupted):
                signal.raise_signal(signal.SIGTERM)


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
