"""`python -m mdmhub.embedded start | status | stop | reset`: the embedded servers without Django."""

import argparse
import os
import shutil
import signal
import sys

from mdmhub import embedded
from mdmhub.embedded.process import ServerFailed, wait_until
from mdmhub.embedded.running import running
from mdmhub.env import Misconfigured

STOP_SECONDS = 60.0


def reset() -> None:
    """Stop the servers and delete everything of this hub: data, keys and logs."""
    home = embedded.home()
    if not home.path.exists():
        return
    stop()
    folder = home.servers_folder()
    shutil.rmtree(home.path)
    if folder != home.path:
        shutil.rmtree(folder, ignore_errors=True)


def stop() -> str:
    """End a running hub as Ctrl-C would, or else the servers that commands have left running."""
    home = embedded.home()
    up = running(home)
    if up is not None and up.pid:
        os.kill(up.pid, signal.SIGTERM)
        if not wait_until(lambda: running(home) is None, STOP_SECONDS):
            raise ServerFailed(f"process {up.pid} does not end")
        return "stopped the hub"
    stopped = embedded.stop_all() if home.path.exists() else []
    return f"stopped: {', '.join(stopped) or 'nothing was running'}"


def main() -> None:
    """Do one thing and say what was done."""
    parser = argparse.ArgumentParser(prog="python -m mdmhub.embedded", description=embedded.__doc__)
    parser.add_argument("action", choices=["start", "status", "stop", "reset"])
    action = parser.parse_args().action
    try:
        if action == "start":
            started = embedded.ensure_running()
            sys.stdout.write(f"started: {', '.join(started) or 'nothing, all were running'}\n")
        elif action == "stop":
            sys.stdout.write(stop() + "\n")
        elif action == "reset":
            reset()
            sys.stdout.write(f"removed: {embedded.home().path}\n")
        else:
            for server in embedded.servers() if embedded.home().path.exists() else ():
                pid = server.pid()
                sys.stdout.write(f"{type(server).__name__}: {f'runs, process {pid}' if pid else 'stopped'}\n")
    except (ServerFailed, Misconfigured) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
