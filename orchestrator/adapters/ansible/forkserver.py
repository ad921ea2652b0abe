"""The warm server: imports Ansible once and forks a guard for every step; the guard forks the play.

`python -m orchestrator.adapters.ansible.forkserver FD FOLDER [quick]` The worker holds the other end of FD. For each
step it sends a listening socket, on which a fork waits for the step's client; at end of file the server exits and
removes FOLDER. The server itself never reads a request, so nothing of one step can reach the next: every step starts
from the same untouched process. FOLDER keeps the modules that steps have packed for their hosts: code, without
arguments. With `quick`, they are changed there so that they start faster on their hosts (`quick_modules`).

Ansible reads its settings on import, so the server must be started with the environment of its steps. Variables that
may differ between steps are in PER_STEP.
"""

import ctypes
import gc
import os
import secrets
import shutil
import signal
import socket
import sys
import tempfile
import warnings
from contextlib import suppress
from pathlib import Path

from orchestrator.adapters.ansible import guard, quick_modules
from orchestrator.adapters.ansible.forkclient import GO, PATIENCE_SECONDS, READY

PER_STEP = frozenset(
    {
        "PATH",
        "ANSIBLE_SSH_ARGS",
        "ANSIBLE_LOCAL_TEMP",
        "ANSIBLE_CACHE_PLUGIN_CONNECTION",
        "AWX_ISOLATED_DATA_DIR",
    }
)
"""Variables that differ by step. Every fork evaluates the settings that depend on them again."""

PACKED_MODULES = "ansiballz_cache"
"""Ansible's name for the folder of packed modules in its temporary directory."""

QUICK = "quick"

PR_SET_NAME = 15


def preload() -> None:
    """Import what every play needs, and read what Ansible reads at every start.

    Only Ansible's own plugins: ansible-runner's callback reads its directory on import, and the playbooks' plugins may
    change.
    """
    with tempfile.TemporaryDirectory() as scratch:  # Ansible creates a directory there on import
        os.environ["ANSIBLE_LOCAL_TEMP"] = scratch
        import ansible.cli.playbook
        import ansible.executor.playbook_executor
        import ansible.executor.task_queue_manager  # noqa: F401
        from ansible.plugins import loader
    loader.init_plugin_loader()
    warnings.filterwarnings("ignore", message="AnsibleCollectionFinder has already been configured")  # by a play
    for plugins in (
        loader.action_loader,
        loader.become_loader,
        loader.connection_loader,
        loader.shell_loader,
        loader.strategy_loader,
    ):
        list(plugins.all(class_only=True))
    loader.inventory_loader.get("ansible.builtin.yaml", class_only=True)
    loader.callback_loader.get("ansible.builtin.default", class_only=True)
    gc.collect()
    gc.freeze()  # forks share what is never collected


def serve(worker: socket.socket, packed: Path, *, quick: bool) -> None:
    """Fork for every listening socket that the worker sends, until the worker is gone."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel reaps
    while True:
        _, descriptors, _, _ = socket.recv_fds(worker, 1, 1)
        if not descriptors:
            return
        with socket.socket(fileno=descriptors[0]) as listener:
            guard.forked(lambda: _step(worker, listener, packed, quick=quick))


def _step(worker: socket.socket, listener: socket.socket, packed: Path, *, quick: bool) -> int:
    """Run one step in its own process. Returns 0 once its client knows how it ended."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    worker.close()
    listener.settimeout(PATIENCE_SECONDS)
    client, _ = listener.accept()
    listener.close()
    path, workspace, *command = _take_over(client)
    own = Path(_evaluate_settings(), PACKED_MODULES)
    own.mkdir()
    _link(packed, own)
    client.sendall(READY)
    if client.recv(1) != GO:
        return 1
    status = guard.guarded(
        path, workspace, start=lambda pipe: guard.forked(lambda: _play(command, pipe)), leashes=[client.fileno()]
    )
    new = _link(own, packed)
    client.sendall(bytes([status]))
    if quick:
        _hasten(new)
    return 0


def _take_over(client: socket.socket) -> list[str]:
    """Take over the client's streams, working directory and environment. Returns its arguments."""
    size, streams, _, _ = socket.recv_fds(client, 4, 3)
    for standard, descriptor in enumerate(streams):
        os.dup2(descriptor, standard)
        os.close(descriptor)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    body = client.recv(int.from_bytes(size, "big"), socket.MSG_WAITALL)
    folder, count, *rest = body.decode(errors="surrogateescape").split("\0")
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(guard.without_settings(dict(pair.split("=", 1) for pair in rest[int(count) :])))
    return rest[: int(count)]


def _link(source: Path, target: Path) -> list[Path]:
    """Link the complete files of `source` into `target`, and return those that were new there.

    They are links, so that no step writes where another reads.
    """
    new = []
    with suppress(OSError):
        for module in source.iterdir():
            if not module.name.endswith((".lock", "-part")) and not (target / module.name).exists():
                (target / module.name).hardlink_to(module)
                new.append(target / module.name)
    return new


def _hasten(modules: list[Path]) -> None:
    """Quicken them for later steps. This step is over and its streams are released, so nobody waits."""
    with Path(os.devnull).open("r+b") as nothing:
        for standard in range(3):
            os.dup2(nothing.fileno(), standard)
    with suppress(OSError):  # the server has exited and removed them
        for module in modules:
            quick_modules.quicken(module)


def _evaluate_settings() -> str:
    """Evaluate the constants of Ansible that depend on the step's variables. Returns its temporary directory."""
    from ansible import constants

    for name, definition in constants.config.get_configuration_definitions().items():
        if any(source["name"] in PER_STEP for source in definition.get("env") or ()):
            constants.set_constant(name, constants.config.get_config_value(name, variables=vars(constants)))
    return str(constants.DEFAULT_LOCAL_TMP)


def _play(command: list[str], pipe: int) -> int:
    """Do what `ansible-playbook` does after its imports. Returns its exit status."""
    from ansible.cli.playbook import PlaybookCLI
    from ansible.utils import vars as identifiers

    os.setsid()
    os.closerange(3, pipe)
    os.closerange(pipe + 1, os.sysconf("SC_OPEN_MAX"))
    for sign in guard.SIGNALS:
        signal.signal(sign, signal.SIG_DFL)
    ctypes.CDLL(None).prctl(PR_SET_NAME, b"ansible-playbook", 0, 0, 0)
    identifiers.random_int = f"{secrets.randbelow(2**32):08x}"  # half of every task's id, chosen at import
    sys.argv = [argument.replace("{fd}", str(pipe)) for argument in command]
    try:
        PlaybookCLI.cli_executor(sys.argv)
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def main() -> None:
    """Serve the worker at the other end of the descriptor."""
    sys.path.pop(0)  # Ansible must not import from our own folder, which `-m` put first
    preload()
    folder, quick = Path(sys.argv[2]), sys.argv[3:] == [QUICK]
    if quick:
        quick_modules.start_modules_quickly()
    serve(socket.socket(fileno=int(sys.argv[1])), folder, quick=quick)
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
