# SPDX-License-Identifier: GPL-3.0-or-later
"""Unpacks tar archives that nobody vouches for.

tarfile's own `filter="data"` is missing in Python 3.11.2, which Debian 12 has, and was got around where it is there.
"""

from __future__ import annotations

import os
import shutil
import tarfile
from pathlib import Path
from typing import IO


class ArchiveError(Exception):
    """An archive that is damaged, or that reaches outside of where it is unpacked."""


def unpack_tar(archive: IO[bytes], target: Path) -> None:
    """Unpack a tar, gzipped or not, into `target`: files, directories, and links that stay inside.

    A leading / is dropped. Owners and times are not kept, of the permissions only whether a file can be executed.
    Raises ArchiveError for anything else; nothing outside of `target` is ever written.
    """
    target.mkdir(parents=True, exist_ok=True)
    root = target.resolve()
    try:
        with tarfile.open(fileobj=archive, mode="r:*") as tar:
            for member in tar:
                _unpack_member(tar, member, root)
    except (tarfile.TarError, EOFError, OSError) as error:
        raise ArchiveError(f"The archive cannot be unpacked: {error}.") from error


def _unpack_member(tar: tarfile.TarFile, member: tarfile.TarInfo, root: Path) -> None:
    place = _inside(root, root / member.name.lstrip("/"), member.name)
    if place == root:
        return
    # A link that was unpacked before may stand in the way: the parent is looked at as it is on disk now.
    _inside(root, Path(os.path.realpath(place.parent)), member.name)
    place.parent.mkdir(parents=True, exist_ok=True)
    if member.isdir():
        if place.is_symlink():
            place.unlink()
        place.mkdir(exist_ok=True)
        return
    if place.is_symlink() or place.is_file():
        place.unlink()
    if member.issym():
        wanted = place.parent / member.linkname
        _inside(root, wanted, member.name)
        _inside(root, Path(os.path.realpath(wanted)), member.name)
        place.symlink_to(member.linkname)
    elif member.islnk():
        source = Path(os.path.realpath(_inside(root, root / member.linkname.lstrip("/"), member.name)))
        shutil.copyfile(_inside(root, source, member.name), place)
    elif member.isreg():
        content = tar.extractfile(member)
        if content is None:
            raise ArchiveError(f"The archive's {member.name} has no content.")
        with content, place.open("xb") as file:
            shutil.copyfileobj(content, file)
        place.chmod(0o755 if member.mode & 0o100 else 0o644)
    else:
        raise ArchiveError(f"The archive's {member.name} is neither a file nor a directory nor a link.")


def _inside(root: Path, place: Path, name: str) -> Path:
    """`place` without its dots, if it is `root` or below it."""
    plain = Path(os.path.normpath(place))
    if plain != root and root not in plain.parents:
        raise ArchiveError(f"The archive's {name} reaches outside of the archive.")
    return plain
