"""A machine of its own in an emulator: Debian with its kernel and systemd, control groups of version 2, NFS, every capability.

What a developer's machine may lack, and most users' have. It has no network device at all: a folder goes in (the script), what the
script printed and its exit code come out (9p). Slow, five to ten times: nothing of the host's processor is asked for but to be there.
"""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from launcher.testing.cluster import ROOT, CommandFailed, run
from tests.compose.base_image import base_archive
from tests.compose.room import Room

PACKAGES: Final = "linux-image-amd64 initramfs-tools systemd-sysv udev kmod python3 python3-venv nfs-kernel-server procps"
DISK_BYTES: Final = 12 << 30                 # sparse
MEMORY_MIB: Final = 4096
SOURCE: Final = "/kubonsai"                  # in the machine
KERNEL_OPTIONS: Final = "root=/dev/vda rw console=ttyS0 quiet mitigations=off panic=1"

# In the tree that becomes the disk, with the host's network: apt's and pip's ways are those of the base image. ./kubonsai installs the rest
# by itself, as it does on any new machine.
FURNISH: Final = f"""
set -e
cp /etc/resolv.conf "$1/etc/resolv.conf"
mount --rbind /proc "$1/proc"
mount --rbind /dev "$1/dev"
exec env -i HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive chroot "$1" sh -ec '
apt-get -qq update
apt-get -qq install --no-install-recommends {PACKAGES}
cd {SOURCE}
./kubonsai test --help
apt-get clean
rm -f /etc/resolv.conf /usr/sbin/policy-rc.d
'
"""
FILES: Final = {
    "etc/hostname": "machine\n",
    "etc/hosts": "127.0.0.1 localhost machine\n",
    "etc/resolv.conf": "nameserver 127.0.0.1\n",
    "etc/fstab": "/dev/vda / ext4 defaults 0 1\nshare /share 9p trans=virtio,version=9p2000.L,msize=524288 0 0\n",
    "etc/systemd/system/script.service": """[Unit]
After=multi-user.target nfs-server.service

[Service]
Type=oneshot
Environment=HOME=/root
ExecStart=/bin/sh -c 'sh /share/script > /share/output 2>&1; echo $? > /share/status; sync; systemctl --no-block poweroff'
""",
}
WANTS: Final = "etc/systemd/system/multi-user.target.wants/script.service"


@dataclass(slots=True)
class Machine:
    """`build`, then `run` as often as wanted: each boots it anew, on the disk as the one before left it. Gone with its room."""

    room: Room
    _kernel: Path = field(init=False)
    _initrd: Path = field(init=False)

    @property
    def _disk(self) -> Path:
        return self.room.folder / "disk.img"

    @property
    def _share(self) -> Path:
        return self.room.folder / "share"

    def build(self) -> Machine:
        """The tree's tests and what they need, on a disk. Takes three minutes. Raises BaseImageError, CommandFailed."""
        tree = self.room.folder / "tree"
        tree.mkdir()
        run(["tar", "--extract", "--numeric-owner", "--directory", str(tree), "--file", str(base_archive(self.room, "debian:bookworm"))])
        _copy_source(tree / SOURCE.lstrip("/"))
        run(self.room.command("sh", "-c", FURNISH, "sh", str(tree), host_network=True), timeout_s=1200)
        run(self.room.command("umount", "--recursive", str(tree / "proc"), str(tree / "dev")))
        for name, text in FILES.items():
            (tree / name).write_text(text)
        (tree / WANTS).symlink_to("../script.service")
        (tree / "share").mkdir()
        for kind in ("vmlinuz", "initrd.img"):
            shutil.copyfile(next((tree / "boot").glob(f"{kind}-*")), self.room.folder / kind)
        self._kernel, self._initrd = self.room.folder / "vmlinuz", self.room.folder / "initrd.img"
        with self._disk.open("wb") as file:
            file.truncate(DISK_BYTES)
        run(["mke2fs", "-q", "-t", "ext4", "-d", str(tree), str(self._disk)], timeout_s=300)
        shutil.rmtree(tree)
        self._share.mkdir()
        return self

    def run(self, script: str, within_s: float) -> str:
        """What a shell's script printed, run by root in the sources' folder. Raises CommandFailed when it fails or takes too long."""
        for file in self._share.iterdir():
            file.unlink()
        (self._share / "script").write_text(f"set -e\ncd {SOURCE}\n{script}\n")
        console, output, status = self.room.folder / "console.log", self._share / "output", self._share / "status"
        emulator = subprocess.Popen(self.room.command(
            "qemu-system-x86_64", "-machine", "q35", "-accel", "tcg,thread=multi,tb-size=1024", "-cpu", "max", "-smp", "2",
            "-m", str(MEMORY_MIB), "-display", "none", "-nodefaults", "-nic", "none", "-no-reboot", "-serial", f"file:{console}",
            "-kernel", str(self._kernel), "-initrd", str(self._initrd), "-append", KERNEL_OPTIONS,
            "-drive", f"file={self._disk},format=raw,if=virtio,cache=unsafe",
            "-virtfs", f"local,path={self._share},mount_tag=share,security_model=none",
        ), stdin=subprocess.DEVNULL)
        try:
            emulator.wait(within_s)
        except subprocess.TimeoutExpired:
            raise CommandFailed(f"no end after {within_s:.0f} s\n{_tail(output)}\n{_tail(console)}") from None
        finally:
            emulator.kill()
            emulator.wait()
        if not status.exists() or status.read_text() != "0\n":
            raise CommandFailed(f"the script failed\n{_tail(output, 1000)}\n{_tail(console)}")
        return output.read_text(errors="replace")


def _copy_source(target: Path) -> None:
    """The tree as it is, with what is not committed, without what git ignores."""
    files = run(["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]).split("\0")
    for name in filter(None, files):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name, follow_symlinks=False)


def _tail(file: Path, lines: int = 20) -> str:
    return "\n".join(file.read_text(errors="replace").splitlines()[-lines:]) if file.exists() else f"no {file.name}"
