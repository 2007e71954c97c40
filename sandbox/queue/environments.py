"""Environments in Redis: a name refers to its current version, and a version is stored under its content id.

A submission is bound to a version when it is accepted: `<name>` in its requests becomes `<name>@<id>`. Replacing or
removing an environment therefore changes no accepted work. A replaced version stays readable until every submission
that may still need it has expired.
"""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

from pydantic import BaseModel
from redis import Redis

from sandbox import languages
from sandbox.box.environment import NO_IMAGES, SEPARATOR, Recipe, get_base
from sandbox.errors import BadRequest, NotFound, UnknownEnvironment, UnknownLanguage
from sandbox.queue import redis_keys
from sandbox.queue.connection import translate_redis_errors
from sandbox.queue.storage_limits import StorageLimiter
from sandbox.queue.submission import Submission, SubmissionRequest
from sandbox.schema.checkers import InteractiveChecker, ProgramChecker
from sandbox.schema.environments import EnvironmentInfo, EnvironmentRequest
from sandbox.schema.hack import HackRequest
from sandbox.schema.sessions import SessionRequest
from sandbox.schema.submissions import VerifyRequest
from sandbox.schema.vote import VoteRequest

MAX_ENVIRONMENTS = 1_000
SESSION_IMAGE = "python"
EXPIRED = "the environment was removed, and this version of it has expired"
DAY_S = 86_400  # the longest life of a session, which may be rebuilt from its definition

# Let a name refer to a version, or to none, and let the version that it referred to so far expire.
_REFER = """
local old = redis.call('HGET', KEYS[1], ARGV[1])
if old and old ~= ARGV[2] then redis.call('EXPIRE', KEYS[2] .. string.match(old, '%+(.*)$'), ARGV[4]) end
if ARGV[2] == '' then
    redis.call('HDEL', KEYS[1], ARGV[1])
else
    redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
    redis.call('SET', KEYS[2] .. string.match(ARGV[2], '%+(.*)$'), ARGV[3])
end
return old
"""

# Let a replaced version expire later, because work that is accepted now needs it.
_KEEP = """
local left = redis.call('TTL', KEYS[1])
if left >= 0 and left < tonumber(ARGV[1]) then redis.call('EXPIRE', KEYS[1], ARGV[1]) end
"""


class StoredEnvironment(BaseModel):
    """One version of an environment, as it is stored."""

    updated_at: float
    definition: EnvironmentRequest

    def describe(self, name: str) -> EnvironmentInfo:
        definition = self.definition
        return EnvironmentInfo(
            name=name,
            id=definition.compute_id(),
            base=definition.base,
            pip=definition.pip,
            apt=definition.apt,
            files={path: len(content) for path, content in definition.files.items()},
            updated_at=self.updated_at,
        )


@dataclass(frozen=True, slots=True)
class Version:
    """A version of an environment. `reference` is `<name>@<id>`."""

    reference: str
    base: str


