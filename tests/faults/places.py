"""Scenes in a mount namespace of their own: ``unshare --mount … places.py SCENE FOLDER``; prints one run a line."""

import os
import subprocess
import sys

from writer import NEW, OLD, files, store

MIB = 1 << 20


def mount(*arguments):
    """Mount something, in this namespace alone."""
    subprocess.run(["mount", *arguments], check=True)


def fresh(folder):
    """A launch file of somebody's in the folder."""
    path = folder + "/file"
    with open(path, "wb") as stream:
        stream.write(OLD.encode("latin-1"))
    os.chown(path, 1234, 4321)
    os.chmod(path, 0o640)
    return path


def text(path):
    """The bytes of a file as Latin-1 text."""
    with open(path, "rb") as stream:
        return stream.read().decode("latin-1")


def whole(path, *contents):
    """The file has one of these contents, with its owner and mode."""
    status = os.stat(path)
    assert text(path) in contents, "not whole"
    assert (status.st_uid, status.st_gid, status.st_mode & 0o7777) == (1234, 4321, 0o640), status


def refused(deed, *words):
    """The deed is refused, in these words."""
    try:
        deed()
    except files.Refused as error:
        message = str(error)
    else:
        raise AssertionError("not refused")
    for word in words + ("nothing was changed",):
        assert word in message, message
    print("run", flush=True)


def names(folder):
    """What is in the folder, apart from what fills it."""
    return sorted(name for name in os.listdir(folder) if not name.startswith("filler"))


def disk_full(folder):
    """A small disk with room for nothing, for the backup alone, for all but the last block, and no inodes."""
    results = set()
    for blocks in range(12):
        mount("-t", "tmpfs", "-o", "size=%d,mode=755" % (20 * 4096), "tmpfs", folder)
        path = fresh(folder)
        with open(folder + "/filler", "wb", buffering=0) as stream:
            try:
                while stream.write(b"x" * 4096):
                    pass
            except OSError:
                pass
        os.truncate(folder + "/filler", max(0, os.stat(folder + "/filler").st_size // 4096 - blocks) * 4096)
        try:
            kept = files.replace(path, OLD, NEW, store(path))
            whole(path, NEW)
            assert text(kept) == OLD
            results.add("written")
            print("run", flush=True)
        except files.Refused as error:
            assert "the disk is full" in str(error) and "nothing was changed" in str(error), error
            results.add("refused")
            whole(path, OLD)
            assert names(folder) == ["file"], names(folder)
            os.unlink(folder + "/filler")
            files.replace(path, OLD, NEW, store(path))
            whole(path, NEW)
            print("run", flush=True)
        subprocess.run(["umount", folder], check=True)
    assert results == {"written", "refused"}, results
    mount("-t", "tmpfs", "-o", "size=1m,mode=755,nr_inodes=4", "tmpfs", folder)
    path = fresh(folder)
    for number in range(9):
        try:
            os.mkdir("%s/filler%d" % (folder, number))
        except OSError:
            break
    refused(lambda: files.replace(path, OLD, NEW), "the disk is full")
    refused(lambda: files.replace(folder + "/new", None, NEW), "the disk is full")
    refused(lambda: files.make_folder(folder + "/new.d"), "the disk is full")
    whole(path, OLD)
    assert names(folder) == ["file"], names(folder)


def read_only(folder):
    """A remount between two writes, as of a disk with errors or of an image."""
    mount("-t", "tmpfs", "-o", "size=1m,mode=755", "tmpfs", folder)
    path = fresh(folder)
    first = files.replace(path, OLD, NEW, store(path))
    mount("-o", "remount,ro", folder)
    refused(lambda: files.replace(path, NEW, OLD, store(path)), "read-only")
    refused(lambda: files.replace(path, NEW, None), "read-only")
    refused(lambda: files.replace(folder + "/new", None, NEW), "read-only")
    refused(lambda: files.make_folder(folder + "/new.d"), "read-only")
    refused(lambda: store(path).restore(path), "read-only")
    whole(path, NEW)
    assert [backup.path for backup in store(path).list(path)] == [first]
    mount("-o", "remount,rw", folder)
    assert store(path).restore(path).changed
    whole(path, OLD)


def backups_elsewhere(folder):
    """The place of the backups alone is full, read-only, or immutable: the file stays as it is."""
    path = fresh(folder)
    place = store(path).place
    store(path).check()
    mount("-t", "tmpfs", "-o", "size=8k,mode=700", "tmpfs", place)
    with open(place + "/filler", "wb", buffering=0) as stream:
        try:
            while stream.write(b"x" * 4096):
                pass
        except OSError:
            pass
    refused(lambda: files.replace(path, OLD, NEW, store(path)), "the disk is full", "no backup can be kept")
    refused(lambda: files.replace(folder + "/new", None, NEW, store(path)), "the disk is full")
    mount("-o", "remount,ro", place)
    for make in (False, True):
        refused(lambda make=make: store(path).check(make), "read-only", "no backup can be kept")
    refused(lambda: files.replace(path, OLD, NEW, store(path)), "read-only")
    whole(path, OLD)
    assert names(folder) == ["file"], names(folder)
    subprocess.run(["umount", place], check=True)
    files.replace(path, OLD, NEW, store(path))
    whole(path, NEW)


def immutable(folder):
    """``chattr +i`` and ``+a`` on the file and on its folder, on an ext4 of our own."""
    image = folder + ".image"
    with open(image, "wb") as stream:
        stream.truncate(16 * MIB)
    subprocess.run(["mkfs.ext4", "-q", "-F", image], check=True)
    try:
        mount("-o", "loop", image, folder)
    except subprocess.CalledProcessError:
        sys.exit("the ext4 image cannot be mounted: are there loop devices on this machine?")
    place = folder + "/etc"
    os.mkdir(place, 0o755)
    path = fresh(place)
    for flag in "ia":
        for what in (path, place):
            subprocess.run(["chattr", "+" + flag, what], check=True)
            try:
                for backup in (store(path), None):
                    if (flag, what) == ("a", place):
                        # Files may be added there, none renamed: an attempt leaves what it cannot remove.
                        refused(lambda: files.replace(path, OLD, NEW), "lsattr")
                        continue
                    refused(lambda keep=backup: files.replace(path, OLD, NEW, keep), "lsattr")
                    assert names(place) == ["file"], names(place)
                refused(lambda: files.replace(path, OLD, None), "lsattr")
                whole(path, OLD)
            finally:
                subprocess.run(["chattr", "-" + flag, what], check=True)
    kept = files.replace(path, OLD, NEW, store(path))
    whole(path, NEW)
    assert text(kept) == OLD
    assert names(place) == ["file"], names(place)


def mount_point(folder):
    """A file that is bound into a container cannot be replaced there."""
    path = fresh(folder)
    with open(folder + "/source", "wb") as stream:
        stream.write(OLD.encode("latin-1"))
    mount("--bind", folder + "/source", path)
    refused(lambda: files.replace(path, OLD, NEW, store(path)), "mount point")
    assert text(path) == OLD
    assert names(folder) == ["file", "source"], names(folder)


def main():
    """Play one scene."""
    scene, folder = sys.argv[1:]
    {
        "disk full": disk_full,
        "read-only": read_only,
        "immutable": immutable,
        "mount point": mount_point,
        "backups elsewhere": backups_elsewhere,
    }[scene](folder)


if __name__ == "__main__":
    main()
