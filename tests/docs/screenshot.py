"""Takes the README's picture: `python -m tests.docs.screenshot` (Linux, with Chromium).

Starts the real `monitor run --demo` in a pseudo-terminal, in a folder of its own, waits until it
has caught up and a number is out of service, and draws the last frame it wrote. Nothing is
retouched: what looks wrong in the picture looks wrong in the terminal.
"""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time
import urllib.error
import urllib.request
from io import StringIO
from pathlib import Path
from typing import Any

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).resolve().parents[2]
TARGET = ROOT / "docs" / "images" / "live.png"
STATUS = "http://127.0.0.1:9108/status"
COLUMNS, LINES = 124, 44
WAIT_S = 600
_REWIND = re.compile(r"(?:\r?\x1b\[2K(?:\x1b\[1A)?)+")
"""How rich goes back to the top of its picture before it draws the next one."""
_CURSOR = re.compile(r"\x1b\[\?\d+[lh]")
_WEB_FONT = re.compile(r"@font-face \{\{.*?\}\}\s*", re.DOTALL)


class Terminal:
    """`monitor run --demo` in a terminal of its own."""

    def __init__(self, folder: Path) -> None:
        self._end, inner = pty.openpty()
        fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
        self.process = subprocess.Popen(
            [Path(sys.executable).parent / "monitor", "run", "--demo"],
            cwd=folder,
            stdin=inner,
            stdout=inner,
            stderr=inner,
            start_new_session=True,
            env={**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor"},
        )
        os.close(inner)
        self._written = b""

    def read(self, seconds: float) -> None:
        """Take in what it writes for so long."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if select.select([self._end], [], [], left)[0]:
                try:
                    self._written += os.read(self._end, 65_536)
                except OSError:  # the other side is closed: it has ended
                    return

    def frame(self) -> str:
        """The last whole picture, with its colours."""
        frames = _REWIND.split(self._written.decode(errors="replace"))
        return _CURSOR.sub("", max(frames[-4:], key=len)).replace("\r", "")

    def stop(self) -> int:
        """Press ctrl-c; its exit status."""
        self.process.send_signal(signal.SIGINT)
        self.read(3)
        return self.process.wait(30)


def status() -> dict[str, Any]:
    """What the daemon says of itself; empty as long as it says nothing."""
    try:
        with urllib.request.urlopen(STATUS, timeout=5) as answer:
            found: dict[str, Any] = json.load(answer)
            return found
    except (urllib.error.URLError, OSError):
        return {}


def picture(frame: str) -> str:
    """The frame as SVG, in fonts that this machine has."""
    console = Console(
        record=True, width=COLUMNS, force_terminal=True, color_system="truecolor", file=StringIO()
    )
    for line in frame.rstrip().split("\n"):
        console.print(Text.from_ansi(line), no_wrap=True, overflow="crop")
    template = _WEB_FONT.sub("", CONSOLE_SVG_FORMAT).replace(
        "Fira Code", "DejaVu Sans Mono, Noto Sans Mono CJK SC"
    )
    return console.export_svg(title="monitor run --demo", code_format=template)


def draw(svg: str, target: Path, folder: Path) -> None:
    """SVG to PNG with Chromium."""
    size = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', svg)
    assert size is not None
    width, height = (round(float(side)) for side in size.groups())
    page = folder / "picture.html"
    page.write_text(f'<body style="margin:0;background:#fff">{svg}</body>', encoding="utf-8")
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
    shot = [f"--window-size={width},{height}", f"--screenshot={target}", page.as_uri()]
    subprocess.run(["chromium", *options, *shot], check=True, capture_output=True, timeout=120)


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if status():
            sys.exit("another daemon has the port already")
        terminal = Terminal(folder)
        try:
            end = time.monotonic() + WAIT_S
            now: dict[str, Any] = {}
            while not (now.get("ready") and now["numbers"].get("suspended")):
                if time.monotonic() > end or terminal.process.poll() is not None:
                    sys.exit(f"not in {WAIT_S} s: {now}\n{terminal.frame()}")
                terminal.read(1)
                now = status()
            terminal.read(2)
            frame = terminal.frame()
        finally:
            terminal.stop()
        draw(picture(frame), TARGET, folder)


if __name__ == "__main__":
    main()
