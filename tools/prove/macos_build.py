"""Makes a wheel by setup.py as on macOS, with the compiler of macos.bash.

    cd SOURCE && PROVE_WORK=FOLDER python macos_build.py arm64|x86_64 WHEELS

setup.py and what it uses ask sys.platform and platform.machine(), so they choose the options of the
compiler and the linker that they choose there.
"""

from __future__ import annotations

import os
import platform
import runpy
import sys
import sysconfig
import urllib.request  # noqa: F401 (on macOS it needs a module that only macOS has)
from pathlib import Path


def main(arch: str, wheels: str) -> None:
    work = Path(os.environ["PROVE_WORK"])
    os.environ.update(
        MACOS_ARCH=arch,
        CMAKE_TOOLCHAIN_FILE=str(work / "toolchain.cmake"),
        CC=str(work / "cc"),
        LDSHARED=f"{work}/cc -bundle -undefined dynamic_lookup",
        LDCXXSHARED=f"{work}/cc -bundle -undefined dynamic_lookup",
        ARCHFLAGS=f"-arch {arch}",
        _PYTHON_HOST_PLATFORM=f"macosx-11.0-{arch}",
        MACOSX_DEPLOYMENT_TARGET="11.0",
    )
    sysconfig.get_config_vars()  # this Python's, before it seems to be another one
    import _osx_support

    replace = vars(_osx_support).__setitem__
    replace("customize_compiler", lambda config: config)  # asks Xcode
    replace("get_platform_osx", lambda *_config: ("macosx", "11.0", arch))
    sys.platform = "darwin"
    platform.machine = lambda: arch
    platform.system = lambda: "Darwin"
    sys.argv = ["setup.py", "bdist_wheel", "--dist-dir", wheels]
    sys.path.insert(0, str(Path.cwd()))
    runpy.run_path("setup.py", run_name="__main__")


if __name__ == "__main__":
    main(*sys.argv[1:])
