"""Draw the top of a run's report as Chromium shows it: ``python docs/report_picture.py RUN [--into FILE]``."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

FILE = Path(__file__).parent / "images" / "report.png"
WIDTH, HEIGHT = 1000, 1500
WAIT_MS = 20_000  # of the browser's own time, which passes as fast as it works


def main() -> int:
    """Draw the run that is named."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("run", type=Path)
    parser.add_argument("--into", type=Path, default=FILE, help=f"(default: {FILE})")
    given = parser.parse_args()
    print(draw_report(given.run, given.into))
    return 0


def draw_report(run: Path, into: Path = FILE) -> str:
    """Write the report of a run and draw it; return what is to be said of it."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    if browser is None:
        return f"{into} is left as it is: chromium is not installed"
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "report.html"
        subprocess.run([sys.executable, "-m", "mbpo.report", str(run), "-o", str(page)], check=True)
        flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--user-data-dir={folder}"]
        flags += [f"--window-size={WIDTH},{HEIGHT}", f"--virtual-time-budget={WAIT_MS}"]
        picture = f"--screenshot={into.absolute()}"
        subprocess.run([browser, *flags, picture, page.as_uri()], check=True, stderr=subprocess.DEVNULL)
    return str(into)


if __name__ == "__main__":
    raise SystemExit(main())
