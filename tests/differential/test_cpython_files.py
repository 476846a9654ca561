"""CPython's files: each function of `os` that WASI supports, where it is allowed and refused."""

from __future__ import annotations

import pytest
from differential import DifferentialModule, Folder

# Each line of ATTEMPTS is evaluated, and its result or exception is printed.
SCRIPT = """
import os, sys
def attempt(text):
    try:
        print(text, "->", eval(text))
    except Exception as error:
        print(text, "->", type(error).__name__, error)
def opened(path, mode, use):
    with open(path, mode) as file:
        return use(file)
def descriptor(path, flags, use):
    number = os.open(path, flags)
    try:
        return use(number)
    finally:
        os.close(number)
for line in sys.stdin.read().splitlines():
    if line:
        attempt(line)
"""
ATTEMPTS = r"""
open("/d/x").read()
opened("/d/x", "w", lambda f: f.write("word"))
opened("/d/x", "a", lambda f: (f.write(" more"), f.tell()))
opened("/d/x", "r+", lambda f: (f.write("W"), f.seek(0), f.read()))
opened("/d/new", "x", lambda f: f.write("new"))
open("/d/x", "x")
opened("/d/b", "w+b", lambda f: (f.write(b"hello world"), f.seek(3), f.read(2), f.truncate(5)))
opened("/d/b", "rb", lambda f: (os.fstat(f.fileno()).st_size, os.pread(f.fileno(), 3, 1)))
opened("/d/b", "r+b", lambda f: (os.pwrite(f.fileno(), b"Z", 1), os.fsync(f.fileno()), f.read()))
opened("/d/far", "wb", lambda f: (f.seek(1000), f.write(b"x")))
os.stat("/d/far").st_size
open("/d/missing")
open("/d/sub")
open("/d/sub", "w")
open("/d/x/y")
open("/d/x/")
open("/d/sub/../x").read()
open("/d/./sub/f").read()
open("/d/é中", "w").close()
open("/d/" + "n" * 300)
open("/d/a\0b")
open("")
open("x")
open("/etc/passwd")
open("/d/../secret")
open("/d/sub/../../secret")
os.mkdir("/d/m")
os.mkdir("/d/sub")
os.makedirs("/d/p/q/r")
os.rmdir("/d/m")
os.rmdir("/d/sub")
os.rmdir("/d/x")
os.rmdir("/d/missing")
os.rmdir("/d/.")
os.rmdir("/d")
os.unlink("/d/sub")
os.unlink("/d/missing")
os.rename("/d/x", "/d/y")
os.rename("/d/y", "/d/x")
os.replace("/d/new", "/d/x")
os.rename("/d/missing", "/d/y")
os.rename("/d/sub", "/d/x")
os.rename("/d/x", "/d/sub")
os.rename("/d/x", "/other/x")
os.symlink("x", "/d/link")
os.readlink("/d/link")
open("/d/link").read()
os.lstat("/d/link").st_mode == os.stat("/d/x").st_mode
os.readlink("/d/x")
os.symlink("/etc/passwd", "/d/absolute")
os.symlink("../../etc", "/d/out")
open("/d/out/passwd")
os.symlink("loop", "/d/loop")
open("/d/loop")
descriptor("/d/link", os.O_RDONLY | os.O_NOFOLLOW, os.fstat)
os.unlink("/d/out")
os.unlink("/d/loop")
os.link("/d/x", "/d/hard")
os.stat("/d/x").st_nlink
oct(os.stat("/d/x").st_mode), oct(os.stat("/d/sub").st_mode), oct(os.stat("/d").st_mode)
os.stat("/d/missing")
os.stat("/d/..")
os.utime("/d/x", (1, 2))
os.stat("/d/x").st_mtime == 2
os.truncate("/d/x", 1)
os.chmod("/d/x", 0)
sorted(os.listdir("/d"))
os.listdir("/d/x")
os.listdir("/d/missing")
os.listdir("/")
sorted((e.name, e.is_dir(), e.is_file(), e.is_symlink()) for e in os.scandir("/d"))
sorted((a, sorted(b), sorted(c)) for a, b, c in os.walk("/d"))
descriptor("/d/x", os.O_RDONLY, lambda n: os.write(n, b"1"))
descriptor("/d/x", os.O_RDWR, lambda n: os.write(n, b"1"))
descriptor("/d/x", os.O_WRONLY, lambda n: os.read(n, 1))
descriptor("/d/x", os.O_RDONLY, lambda n: os.lseek(n, -5, 0))
descriptor("/d/x", os.O_RDONLY | os.O_TRUNC, os.fstat) and None
descriptor("/d/x", os.O_RDONLY | os.O_DIRECTORY, os.fstat)
descriptor("/d", os.O_RDONLY | os.O_DIRECTORY, lambda n: os.read(n, 1))
descriptor("/d/x", os.O_RDONLY, os.dup)
os.read(99, 1)
os.getcwd(), os.chdir("/d"), os.getcwd(), open("x").read()
os.chdir("/nowhere")
os.access("/d/x", os.R_OK), os.access("/d/missing", os.F_OK)
os.read(1, 1)
os.write(0, b"x")
sys.stdin.seek(0)
os.lseek(1, 0, 1)
os.isatty(0), os.isatty(1), os.isatty(99)
__import__("shutil").copytree("/d/sub", "/d/copy")
__import__("shutil").rmtree("/d/copy")
os.unlink("/d/x")
"""
FILES = {"x": "some dätä\n".encode(), "sub/f": b"deep"}


