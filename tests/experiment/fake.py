"""In place of compret: a fit counts to ten and saves on the way, a test writes a number that follows from the fit.

It says in the file `calls` when it begins and ends. A file `fail-RUN-COMMAND` has it fail, `silent-RUN` has
a test write nothing, and `slow` makes all slow.
"""

import json
import os
import signal
import sys
import time
from pathlib import Path

command, *words = sys.argv[1:]
options = dict(word.lstrip("-").split("=", 1) for word in words if "=" in word)
root, name, version = Path(options["trainer.default_root_dir"]), options["name"], os.environ["COMPRET_VERSION"]
run = name.split("/")[1]
logs, checkpoints = (root / room / name / version for room in ("logs", "checkpoints"))


def say(what: str) -> None:
    with (root / "calls").open("a") as calls:
        calls.write(f"{command} {run} {what}\n")


def save(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}")
    part.write_text(text)
    part.replace(path)


given = options.get("ckpt_path")
at = int(Path(given).read_text()) if given else 0
say(f"begins at {at}")
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
sys.stdout.write("".join(f"line {i}\n" for i in range(20)))
sys.stdout.flush()
if (root / f"fail-{run}-{command}").exists():
    sys.exit("what went wrong")
pause = 0.5 if (root / "slow").exists() else 0.005
if command == "fit":
    for step in range(at, 10):
        time.sleep(pause)
        save(checkpoints / "last.ckpt", str(step + 1))
else:
    time.sleep(10 * pause)
    if not (root / f"silent-{run}").exists():
        save(logs / "results.json", json.dumps({"run": run, "number": at * int(options.get("seed_everything", 1))}))
say("ends")
