"""Modules that start faster on their hosts: packed with bytecode, and read in one go.

Ansible sends a module as a script on standard input that contains a zip of the sources it imports. Python reads such a
script byte by byte, with a system call each, and compiles the sources again for every task. Here every source in the
zip, the module itself included, has its bytecode beside it, and Python's command line reads the script in one go. A
host with another minor version of Python ignores the bytecode, as imports do, and uses the source.

This relies on three internals of Ansible, which tests check: the file of a packed module (`_CachedModule`), that its
zip is imported in place, and that a module on standard input is started by the bare name of its interpreter.
"""

import base64
import importlib.util
import io
import marshal
import shlex
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path, PurePosixPath

READ_AT_ONCE = "import sys; exec(compile(sys.stdin.buffer.read(), '<stdin>', 'exec'))"
"""The command for Python on a host. The script stays on standard input: nothing of a task is on a command line."""

_UNCHECKED = (1).to_bytes(4, "little") + bytes(8)
"""The header of bytecode that is not checked against its source (PEP 552): its source is in the same zip."""


def with_bytecode(packed: bytes) -> bytes:
    """The zip, with bytecode for our own Python beside each source."""
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(packed)) as old, zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as new:
        for entry in old.infolist():
            content = old.read(entry)
            new.writestr(entry, content)
            if entry.filename.endswith(".py"):
                beside = zipfile.ZipInfo(entry.filename + "c", entry.date_time)
                beside.compress_type = zipfile.ZIP_DEFLATED
                new.writestr(beside, _bytecode(entry.filename, content))
    return made.getvalue()


@cache
def _bytecode(name: str, source: bytes) -> bytes:
    """The content of a `.pyc`. Cached, because modules share most of their sources."""
    code = compile(source, name, "exec", dont_inherit=True)
    return importlib.util.MAGIC_NUMBER + _UNCHECKED + marshal.dumps(code)


def add_bytecode(module: Path) -> None:
    """Add bytecode to one of Ansible's packed modules. A concurrent reader sees it either with or without."""
    from ansible.executor.module_common import _CachedModule

    plain = _CachedModule.load(str(module))
    zipped = with_bytecode(base64.b64decode(plain.zip_data))
    with tempfile.TemporaryDirectory(dir=module.parent, suffix="-part") as folder:
        quick = Path(folder, module.name)
        replace(plain, zip_data=base64.b64encode(zipped)).dump(str(quick))
        quick.rename(module)


def read_modules_at_once() -> None:
    """From now on, hosts read modules from this process and its forks in one go."""
    from ansible.plugins.shell import ShellBase

    ShellBase.build_module_command = reading_at_once(ShellBase.build_module_command)


Command = Callable[[object, str, str | None, str, str | None], str]


def reading_at_once(build: Command) -> Command:
    """Wrap Ansible's method that builds a module's command line, for Python with its script on standard input."""

    def build_module_command(
        shell: object, env_string: str, shebang: str | None, cmd: str, arg_path: str | None = None
    ) -> str:
        interpreter = (shebang or "").removeprefix("#!").strip()
        command = build(shell, env_string, shebang, cmd, arg_path)
        piped = not cmd and not arg_path and PurePosixPath(interpreter).name.startswith("python")
        return f"{command} -c {shlex.quote(READ_AT_ONCE)}" if piped else command

    return build_module_command
