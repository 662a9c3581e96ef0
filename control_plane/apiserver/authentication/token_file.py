"""Static bearer tokens from a CSV file: token,user,uid and perhaps "group1,group2". Follows apiserver's tokenfile.

Read once: what is added to the file counts from the next start on.
"""

from __future__ import annotations

import csv
from pathlib import Path

from control_plane.apiserver.authentication.methods import TokenReviewResult, for_audiences
from control_plane.apiserver.authentication.user import UserInfo, authenticated
from kube.process.config import ConfigError
from kube.process.log import get_logger

log = get_logger("authentication")


class TokenFile:
    def __init__(self, path: str, api_audiences: tuple[str, ...]) -> None:
        """Raises ConfigError."""
        self._users = _read(path)
        self._api_audiences = api_audiences

    async def review(self, token: str, audiences: tuple[str, ...]) -> TokenReviewResult | None:
        user = self._users.get(token)
        return for_audiences(user, self._api_audiences, audiences) if user else None


def _read(path: str) -> dict[str, UserInfo]:
    try:
        with Path(path).open(newline="", encoding="utf-8") as file:
            records = [record for record in csv.reader(file, strict=True, skipinitialspace=False) if record]
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: {error}") from error
    users: dict[str, UserInfo] = {}
    for number, record in enumerate(records, 1):
        if len(record) < 3:
            raise ConfigError(f"token file '{path}' must have at least 3 columns (token, user name, user uid), found {len(record)}")
        token, name, uid = record[:3]
        if not token:
            log.warning("empty token in token file", file=path, record=number)
            continue
        if token in users:
            log.warning("duplicate token in token file", file=path, record=number)
        groups = tuple(record[3].split(",")) if len(record) > 3 else ()
        users[token] = authenticated(UserInfo(name, uid, groups))
    return users
