"""How a process ends."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from kube.process.config import Config, ConfigError
from kube.process.flags import Flag, FlagGroup
from kube.process.lifetime import run_process

FLAGS = [FlagGroup("Test flags", (Flag("much-ado", "strings", "About 100% of it."), Flag("port", "int", "A port.", key="health_port")))]


class Settings(Config, frozen=True, kw_only=True):
    much_ado: tuple[str, ...] = ()
    health_port: int = 1


Run = Callable[[Settings, asyncio.Event], Awaitable[None]]


def process(folder: Path, run: Run, *arguments: str) -> int:
    file = folder / "config.yaml"
    file.write_text("much_ado: [file]\n")
    return run_process("kube-test", Settings, run, ["--config", str(file), *arguments], FLAGS)


@pytest.mark.parametrize(("arguments", "much_ado", "port"), [
    pytest.param([], ("file",), 1, id="the file"),
    pytest.param(["--much-ado=a,b", "--much-ado", "c", "--port=7"], ("a", "b", "c"), 7, id="flags"),
    pytest.param(["--much-ado="], (), 1, id="nothing"),
])
def test_flags_go_before_the_file(tmp_path: Path, arguments: list[str], much_ado: tuple[str, ...], port: int) -> None:
    seen: list[Settings] = []

    async def run(config: Settings, stop: asyncio.Event) -> None:
        seen.append(config)

    assert process(tmp_path, run, *arguments) == 0
    assert seen == [Settings(much_ado=much_ado, health_port=port)]


def test_help_has_a_line_for_each_flag(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        process(tmp_path, _never, "-h")
    assert "\nTest flags:\n  --much-ado strings  About 100% of it.\n" in capsys.readouterr().out


async def _never(config: Settings, stop: asyncio.Event) -> None:
    raise AssertionError("not to be run")


async def _finds_out(config: Settings, stop: asyncio.Event) -> None:
    async with asyncio.TaskGroup():
        raise ConfigError("admission.yaml: not an object")


async def _fails(config: Settings, stop: asyncio.Event) -> None:
    async with asyncio.TaskGroup():
        raise ValueError("surprise")


@pytest.mark.parametrize(("run", "code", "said"), [
    pytest.param(_finds_out, 2, "kube-test: admission.yaml: not an object\n", id="a file that the configuration names"),
    pytest.param(_fails, 1, "", id="surprise"),
])
def test_a_wrong_configuration_is_told_whenever_it_shows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], run: Run, code: int, said: str
) -> None:
    assert process(tmp_path, run) == code
    assert said in capsys.readouterr().err
