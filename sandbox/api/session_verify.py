"""Build a submission from a session: a copy of its files, and tests that the session never sees."""

from __future__ import annotations

import io
import tarfile
from base64 import b64decode

from sandbox.errors import BadRequest
from sandbox.languages import get_language
from sandbox.queue.environments import SESSION_IMAGE
from sandbox.queue.submission import Submission
from sandbox.schema import MAX_FILES, VerifyRequest
from sandbox.schema.sessions import SessionVerifyRequest
from sandbox.schema.tests import AnyTest, AssertTest, FunctionTest

MAX_COPIED_BYTES = 32 << 20


def needs_files(request: SessionVerifyRequest) -> bool:
    """Return whether judging needs the session's files: functions of the calls are judged without them."""
    return request.file is not None or any(not isinstance(test, FunctionTest | AssertTest) for test in request.tests)


def build_submission(request: SessionVerifyRequest, archive: str, cells: str, environment: str = "") -> Submission:
    """Build the submission that judges a session's files. `archive` is a tar archive in base64, or empty.

    A program that needs the image of the session runs in the session's `environment`.

    The program is `request.file` or, if that is not set, `cells`. Raises BadRequest if the file is missing, or if the
    session has more files than a program may have.
    """
    files = read_archive(b64decode(archive)) if archive else {}
    code = cells
    if request.file is not None:
        if request.file not in files:
            raise BadRequest(f"the session has no file {request.file!r}", "file")
        code = files.pop(request.file).decode(errors="replace")
    files |= request.hidden
    if len(files) > MAX_FILES:
        raise BadRequest(f"the session's work directory has {len(files)} files, and at most {MAX_FILES} can be judged")
    try:
        verify = VerifyRequest(
            language=request.language,
            code=code,
            tests=[_add_files(test, files) for test in request.tests],
            entry_point=request.entry_point,
            checker=request.checker,
            limits=request.limits,
            environment=environment if get_language(request.language).image == SESSION_IMAGE else "",
        )
    except ValueError as error:
        raise BadRequest(str(error)) from None
    return Submission("verify", [verify])


def read_archive(archive: bytes) -> dict[str, bytes]:
    """Return the regular files of a tar archive by path, hard links too.

    Raises BadRequest if they are too large in total.
    """
    files: dict[str, bytes] = {}
    left = MAX_COPIED_BYTES
    try:
        with tarfile.open(fileobj=io.BytesIO(archive), mode="r:") as opened:
            for member in opened:
                linked = files.get(member.linkname.removeprefix("./")) if member.islnk() else None
                if not member.isreg() and linked is None:
                    continue
                left -= member.size if linked is None else len(linked)
                if left < 0:
                    raise BadRequest(f"the session's files have more than {MAX_COPIED_BYTES >> 20} MiB in total")
                files[member.name.removeprefix("./")] = _read_member(opened, member) if linked is None else linked
    except tarfile.TarError as error:
        raise BadRequest(f"the session's files cannot be read: {error}") from error
    return files


def _read_member(opened: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    content = opened.extractfile(member)
    assert content is not None
    return content.read()


def _add_files(test: AnyTest, files: dict[str, bytes]) -> AnyTest:
    """Add the session's files to a test that uses files. The test's own files take precedence."""
    if isinstance(test, FunctionTest | AssertTest):
        return test
    return test.model_copy(update={"files": files | test.files})
