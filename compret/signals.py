"""How a process of compret ends: 130 after Ctrl-C and 143 after SIGTERM, wherever it is; ranks with their launcher.

Nothing heavy is imported here, so that it holds from the first line of `main` on.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Literal

LAUNCHER = "COMPRET_LAUNCHER"
"""Variable that tells the ranks that Lightning starts which process started them."""
_SAID = {signal.SIGINT: "interrupted", signal.SIGTERM: "told to end"}


class Ending:
    """What SIGINT and SIGTERM do. The first that comes is kept in `told`, and decides the exit code.

    `leave` ends the process in the handler, for when there is nothing to tidy up: an exception that is raised while
    modules are imported may be lost. `unwind` raises SystemExit, so that what is half-written goes. `note` leaves it to
    a training loop to end after its step. The same signal once more is answered more rudely.
    """

    def __init__(self) -> None:
        self.told: int | None = None
        self.how: Literal["leave", "unwind", "note"] = "leave"

    @contextmanager
    def listening(self, is_last: bool) -> Iterator[None]:
        """Handle both signals within the block.

        Args:
            is_last: the process ends with the block: a signal that comes later is too late and changes nothing. Else
                the handlers from before come back.
        """
        self.told, self.how = None, "leave"
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.getsignal(number) for number in _SAID}
        self.listen()
        try:
            yield
        finally:
            for number in _SAID:
                signal.signal(number, signal.SIG_IGN if is_last else before[number])

    def listen(self) -> None:
        """Take the signals, also back from Lightning, which puts its handlers in at the start of each run."""
        if threading.current_thread() is threading.main_thread():
            for number in _SAID:
                signal.signal(number, self._hear)

    @property
    def code(self) -> int:
        """The exit code. Of ranks that Lightning started 0, since for any other it kills rank 0 before it has ended."""
        return 0 if self.told is None or is_launched() else 128 + self.told

    def say(self) -> None:
        if self.told is not None and not is_launched():
            sys.stderr.write(f"compret: {_SAID[signal.Signals(self.told)]}\n")

    def _hear(self, number: int, frame: FrameType | None) -> None:
        is_first, is_repeated = self.told is None, self.told == number
        if not (is_first or is_repeated):
            return  # a terminal and a launcher may tell the same end in two ways
        self.told = number
        if self.how == "leave":
            self.say()
            sys.stderr.flush()
            os._exit(self.code)
        if self.how == "unwind" or is_repeated:
            self.how = "leave"
            raise SystemExit(self.code)


ending = Ending()
"""This process's."""


def is_launched() -> bool:
    """Whether Lightning started this process as a rank of a run that compret began."""
    return LAUNCHER in os.environ and os.environ.get("LOCAL_RANK", "0") != "0"


def end_with_launcher(every: float = 0.5) -> None:
    """Have a thread end this rank when the process that started it is gone, however that ended.

    A rank that waits for another one in a collective hears no exception and no signal; it would wait for ever.
    """
    if is_launched():
        launcher = int(os.environ[LAUNCHER])
    elif "TORCHELASTIC_RUN_ID" in os.environ:
        launcher = os.getppid()
    else:
        return
    threading.Thread(target=_watch, args=(launcher, every), name="launcher", daemon=True).start()


def _watch(launcher: int, every: float) -> None:
    while os.getppid() == launcher:
        time.sleep(every)
    os.kill(os.getpid(), signal.SIGKILL)