def attempts(python: DifferentialModule, **folders: Folder) -> list[str]:
    done = python.run("-c", SCRIPT, stdin=ATTEMPTS, dirs={f"/{k}": v for k, v in folders.items()})
    assert (done.code, done.stderr) == (0, b"")
    assert len(done.out.splitlines()) >= len(ATTEMPTS.strip().splitlines())
    return done.out.splitlines()


def test_in_a_writable_directory(python: DifferentialModule) -> None:
    lines = attempts(python, d=Folder(FILES, writable=True), other=Folder(FILES))
    assert sum("Error " in line for line in lines) < len(lines) / 2
    refused = [line for line in lines if "Capabilities insufficient" in line]
    assert {line.partition(" ->")[0] for line in refused} == {
        'open("/d/../secret")',
        'open("/d/sub/../../secret")',
        'os.rename("/d/x", "/other/x")',
        'os.symlink("/etc/passwd", "/d/absolute")',
        'open("/d/out/passwd")',
        'os.stat("/d/..")',
    }


def test_in_a_read_only_directory(python: DifferentialModule) -> None:
    lines = attempts(python, d=Folder(FILES), other=Folder(FILES, writable=True))
    refused = [line for line in lines if "Capabilities insufficient" in line]
    assert len(refused) > 35
    assert any('"r+"' in line for line in refused)
    assert any("O_RDWR" in line for line in refused)


def test_without_a_directory(python: DifferentialModule) -> None:
    lines = attempts(python)
    assert not any("Capabilities insufficient" in line for line in lines)
    assert lines[0].endswith("No such file or directory: '/d/x'")


@pytest.mark.parametrize("writable", [False, True])
def test_directories_within_each_other(python: DifferentialModule, writable: bool) -> None:
    script = """
import os
print(open("/a/f").read(), open("/a/b/f").read(), open("/f").read())
try:
    open("/a/b/new", "w").close()
except OSError as error:
    print(error)
"""
    dirs = {
        "/": Folder({"f": b"root"}),
        "/a": Folder({"f": b"a", "b/f": b"hidden"}, not writable),
        "/a/b": Folder({"f": b"b"}, writable),
    }
    done = python.run("-c", script, dirs=dirs)
    assert done.out.startswith("a b root\n")
    assert ("new" in done.files["/a/b"]) == writable


def test_a_database_in_a_file(python: DifferentialModule) -> None:
    script = """
import sqlite3
db = sqlite3.connect("/d/data.db")
db.execute("create table squares (number, square)")
with db:
    db.executemany("insert into squares values (?, ?)", ((i, i * i) for i in range(5000)))
print(db.execute("select sum(square) from squares").fetchone())
db.close()
"""
    done = python.run("-c", script, dirs={"/d": Folder(writable=True)})
    assert (done.code, done.err, done.out) == (0, "", "(41654167500,)\n")
    assert set(done.files["/d"]) == {"data.db"}
    kept = {"data.db": done.files["/d"]["data.db"]}
    # SQLite can't lock a file in a read-only directory. Both engines refuse, with different errors:
    # SQLite knows EPERM, and takes ENOTCAPABLE for a failing disk.
    again = """
import sqlite3
for name in ("/d/data.db", "file:/d/data.db?immutable=1"):
    db = sqlite3.connect(name, uri=True)
    for text in ("select count(*) from squares", "delete from squares"):
        try:
            print(db.execute(text).fetchall())
        except sqlite3.OperationalError as error:
            print(name.startswith("file:") and error)
"""
    done = python.run("-c", again, dirs={"/d": Folder(kept)})
    no = "attempt to write a readonly database"
    assert done.out == f"False\nFalse\n[(5000,)]\n{no}\n"
