"""The command line, and then the names of the threads that are left to end.

    python ends.py FOLDER COMMAND [OPTIONS]
Each rank writes FOLDER/threads_RANK, on Linux.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path

from compret.__main__ import main

if __name__ == "__main__":
    code = main(sys.argv[2:])
    threads = []
    for task in Path("/proc/self/task").iterdir():
        with suppress(FileNotFoundError):  # ended meanwhile
            threads.append((task / "comm").read_text())
    (Path(sys.argv[1]) / f"threads_{os.environ.get('LOCAL_RANK', 0)}").write_text("".join(threads))
    sys.exit(code)
