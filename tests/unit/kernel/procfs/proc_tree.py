"""A proc file system made of files, for tests."""

from __future__ import annotations

from pathlib import Path

HEADER = b"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid ...\n"


def net_line(
    number: int = 0,
    *,
    local: str = "0100007F:0019",
    peer: str = "0100007F:E4D7",
    state: int = 1,
    queues: str = "00000000:00000000",
    timer: int = 0,
    uid: int = 0,
    inode: int = 1000,
) -> bytes:
    """A line as the kernel writes it, with what a test wants otherwise."""
    text = f"{number:4d}: {local} {peer} {state:02X} {queues} {timer:02X}:00000000 00000000"
    return f"{text} {uid:5d} {0:8d} {inode} 1 0000000000000000 20 4 30 10 -1".encode() + b"\n"


class ProcTree:
    """A folder with processes.

    Attributes:
        root: the folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def namespace(self, name: str, **files: bytes) -> Path:
        """A network namespace: its files by name, each without its header."""
        folder = self.root / "namespaces" / name
        folder.mkdir(parents=True)
        (folder / "dev").write_text("")
        (folder / "number").write_text("")
        for file in ("tcp", "tcp6", "udp", "udp6"):
            (folder / file).write_bytes(HEADER + files.get(file, b""))
        return folder

    def process(
        self,
        pid: int,
        namespace: Path | None = None,
        *links: str,
        comm: bytes = b"worker",
        ticks: int = 700,
    ) -> Path:
        """A process of the namespace, with one descriptor for each link."""
        folder = self.root / str(pid)
        (folder / "fd").mkdir(parents=True)
        numbers = b" ".join(str(number).encode() for number in range(4, 22))
        (folder / "stat").write_bytes(b"%d (%s) S %s %d 0 0\n" % (pid, comm, numbers, ticks))
        for number, link in enumerate(links):
            (folder / "fd" / str(number)).symlink_to(link)
        if namespace:
            (folder / "ns").mkdir()
            (folder / "ns/net").symlink_to(namespace / "number")
            (folder / "net").symlink_to(namespace)
        return folder
