"""The lock between processes: one at a time, and the dead hold nothing."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from emotag.locks import locked


def never() -> None:
    raise AssertionError("it waits")


def test_it_is_free_again_after_the_body_and_leaves_nothing(tmp_path: Path) -> None:
    for _ in range(2):
        with locked(f"{tmp_path}/lock", never):
            assert os.listdir(tmp_path) == ["lock"]
    assert os.listdir(tmp_path) == []


def test_it_is_free_again_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), locked(f"{tmp_path}/lock", never):
        raise KeyboardInterrupt
    with locked(f"{tmp_path}/lock", never):
        pass
    assert os.listdir(tmp_path) == []


def test_who_comes_second_waits_and_is_told_so(tmp_path: Path) -> None:
    waits = threading.Event()
    order = []

    def come_second() -> None:
        with locked(f"{tmp_path}/lock", waits.set):
            order.append("second")

    with locked(f"{tmp_path}/lock", never):
        second = threading.Thread(target=come_second)
        second.start()
        assert waits.wait(10)
        order.append("first")
    second.join()
    assert order == ["first", "second"]
    assert os.listdir(tmp_path) == []


def test_an_interrupt_while_waiting_leaves_the_other_its_lock(tmp_path: Path) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    with locked(f"{tmp_path}/lock", never):
        with pytest.raises(KeyboardInterrupt), locked(f"{tmp_path}/lock", interrupt):
            never()
        assert os.listdir(tmp_path) == ["lock"]


def test_a_killed_process_holds_nothing(tmp_path: Path) -> None:
    code = """
import sys, time
from emotag.locks import locked
with locked(sys.argv[1], lambda: None):
    print("ready", flush=True)
    time.sleep(60)
"""
    command = [sys.executable, "-c", code, f"{tmp_path}/lock"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGKILL)
    assert os.listdir(tmp_path) == ["lock"]
    with locked(f"{tmp_path}/lock", never):
        pass
    assert os.listdir(tmp_path) == []


def test_four_processes_are_never_inside_together(tmp_path: Path) -> None:
    code = """
import os, sys
from emotag import locks
locks.POLL_SECONDS = 0.0005
print("ready", flush=True)
sys.stdin.readline()
for _ in range(200):
    with locks.locked(sys.argv[1] + "/lock", lambda: None):
        os.mkdir(sys.argv[1] + "/inside")
        os.rmdir(sys.argv[1] + "/inside")
"""
    command = [sys.executable, "-c", code, str(tmp_path)]
    pipe = subprocess.PIPE
    processes = [subprocess.Popen(command, stdin=pipe, stdout=pipe) for _ in range(4)]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
    for process in processes:
        process.communicate(b"go\n")
    assert [process.returncode for process in processes] == [0] * 4
    assert os.listdir(tmp_path) == []
