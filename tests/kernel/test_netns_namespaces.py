"""Named namespaces, the fabric, and the thread that visits them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from netns import fabric, namespaces, sysctl
from netns.errors import KernelError, NftError
from netns.kernel import KernelThread, inside
from netns.nft import Nft
from tests.support import witness
from tests.support.kernel_lab import Lab

pytestmark = pytest.mark.kernel


@pytest.fixture
def name() -> Iterator[str]:
    chosen = f"kn{os.getpid() % 100000}-{os.urandom(2).hex()}"
    yield chosen
    namespaces.delete_named(chosen)


def network_of_thread() -> int:
    return os.stat("/proc/thread-self/ns/net").st_ino


def test_named_namespace_is_one_for_ip_netns_too(name: str) -> None:
    path = namespaces.create_named(name)
    made = os.stat(path).st_ino

    assert name in [entry["name"] for entry in witness.ip_json("netns", "list")]
    assert os.stat(namespaces.create_named(name)).st_ino == made      # again: the same one

    namespaces.delete_named(name)
    namespaces.delete_named(name)
    assert not namespaces.exists(name)
    assert name not in [entry["name"] for entry in witness.ip_json("netns", "list")]


def test_namespace_made_by_ip_netns_is_one_for_us(name: str) -> None:
    subprocess.run(["ip", "netns", "add", name], check=True)

    assert namespaces.exists(name)
    assert namespaces.list_named(name) == [name]
    namespaces.delete_named(name)
    assert name not in [entry["name"] for entry in witness.ip_json("netns", "list")]


def test_empty_file_left_by_a_crash_is_no_namespace(name: str) -> None:
    namespaces.share_folder()
    Path(namespaces.path_of(name)).touch()

    assert not namespaces.exists(name)
    assert namespaces.list_named(name) == [name]
    assert os.stat(namespaces.create_named(name)).st_ino != 0
    assert namespaces.exists(name)


def test_folder_is_shared_so_that_names_show_in_other_mount_namespaces(name: str) -> None:
    namespaces.share_folder()
    script = f"ip netns add {name}"
    subprocess.run(["unshare", "--mount", "--propagation", "unchanged", "sh", "-c", script], check=True)

    assert namespaces.exists(name)


def test_thread_comes_back_even_after_an_error(name: str) -> None:
    path, home = namespaces.create_named(name), network_of_thread()

    def fail_inside() -> None:
        with inside(path):
            assert network_of_thread() != home
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_inside()
    assert network_of_thread() == home


def test_missing_namespace_is_named_in_the_error() -> None:
    with pytest.raises(KernelError, match="enter network namespace /run/netns/no-such-one: No such file or directory"), \
            inside("/run/netns/no-such-one"):
        pass


async def test_kernel_thread_works_in_the_namespace_it_is_given(name: str) -> None:
    path = namespaces.create_named(name)
    async with KernelThread() as kernel, KernelThread(home=path) as at_home_there:
        assert await kernel.run_in(path, network_of_thread) == os.stat(path).st_ino
        assert await kernel.run_in(None, network_of_thread) == network_of_thread()
        assert await at_home_there.run_in(None, network_of_thread) == os.stat(path).st_ino


def test_settings_belong_to_the_namespace(name: str) -> None:
    before = sysctl.read("net/ipv4/icmp_ratelimit")
    with inside(namespaces.create_named(name)):
        sysctl.apply(sysctl.MACHINE)
        assert sysctl.read("net/ipv4/icmp_ratelimit") == "0"
        with pytest.raises(KernelError, match="set net/ipv4/ip_forward to many"):
            sysctl.write("net/ipv4/ip_forward", "many")
    assert sysctl.read("net/ipv4/icmp_ratelimit") == before


def test_nft_is_bound_to_where_it_was_made_and_all_or_nothing(name: str) -> None:
    with inside(namespaces.create_named(name)):
        nft = Nft()
    nft.run("add table ip one")

    with pytest.raises(NftError, match="No such file or directory"):
        nft.run("add table ip two\nadd rule ip nowhere input accept")

    nft.close()
    assert [item["table"]["name"] for item in witness.nft_json(name, "list", "tables") if "table" in item] == ["one"]


async def test_machine_is_cut_off_and_connected_again(tmp_path: Path) -> None:
    async with Lab(tmp_path) as lab, KernelThread() as kernel:
        one, two = await lab.machine(1), await lab.machine(2)
        await lab.serve(two, 8080)
        cut = partial(fabric.set_connected, lab.fabric, fabric.port_name(one.name))
        assert (await lab.ask(one, two.address, 8080)).server == two.name

        await kernel.run_in(None, partial(cut, connected=False))
        with pytest.raises(TimeoutError):
            await lab.ask(one, two.address, 8080, within_s=0.3)
        await kernel.run_in(None, partial(cut, connected=True))
        assert (await lab.ask(one, two.address, 8080)).server == two.name


async def test_fabric_and_uplinks_can_be_made_again_and_taken_away(tmp_path: Path) -> None:
    async with Lab(tmp_path) as lab, KernelThread() as kernel:
        machine = await lab.machine(1)
        before = witness.ip_json("-n", machine.name, "addr")
        uplink = fabric.Uplink(name=fabric.port_name(machine.name), address="172.30.0.11/24", gateway="172.30.0.1")
        await kernel.run_in(None, partial(fabric.create_fabric, lab.fabric, "172.30.0.1/24"))
        await kernel.run_in(None, partial(fabric.attach_machine, lab.fabric, machine.name, uplink))
        assert witness.ip_json("-n", machine.name, "addr") == before
        assert await kernel.run_in(None, partial(fabric.ports, lab.fabric)) == [uplink.name]

        for _ in range(2):
            await kernel.run_in(None, partial(fabric.detach_machine, lab.fabric, uplink.name))
        assert "eth0" not in [link["ifname"] for link in witness.ip_json("-n", machine.name, "link")]
        for _ in range(2):
            await kernel.run_in(None, partial(fabric.delete_fabric, lab.fabric))
        assert not namespaces.exists(lab.fabric)
