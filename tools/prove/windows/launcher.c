/* launcher.c: python.exe, which starts the Python of python312.dll, which lies beside the program. */
#include <windows.h>

int
wmain(int argc, wchar_t **argv)
{
    HMODULE python = LoadLibraryW(L"python312.dll");
    int (*run)(int, wchar_t **) = python ? (void *)GetProcAddress(python, "Py_Main") : NULL;

    return run ? run(argc, argv) : 120;
}