class Environments:
    """The environments of the service. Thread-safe. Methods raise `errors.QueueUnavailable` without Redis."""

    def __init__(self, redis: Redis, queue_ttl_s: int, storage_limiter: StorageLimiter | None = None) -> None:
        self._redis = redis
        self._retention_s = queue_ttl_s + DAY_S
        self._storage_limiter = storage_limiter
        self._refer = redis.register_script(_REFER)
        self._keep = redis.register_script(_KEEP)

    @translate_redis_errors
    def put(self, name: str, definition: EnvironmentRequest) -> EnvironmentInfo:
        """Create or replace an environment. Raises BadRequest or StorageFull."""
        stored = StoredEnvironment(updated_at=time.time(), definition=definition)
        content = stored.model_dump_json()
        if self._storage_limiter is not None:
            self._storage_limiter.check_room(len(content))
        if self._redis.hlen(redis_keys.ENVIRONMENTS) >= MAX_ENVIRONMENTS and not self._find_image(name):
            raise BadRequest(f"there are {MAX_ENVIRONMENTS} environments; remove one first", "path.name")
        self._set(name, f"{definition.base}{SEPARATOR}{definition.compute_id()}", content)
        return stored.describe(name)

    @translate_redis_errors
    def get(self, name: str) -> EnvironmentInfo:
        """Return the current version of an environment. Raises NotFound."""
        if image := self._find_image(name):
            content = self._redis.get(redis_keys.environment_versions(name) + image.partition(SEPARATOR)[2])
            if content is not None:
                return StoredEnvironment.model_validate_json(content).describe(name)
        raise NotFound(f"no environment {name!r}", "path.name")

    def list_all(self) -> list[EnvironmentInfo]:
        """Return all environments by name."""
        found = []
        for name in self._list_names():
            try:
                found.append(self.get(name))
            except NotFound:  # removed a moment ago
                continue
        return found

    @translate_redis_errors
    def remove(self, name: str) -> None:
        """Remove an environment. Accepted submissions still run in it. Raises NotFound."""
        if self._set(name, "", "") is None:
            raise NotFound(f"no environment {name!r}", "path.name")

    @translate_redis_errors
    def resolve(self, reference: str, field: str) -> Version:
        """Return the version that a reference means now, and keep it. Raises UnknownEnvironment with this field."""
        name, _, content_id = reference.partition("@")
        if not content_id and (image := self._find_image(name)):
            return Version(f"{name}@{image.partition(SEPARATOR)[2]}", get_base(image))
        if content_id and (definition := read_definition(self._redis, reference)) is not None:
            self._keep([redis_keys.environment_versions(name) + content_id], [self._retention_s])
            return Version(reference, definition.base)
        raise UnknownEnvironment(f"no environment {reference!r}; see GET /environments", field)

    def bind(self, submission: Submission) -> Submission:
        """Return the submission with the versions of its environments. Raises UnknownEnvironment or BadRequest."""
        known: dict[str, Version] = {}
        requests: list[SubmissionRequest] = []
        for position, request in enumerate(submission.requests):
            if not request.environment:
                requests.append(request)
                continue
            is_item = submission.batch and submission.reward is None
            field = f"items.{position}.environment" if is_item else "environment"
            name = request.environment
            if name not in known:
                known[name] = self.resolve(name, field)
            if submission.reward is None:
                check_languages(list_languages(request), known[name], field)
            requests.append(request.model_copy(update={"environment": known[name].reference}))
        return replace(submission, requests=requests) if known else submission

    def bind_session(self, request: SessionRequest) -> SessionRequest:
        """Return the request with the version of its environment. Raises UnknownEnvironment or BadRequest."""
        if not request.environment:
            return request
        version = self.resolve(request.environment, "environment")
        if version.base != SESSION_IMAGE:
            raise BadRequest(f"sessions need an environment with the base {SESSION_IMAGE}", "environment")
        return request.model_copy(update={"environment": version.reference})

    def _find_image(self, name: str) -> str:
        return (self._redis.hget(redis_keys.ENVIRONMENTS, name) or b"").decode()

    @translate_redis_errors
    def _list_names(self) -> list[str]:
        return sorted(name.decode() for name in self._redis.hkeys(redis_keys.ENVIRONMENTS))

    def _set(self, name: str, image: str, content: str) -> Any:
        keys = [redis_keys.ENVIRONMENTS, redis_keys.environment_versions(name)]
        return self._refer(keys, [name, image, content, self._retention_s])


def uses_environment(submission: Submission) -> bool:
    return any(request.environment for request in submission.requests)


def refuse_environments(submission: Submission) -> None:
    """Raise UnknownEnvironment if a submission names an environment, because no worker can build images."""
    if uses_environment(submission):
        raise UnknownEnvironment(NO_IMAGES, "environment")


def read_definition(redis: Redis, reference: str) -> EnvironmentRequest | None:
    """Return the definition of a version `<name>@<id>`, or None if it has expired. Raises RedisError."""
    name, _, content_id = reference.partition("@")
    content = redis.get(redis_keys.environment_versions(name) + content_id)
    return None if content is None else StoredEnvironment.model_validate_json(content).definition


def build_recipe(definition: EnvironmentRequest) -> Recipe:
    """Return what a host needs to build an environment."""
    return Recipe(
        definition.compute_id(), definition.base, tuple(definition.pip), tuple(definition.apt), definition.files
    )


def list_languages(request: SubmissionRequest) -> set[str]:
    """Return the languages of all programs of a request, that of a checker included."""
    if isinstance(request, VoteRequest | HackRequest):
        return set(request.list_languages().values())
    checker = request.checker if isinstance(request, VerifyRequest) else None
    return {request.language, *([checker.language] if isinstance(checker, ProgramChecker | InteractiveChecker) else [])}


def runs_in(request: SubmissionRequest, base: str) -> bool:
    """Return whether a program of the request runs in this base image."""
    try:
        return any(languages.get_language(name).image == base for name in list_languages(request))
    except UnknownLanguage:  # `Submission.check` refuses it with the name of the field
        return False


def check_languages(names: Collection[str], version: Version, field: str) -> None:
    """Raise BadRequest if no program runs in the environment's base image. Raises UnknownLanguage."""
    images = sorted({languages.get_language(name).image for name in names})
    if version.base not in images:
        raise BadRequest(
            f"{version.reference.partition('@')[0]} extends the image {version.base}, but {', '.join(sorted(names))}"
            f" runs in the image {', '.join(images)}",
            field,
        )
