"""The worker's text, joined from its parts as the build does."""

from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent.parent / "workers" / "python"
NAME = "teal_worker.py"


def read():
    parts = (FOLDER / "teal_worker.parts").read_text(encoding="utf-8").split()
    return "".join((FOLDER / part).read_text(encoding="utf-8") for part in parts)
