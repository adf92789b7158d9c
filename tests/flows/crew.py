"""Eight real processes that work on the test database at the same time."""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from django.db import connection

from tests.live import live_environment

WORKERS = 8


class Crew:
    """Worker processes that wait for tasks."""

    def __init__(self, size: int) -> None:
        environment = live_environment(str(connection.settings_dict["NAME"]))
        command = [sys.executable, "-m", "tests.flows.worker"]
        self.workers = [
            subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            for _ in range(size)
        ]
        for worker in self.workers:
            assert self._answer(worker) == {"ready": True}

    def start(self, tasks: Sequence[dict[str, Any]]) -> None:
        """One task per worker, all at once; `results` waits for them."""
        self.busy = self.workers[: len(tasks)]
        for worker, task in zip(self.busy, tasks, strict=True):
            assert worker.stdin is not None
            worker.stdin.write(json.dumps(task) + "\n")
            worker.stdin.flush()

    def results(self) -> list[dict[str, Any]]:
        answers = [self._answer(worker) for worker in self.busy]
        failures = [error for answer in answers for error in answer["errors"]]
        assert not failures, "\n".join(failures)
        return answers

    def work(self, tasks: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        self.start(tasks)
        return self.results()

    @staticmethod
    def _answer(worker: "subprocess.Popen[str]") -> dict[str, Any]:
        assert worker.stdout is not None
        line = worker.stdout.readline()
        assert line, f"a worker ended with {worker.wait()}"
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        """Ends every worker; one that does not listen is killed."""
        for worker in self.workers:
            if worker.stdin is not None:
                worker.stdin.close()
        for worker in self.workers:
            try:
                worker.wait(20)
            except subprocess.TimeoutExpired:
                worker.kill()
                worker.wait()


@contextmanager
def crew(size: int = WORKERS) -> Iterator[Crew]:
    made = Crew(size)
    try:
        yield made
    finally:
        made.close()
