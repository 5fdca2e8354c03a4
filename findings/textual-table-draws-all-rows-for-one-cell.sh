#!/usr/bin/env bash
# textual 8.2.8: DataTable.update_cell and update_cell_at end in refresh() without a region, so that all rows in view are
# drawn again and written to the terminal for one cell of one row. refresh_row(index) draws that row alone.
# Why it matters here: a table of runs of which one makes news each second cost 10 kB/s, more than all else on the screen,
# over ssh. What helps: let refresh() pass while update_cell is called, then refresh_row.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check textual==8.2.8
cat >"$folder/app.py" <<'PY'
import sys

from textual.app import App
from textual.widgets import DataTable


class Runs(App):
    def compose(self):
        yield DataTable()

    def on_mount(self):
        self.table = self.query_one(DataTable)
        self.table.add_column("run", key="run", width=60)
        for row in range(20):
            self.table.add_row(f"run {row}", key=str(row))
        self.set_timer(2.0, self.change)
        self.set_timer(4.0, self.exit)

    def change(self):
        if sys.argv[1] == "cell":
            self.table.update_cell("3", "run", "news")
        else:
            self.table.refresh_row(3)


Runs().run()
PY
"$folder/venv/bin/python" - "$folder/app.py" <<'PY'
import os
import pty
import sys
import time


def written(what):
    """Return the bytes that the app writes from 1.5 s on, so of the change alone."""
    child, terminal = pty.fork()
    if child == 0:
        os.environ.update(TERM="xterm-256color", COLUMNS="80", LINES="24")
        os.execv(sys.executable, [sys.executable, sys.argv[1], what])
    start, count, first = time.monotonic(), 0, None
    while time.monotonic() - start < 30:
        try:
            data = os.read(terminal, 1 << 16)
        except OSError:
            break
        first = first or time.monotonic()
        count += len(data) * (1.5 < time.monotonic() - first < 3.0)
    os.waitpid(child, 0)
    return count


cell, row = written("cell"), written("row")
print(f"bytes written: {cell} for update_cell, {row} for refresh_row")
assert cell > 5 * row > 0, "changed"
PY
echo "as described: textual 8.2.8"
