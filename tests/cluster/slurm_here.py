"""Start a real Slurm of two nodes on this machine, on loopback and inside one folder, and end all of it again.

It needs the daemons (Debian: slurmctld slurmd slurm-client munge), and neither systemd, cgroups nor a database.
By hand: ``python tests/cluster/slurm_here.py up DIR`` and ``… down DIR``.
"""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from getpass import getuser
from pathlib import Path

NODES = ("here1", "here2")
NODE = "SLURMD_NODENAME"  # Slurm puts it into the environment of jobs, we into that of daemons: so all are found
PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])
PATIENCE_S = 30.0  # a limit, not a wait: a start takes two seconds

SIZE = "CPUs=2 RealMemory=1000000 Gres=gpu:1"  # of a node: by name, whatever the machine has
CONF = {
    "ClusterName": "here",
    "MailProg": "/bin/true",
    "ProctrackType": "proctrack/linuxproc",
    "SelectType": "select/cons_tres",
    "SelectTypeParameters": "CR_CPU",  # memory can be asked for and is not counted
    "GresTypes": "gpu",
    "SlurmdParameters": "config_overrides",
    "PreemptType": "preempt/partition_prio",
    "PreemptMode": "REQUEUE",
    "ReturnToService": "2",  # a node that was killed is back once its slurmd is
    "SchedulerParameters": "batch_sched_delay=0,sched_interval=1,sched_min_interval=0,bf_interval=1",
    "SlurmdTimeout": "10",  # a node that is silent for so long is down, at the next look; Slurm's own 300
    "KillWait": "5",  # from SIGTERM to SIGKILL; Slurm's own 30
    "MinJobAge": "3600",  # a job is listed for so long after its end; Slurm's own 300
}


def is_installed() -> bool:
    """Return whether this machine has Slurm's and munge's daemons."""
    return all(shutil.which(name, path=PATH) for name in ("munged", "slurmctld", "slurmd", "sbatch"))


