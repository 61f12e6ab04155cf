"""Real signals, sent to this process."""

import os
import signal
import threading

import pytest

from rnn_jax.train.signals import stop_on_signals


@pytest.mark.parametrize("number, code", [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_asks_to_stop_and_the_old_handlers_come_back(number, code):
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    with stop_on_signals() as stop:
        assert not stop.requested and stop.exit_code == 0
        os.kill(os.getpid(), number)
        assert stop.requested and stop.signal_number == number and stop.exit_code == code
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before


def test_the_second_interrupt_stops_at_once_and_the_second_sigterm_does_not():
    before = signal.getsignal(signal.SIGINT)
    with stop_on_signals() as stop:
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert stop.exit_code == 143 and signal.getsignal(signal.SIGINT) == before


def test_outside_the_main_thread_nothing_is_installed():
    seen = []

    def work():
        with stop_on_signals() as stop:
            seen.extend([stop.requested, signal.getsignal(signal.SIGTERM)])

    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [False, before]
