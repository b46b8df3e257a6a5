"""The steps that run in this process's care: started, signalled and heard of, each for its run."""

import selectors
import signal
import socket
import threading
from collections.abc import Collection, Sequence
from contextlib import suppress

from worker.adapters.engine.local_lightweight import EXECUTOR, RUNTIME
from worker.adapters.engine.local_run import ClaimedRun
from worker.adapters.engine.local_spawn import Command, Exited, Spawner, Started
from worker.engine.plan import Launch
from worker.errors import TryLater


class Bell:
    """Wakes the engine's thread from others; ringing never blocks, and a closed bell is not heard."""

    def __init__(self) -> None:
        """Begin closed."""
        self._lock = threading.Lock()
        self._rope: socket.socket | None = None
        self.ear: socket.socket | None = None

    def open(self) -> None:
        """Hang it up."""
        self.ear, self._rope = socket.socketpair()
        self.ear.settimeout(0)
        self._rope.settimeout(0)

    def ring(self) -> None:
        """Wake the thread; many rings are one."""
        with self._lock, suppress(BlockingIOError):
            if self._rope is not None:
                self._rope.send(b"x")

    def hush(self) -> None:
        """Forget the rings so far."""
        with suppress(BlockingIOError):
            if self.ear is not None:
                self.ear.recv(4096)

    def close(self) -> None:
        """Take it down."""
        with self._lock:
            for end in (self.ear, self._rope):
                if end is not None:
                    end.close()
            self.ear = self._rope = None


class Steps:
    """The running steps of all runs: our own and the KFP SDK's in preloaded processes, others as programs."""

    def __init__(self, preload: Sequence[str]) -> None:
        """Remember what the process for our own steps loads; nothing is started yet."""
        self._own, self._others = Spawner(preload), Spawner()
        self._lightweight = Spawner([EXECUTOR], RUNTIME)
        self._all = (self._own, self._lightweight, self._others)
        self._known: dict[str, tuple[ClaimedRun, str]] = {}

    def __len__(self) -> int:
        """Return how many run."""
        return len(self._known)

    def warm(self) -> None:
        """Let the libraries of our own steps be loaded now. Raises TryLater."""
        self._own.warm()

    def start(self, run: ClaimedRun, launch: Launch, command: Command) -> None:
        """Start a step; if the machine refuses, that is heard as its end."""
        id_ = f"{run.job.run_id}/{run.claim.epoch}/{launch.path}/{launch.attempt}"
        try:
            self._spawner(command).spawn(id_, command)
        except TryLater as error:
            run.hear(launch.path, Exited(id_, None, str(error)))
        else:
            self._known[id_] = (run, launch.path)

    def signal(self, run: ClaimedRun, number: signal.Signals, *, spare: Collection[str] = ()) -> None:
        """Send a signal to the groups of a run's steps, all but those at the spared paths."""
        for id_, (owner, path) in self._known.items():
            if owner is run and path not in spare:
                for spawner in self._all:
                    spawner.signal(id_, number)

    def forget(self, run: ClaimedRun) -> None:
        """Kill a run's steps, and hear no more of them."""
        self.signal(run, signal.SIGKILL)
        self._known = {id_: known for id_, known in self._known.items() if known[0] is not run}

    def hear(self) -> bool:
        """Tell the runs what has become of their steps; whether any has ended."""
        ended = False
        for event in [event for spawner in self._all for event in spawner.poll()]:
            known = self._known.get(event.id) if isinstance(event, Started) else self._known.pop(event.id, None)
            ended = ended or isinstance(event, Exited)
            if known is not None:
                run, path = known
                run.hear(path, event)
        return ended

    def wait(self, seconds: float, bell: Bell) -> None:
        """Wait for a sign of life of a step, the bell, or the time to pass."""
        with selectors.DefaultSelector() as selector:
            for channel in (bell.ear, *(spawner.channel for spawner in self._all)):
                if channel is not None:
                    selector.register(channel, selectors.EVENT_READ)
            selector.select(max(0.0, seconds))
        bell.hush()

    def close(self) -> None:
        """End every step and the processes that start them."""
        for spawner in self._all:
            spawner.close()
        self._known.clear()

    def _spawner(self, command: Command) -> Spawner:
        if not command.module:
            return self._others
        return self._lightweight if command.argv[0] == EXECUTOR else self._own
