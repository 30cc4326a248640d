"""What a process has used of the processor; for peers too, so it imports nothing of ours."""

from __future__ import annotations

import os
from pathlib import Path


def cpu_s(pid: int | str) -> float:
    """User and system seconds of a process, all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
