"""An argparse parser as compret's small commands use it: a mistake is one line and no usage."""

from __future__ import annotations

import argparse
from typing import Any, NoReturn

from compret.types import UserError


class PlainParser(argparse.ArgumentParser):
    """A parser that takes no abbreviations.

    Raises:
        UserError: the arguments are wrong; the message says what its base writes below the usage.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"allow_abbrev": False, **kwargs})

    def error(self, message: str) -> NoReturn:
        raise UserError(message.removeprefix("argument "))
