"""Programs: the private directories of their runs, and what was written before they waited."""

from __future__ import annotations

import os
from pathlib import Path
from subprocess import PIPE

import pytest
from fed_programs import fed

import wamr

pytestmark = pytest.mark.usefixtures("wat")


@pytest.mark.skipif(os.name == "nt", reason="private directories need those of POSIX")
def test_empty_folders_of_private_directories_are_in_each_run():
    contents = {"a": b"1", "empty": {}, "full": {"b": b"2"}, "deep": {"er": {"no": {}}}}
    expected = {"a": b"1", "full/b": b"2", "empty": {}, "deep/er/no": {}}
    with wamr.Program([fed()], dirs={"/w": contents}) as program:
        for done in (program.run(input=b"n", stdout=PIPE), program.run(input=b"n", stdout=PIPE)):
            assert done.files["/w"].tree() == expected
            Path(done.files["/w"].path, "empty").rmdir()  # of this run only
        with program.session() as session:
            Path(session.files["/w"].path, "new").mkdir()
            copy = wamr.Program.from_session(session).run(input=b"n", stdout=PIPE)
        assert copy.files["/w"].tree() == {**expected, "new": {}}
        other = program.run(input=b"n", stdout=PIPE, dirs={"/w": {}})
        assert other.files["/w"].tree() == {}


def test_what_the_program_wrote_until_it_waited_does_not_count_as_output_of_a_run():
    banner, rest = b"ready\n", b"1bye\n"
    enough = wamr.ResourceLimits(output_bytes=len(rest))
    with wamr.Program([fed()], limits=wamr.ResourceLimits(output_bytes=len(banner))) as program:
        for _ in range(2):
            done = program.run(input=b"n", stdout=PIPE, limits=enough)
            assert done.stdout == banner + rest
        with pytest.raises(wamr.OutputLimitTrap) as caught:
            program.run(input=b"n", stdout=PIPE, limits=wamr.ResourceLimits(output_bytes=1))
        assert caught.value.stdout == banner + rest[:1]
    with pytest.raises(wamr.OutputLimitTrap):
        wamr.Program([fed()], limits=wamr.ResourceLimits(output_bytes=len(banner) - 1))
