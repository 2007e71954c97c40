"""The tools that a model has in a rollout with a session. Trainers read their names, parameters and docstrings."""

from __future__ import annotations

from sandbox.trainers.session_rollout import SessionRollout

TOOL_NAMES = ("run_code", "run_command", "read_file", "write_file", "list_files")


class SessionTools:
    """Each method is a tool. Its docstring is what the model reads about it."""

    def __init__(self, rollout: SessionRollout) -> None:
        self._rollout = rollout

    def run_code(self, code: str) -> str:
        """Run Python code. Variables and files stay for the next call.

        Args:
            code: The source to run. If it ends with an expression, its value is shown.

        Returns:
            What the code printed, its value, and the traceback if it failed.
        """
        return self._rollout.run_code(code)

    def run_command(self, command: str) -> str:
        """Run a bash command in the work directory.

        Args:
            command: The command to run.

        Returns:
            What the command printed, and its exit code if it failed.
        """
        return self._rollout.run_command(command)

    def read_file(self, path: str) -> str:
        """Read a text file.

        Args:
            path: The path of the file, relative to the work directory.

        Returns:
            The content of the file.
        """
        return self._rollout.read_file(path)

    def write_file(self, path: str, content: str) -> str:
        """Write a text file, and create missing directories.

        Args:
            path: The path of the file, relative to the work directory.
            content: The content of the file.

        Returns:
            The number of bytes written.
        """
        return self._rollout.write_file(path, content)

    def list_files(self, path: str = "") -> str:
        """List a directory.

        Args:
            path: The path of the directory, relative to the work directory, which is the default.

        Returns:
            One path per line.
        """
        return self._rollout.list_files(path)
