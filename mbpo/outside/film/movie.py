"""Write frames into a video file as they come, by the ffmpeg that imageio-ffmpeg brings."""

from __future__ import annotations

import contextlib
import os
import subprocess
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mbpo.errors import ConfigError, StorageError
from mbpo.settings.packages import install_command
from mbpo.settings.setting import shown

SUFFIXES = (".mp4", ".gif")
HELD_S = 1.0  # for which the last frame stands
# A palette of its own for each frame: nothing waits for the last one.
GIF = ["-vf", "split[a][b];[a]palettegen=stats_mode=single[p];[b][p]paletteuse=new=1:dither=none", "-loop", "0"]
MP4 = ["-c:v", "libx264", "-crf", "20", "-pix_fmt", "yuv420p", "-movflags", "+faststart"]  # players want 4:2:0


def check_movie(path: Path) -> None:
    """Find out now, before the work, whether a film can be written to ``path``.

    Raises:
        ConfigError: it cannot, or its kind is unknown, or imageio-ffmpeg is not installed.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise ConfigError(f"--video expected a name that ends in {' or '.join(SUFFIXES)}, got {shown(path.name)}")
    if path.is_dir() or not os.access(path.parent, os.W_OK | os.X_OK) or not path.parent.is_dir():
        what = "is a folder" if path.is_dir() else "its folder is not there or not writable"
        raise ConfigError(f"cannot write {shown(str(path))}: {what}; give --video a file in a folder that exists")
    try:
        import imageio_ffmpeg

        imageio_ffmpeg.get_ffmpeg_exe()
    except ImportError:
        raise ConfigError(f"--video needs imageio-ffmpeg: {install_command('imageio-ffmpeg')}") from None
    except RuntimeError:
        raise ConfigError("imageio-ffmpeg has no ffmpeg for this system; on Debian: apt-get install ffmpeg") from None


class Movie:
    """Write a film under a name of its own until it is whole; the first frame sets the size."""

    def __init__(self, path: Path, fps: float) -> None:
        self._path, self._fps = path, fps
        self._building = path.with_name(f".{path.stem[:100]}.{os.getpid()}.tmp{path.suffix.lower()}").absolute()
        self._ffmpeg: subprocess.Popen[bytes] | None = None
        self.frames = 0
        self._last = b""

    def add(self, frame: NDArray[np.uint8]) -> None:
        """Write ``frame`` [H, W, 3], both even, as H.264 has it.

        Raises:
            StorageError: ffmpeg ended.
        """
        if self._ffmpeg is None:
            self._ffmpeg = self._started(frame.shape[1], frame.shape[0])
        self._last = np.ascontiguousarray(frame).tobytes()
        self._write(self._last)
        self.frames += 1

    def finish(self) -> None:
        """Let the last frame stand for a while, and put the film in its place.

        Raises:
            StorageError: it is not whole.
        """
        for _ in range(round(self._fps * HELD_S) if self.frames else 0):
            self._write(self._last)
        said = self._end()
        if self._ffmpeg is None or self._ffmpeg.returncode:
            raise self._refused(said)
        try:
            self._building.replace(self._path)
        except OSError as error:
            raise self._refused(error.strerror or "") from None

    def drop(self) -> None:
        """Leave nothing behind that is not whole."""
        self._end()
        self._building.unlink(missing_ok=True)

    def _write(self, frame: bytes) -> None:
        assert self._ffmpeg is not None and self._ffmpeg.stdin is not None
        try:
            self._ffmpeg.stdin.write(frame)
        except OSError:
            raise self._refused(self._end()) from None

    def _started(self, width: int, height: int) -> subprocess.Popen[bytes]:
        import imageio_ffmpeg

        frames = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", f"{self._fps:g}", "-i", "-"]
        output = GIF if self._path.suffix.lower() == ".gif" else MP4
        return subprocess.Popen(
            [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "fatal", "-y", *frames, *output, str(self._building)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is for us
        )

    def _end(self) -> str:
        """Wait until ffmpeg has written what it got; return its last word."""
        if self._ffmpeg is None or self._ffmpeg.stderr is None or self._ffmpeg.stderr.closed:
            return ""
        with contextlib.suppress(OSError):
            self._ffmpeg.stdin.close() if self._ffmpeg.stdin else None
        with self._ffmpeg.stderr as stream:
            said = stream.read().decode(errors="replace").strip().splitlines()
        self._ffmpeg.wait()
        return said[-1] if said else ""

    def _refused(self, said: str) -> StorageError:
        return StorageError(f"cannot write {shown(str(self._path))}: ffmpeg broke off: {said[:80] or 'disk full?'}")