class SlurmHere:
    """Be a cluster of two nodes with two CPUs and a GPU by name each; partition ``high`` preempts jobs of ``low``."""

    def __init__(self, folder: Path, grace_s: int = 0, own_hosts: bool = False, **settings: str) -> None:
        """Take what a preempted job is left (``grace_s``), and lines of slurm.conf that differ from ``CONF``.

        With ``own_hosts`` (root only) each node has a host name and process numbers of its own, like a machine.
        """
        self.folder = folder.resolve()
        self.conf = self.folder / "slurm.conf"
        self._grace_s, self._own_hosts, self._settings = grace_s, own_hosts, settings

    def __enter__(self) -> SlurmHere:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start every daemon, and wait until both nodes take jobs; a folder that was stopped goes on with its jobs."""
        if not self.conf.exists():
            self._write()
        files = {"key-file": "key", "socket": "socket", "pid-file": "pid", "log-file": "log", "seed-file": "seed"}
        self._daemon("controller", "munged", "--force", *(f"--{a}={self.folder}/munge.{b}" for a, b in files.items()))
        self._daemon("controller", "slurmctld")
        for node in NODES:
            self.start_node(node)

    def stop(self) -> None:
        """End every daemon and every job, also those whose daemons were killed before."""
        self._end(signal.SIGTERM, "controller", names=("slurmctld",))  # it saves its jobs
        self._end(signal.SIGKILL, "controller", *NODES)

    def start_node(self, node: str) -> None:
        """Start a node, also one that was killed, and wait until it takes jobs."""
        command = f"slurmd -N {node}"
        if self._own_hosts:  # bash stays, and reaps orphans
            inside = f"hostname {node}; mount --bind hosts /etc/hosts; {command}; sleep infinity; :"
            command = f"setsid --fork unshare --uts --pid --fork --mount-proc bash -c '{inside}'"
        self._daemon(node, *shlex.split(command))
        deadline = time.monotonic() + PATIENCE_S
        while (state := self.node_state(node)) not in ("idle", "mixed", "allocated", "completing"):
            assert time.monotonic() < deadline, f"{node} is {state}: see {self.folder}/*.log"
            time.sleep(0.1)

    def kill_node(self, node: str, *names: str) -> None:
        """Kill all of a node by SIGKILL, its jobs too; or only its processes called ``names``: slurmd, slurmstepd."""
        self._end(signal.SIGKILL, node, names=names)

    def node_state(self, node: str) -> str:
        """Return idle, mixed, allocated, completing, down…; with ``*`` where the node does not answer.

        A ``+`` behind it says that the node completes a job beside others.
        """
        asked = ["sinfo", "-h", "-N", "-p", "low", "-n", node, "-o", "%T"]
        return subprocess.run(asked, env=self.env(), text=True, capture_output=True).stdout.strip().rstrip("+")

    def env(self) -> dict[str, str]:
        """Return the environment in which sbatch, squeue, scontrol and the others find this Slurm and no other."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("SLURM", "SBATCH_"))}
        return {**kept, "PATH": PATH, "SLURM_CONF": str(self.conf)}

    def run(self, *command: str) -> str:
        """Return what a command of Slurm's prints."""
        return subprocess.run(command, env=self.env(), text=True, check=True, stdout=subprocess.PIPE).stdout

    def sbatch(self, *arguments: str) -> str:
        """Submit a job and return its id."""
        return self.run("sbatch", "--parsable", *arguments).strip()

    def states(self) -> dict[str, str]:
        """Return the state of each job, ended ones too, by its id; a task of an array is ``ARRAY_TASK``."""
        return dict(line.split() for line in self.run("squeue", "-h", "-r", "-t", "all", "-o", "%i %T").splitlines())

    def job(self, job: str) -> dict[str, str]:
        """Return what ``scontrol show job`` says of one job: JobState, ExitCode, Restarts, Reason and more."""
        words = self.run("scontrol", "-o", "show", "job", job).split()
        return dict(word.split("=", 1) for word in words if "=" in word)

    def _write(self) -> None:
        """Write slurm.conf and the key, once for a folder: the jobs that wait know the ports."""
        for name in ("state", *NODES):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        (self.folder / "munge.key").touch(mode=0o600)
        (self.folder / "munge.key").write_bytes(os.urandom(128))
        (self.folder / "gres.conf").write_text("Name=gpu File=/dev/null\n")
        address = socket.gethostbyname(socket.gethostname())  # where daemons listen if told not to do so everywhere
        within = {"CommunicationParameters": "NoInAddrAny,NoCtldInAddrAny"} if address.startswith("127.") else {}
        address = address if within else "127.0.0.1"
        (self.folder / "hosts").write_text(f"{address} localhost {socket.gethostname()} {' '.join(NODES)}\n")
        free = [socket.create_server((address, 0)) for _ in range(3)]
        port, *ports = [server.getsockname()[1] for server in free]
        for server in free:
            server.close()
        places = {
            "SlurmctldHost": f"localhost({address})",
            "AuthInfo": f"socket={self.folder}/munge.socket,cred_expire=5",  # a requeued job waits for it; 120
            "SlurmUser": getuser(),
            "SlurmdUser": getuser(),
            "SlurmctldPort": str(port),
            "StateSaveLocation": f"{self.folder}/state",
            "SlurmdSpoolDir": f"{self.folder}/%n",
            "SlurmctldPidFile": f"{self.folder}/slurmctld.pid",
            "SlurmdPidFile": f"{self.folder}/%n.pid",
            "SlurmctldLogFile": f"{self.folder}/slurmctld.log",
            "SlurmdLogFile": f"{self.folder}/%n.log",
        }
        lines = [f"{name}={value}" for name, value in {**CONF, **within, **places, **self._settings}.items()]
        for node, at in zip(NODES, ports, strict=True):
            lines.append(f"NodeName={node} NodeHostname=localhost NodeAddr={address} Port={at} {SIZE}")
        lines.append(f"PartitionName=low Nodes=ALL Default=YES PriorityTier=1 GraceTime={self._grace_s}")
        lines.append("PartitionName=high Nodes=ALL PriorityTier=2 PreemptMode=OFF")
        self.conf.write_text("\n".join(lines) + "\n")

    def _daemon(self, node: str, *command: str) -> None:
        """Start a daemon: it returns once it is in the background."""
        with (self.folder / "printed.log").open("ab") as out:
            env = {**self.env(), NODE: node}
            subprocess.run(command, env=env, cwd=self.folder, check=True, stdout=out, stderr=out)

    def _pids(self, *nodes: str, names: tuple[str, ...] = ()) -> list[int]:
        """Return the processes of some nodes, orphans too, daemons first; only those called ``names`` if any are."""
        conf, places = f"SLURM_CONF={self.conf}".encode(), {f"{NODE}={node}".encode() for node in nodes}
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):  # it ended meanwhile, or is another user's
                env = (process / "environ").read_bytes().split(b"\0")
                name = (process / "comm").read_text().strip()
                if conf in env and places.intersection(env) and (not names or name in names):
                    found.append((name not in ("slurmd", "slurmstepd"), int(process.name)))
        return [pid for _, pid in sorted(found)]

    def _end(self, number: signal.Signals, *nodes: str, names: tuple[str, ...] = ()) -> None:
        """Send a signal until no process is left, daemons first: none may still tell of another's end, or start one."""
        deadline = time.monotonic() + PATIENCE_S
        while (pids := self._pids(*nodes, names=names)) and time.monotonic() < deadline:
            for pid in pids:
                with suppress(ProcessLookupError):
                    os.kill(pid, number)
            time.sleep(0.05)


if __name__ == "__main__":
    what, where = sys.argv[1:]
    {"up": SlurmHere.start, "down": SlurmHere.stop}[what](SlurmHere(Path(where)))
    print(f"export SLURM_CONF={Path(where).resolve()}/slurm.conf" if what == "up" else "down")
