"""A share of which one part never answers: SOURCE as it is, mounted at FOLDER, but what fits PATTERN hangs.

    python mount.py SOURCE FOLDER HOW PATTERN

HOW is `read` (opened, then no byte comes), `open`, `list` (a folder's names don't come) or `stat`.
Ends when its standard input does.
"""

import errno
import fnmatch
import os
import sys
import threading

import mfusepy


# Who waits in the kernel can't even be killed.
ENDED = threading.Event()


class Share(mfusepy.Operations):
    use_ns = True

    def __init__(self, source, how, pattern):
        self.source, self.how, self.pattern = source, how, pattern

    def hang(self, how, path):
        if how == self.how and fnmatch.fnmatch(path, self.pattern):
            ENDED.wait()
            raise mfusepy.FuseOSError(errno.EIO)

    def real(self, path):
        return os.path.join(self.source, path.lstrip("/"))

    def getattr(self, path, fh=None):
        self.hang("stat", path)
        try:
            about = os.lstat(self.real(path))
        except OSError as error:
            raise mfusepy.FuseOSError(error.errno or errno.EIO)
        names = ("st_mode", "st_nlink", "st_size", "st_uid", "st_gid")
        times = {name: getattr(about, f"{name}_ns") for name in ("st_atime", "st_mtime", "st_ctime")}
        return {name: getattr(about, name) for name in names} | times

    def readdir(self, path, fh):
        self.hang("list", path)
        return [".", "..", *os.listdir(self.real(path))]

    def open(self, path, flags):
        self.hang("open", path)
        return os.open(self.real(path), os.O_RDONLY)

    def read(self, path, size, offset, fh):
        self.hang("read", path)
        return os.pread(fh, size, offset)

    def release(self, path, fh):
        os.close(fh)
        return 0


if __name__ == "__main__":
    source, folder, how, pattern = sys.argv[1:]

    def until_asked():
        sys.stdin.read()
        ENDED.set()
        os.system(f"umount -l '{folder}'")
        os._exit(0)

    threading.Thread(target=until_asked, daemon=True).start()
    mfusepy.FUSE(Share(source, how, pattern), folder, foreground=True, ro=True, allow_other=True)
