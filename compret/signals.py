"""How a process of compret ends: 130 after Ctrl-C and 143 after SIGTERM, wherever it is; ranks with their launcher.

Nothing heavy is imported here, so that it holds from the first line of `main` on.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Literal, NoReturn

LAUNCHER = "COMPRET_LAUNCHER"
"""Variable that tells the ranks that Lightning starts which process started them."""
_UNHEARD, _UNWINDING = 3.0, 20.0
"""Seconds that a signal may go unheard, since Python waits for native code, and that a process may take to tidy up."""
_SAID = {signal.SIGINT: "interrupted", signal.SIGTERM: "told to end"}


class Ending:
    """What SIGINT and SIGTERM do. The first that comes is kept in `told`, and decides the exit code.

    `leave` ends the process in the handler, for when there is nothing to tidy up: an exception that is raised while
    modules are imported may be lost. `unwind` raises SystemExit, so that what is half-written goes. `note` leaves it to
    a training loop to end after its step. The same signal once more is answered more rudely. A thread sees to it that a
    process ends that is in native code, such as a rank that waits for another one's connection, which hears nothing.
    """

    def __init__(self) -> None:
        self.told: int | None = None
        self.how: Literal["leave", "unwind", "note"] = "leave"
        self.tidy: Callable[[], None] | None = None
        """What to do at least where there is no unwinding."""

    @contextmanager
    def listening(self, is_last: bool) -> Iterator[None]:
        """Handle both signals within the block.

        Args:
            is_last: the process ends with the block: a signal that comes later is too late and changes nothing. Else
                the handlers from before come back.
        """
        self.told, self.how, self.tidy = None, "leave", None
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.getsignal(number) for number in _SAID}
        self.listen()  # first: a signal while the thread starts would be an error of its start
        heard, told = os.pipe()
        os.set_blocking(told, False)
        told_before = signal.set_wakeup_fd(told, warn_on_full_buffer=False)
        over = threading.Event()
        threading.Thread(target=self._insist, args=(heard, over), name="ending", daemon=True).start()
        unraisable_before = sys.unraisablehook
        sys.unraisablehook = self._unless_ending
        try:
            yield
        finally:
            sys.unraisablehook = unraisable_before
            for number in _SAID:
                signal.signal(number, signal.SIG_IGN if is_last else before[number])
            signal.set_wakeup_fd(told_before)
            os.close(told)
            if not is_last:
                over.set()

    def listen(self) -> None:
        """Take the signals, also back from Lightning, which puts its handlers in at the start of each run."""
        if threading.current_thread() is threading.main_thread():
            for number in _SAID:
                signal.signal(number, self._hear)

    def _unless_ending(self, unraisable: sys.UnraisableHookArgs) -> None:
        """A signal that came in a finalizer, which lets no exception out, is no error to tell; `_insist` sees to it."""
        if not (self.told is not None and unraisable.exc_type is SystemExit):
            sys.__unraisablehook__(unraisable)

    @property
    def code(self) -> int:
        """The exit code. Of ranks that Lightning started 0, since for any other it kills rank 0 before it has ended."""
        return 0 if self.told is None or is_launched() else 128 + self.told

    def say(self) -> None:
        if self.told is not None and not is_launched():
            sys.stderr.write(f"compret: {_SAID[signal.Signals(self.told)]}\n")

    def leave(self) -> NoReturn:
        """Unwind for the signal that was noted."""
        self.how = "leave"
        raise SystemExit(self.code)

    def _insist(self, heard: int, over: threading.Event) -> None:
        """End the process where a signal does not; `heard` gives the number of each as it comes."""
        with open(heard, "rb", buffering=0) as signals:
            number = next((byte[0] for byte in iter(lambda: signals.read(1), b"") if byte[0] in _SAID), None)
        if number is None or over.wait(_UNHEARD):
            return
        while self.how == "note":
            over.wait(_UNHEARD)
        if self.told is None or not over.wait(_UNWINDING):
            self.told = self.told or number
            self._exit()

    def _exit(self) -> NoReturn:
        if self.tidy is not None:
            self.tidy()
        self.say()
        sys.stderr.flush()
        os._exit(self.code)

    def _hear(self, number: int, frame: FrameType | None) -> None:
        is_first, is_repeated = self.told is None, self.told == number
        if not (is_first or is_repeated):
            return  # a terminal and a launcher may tell the same end in two ways
        self.told = number
        if self.how == "leave":
            self._exit()
        if self.how == "unwind" or is_repeated:
            self.leave()


ending = Ending()
"""This process's."""


def is_launched() -> bool:
    """Whether Lightning started this process as a rank of a run that compret began."""
    return LAUNCHER in os.environ and os.environ.get("LOCAL_RANK", "0") != "0"


def wait_for_launcher(error: BaseException) -> None:
    """Give what started this rank the time to end: if it does, it has closed a connection, and that was the error."""
    if is_launched() and isinstance(error, Exception):
        time.sleep(_UNHEARD)


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
