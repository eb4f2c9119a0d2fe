/* Stands in for a Python on Windows: says where it is, what it is good for, and what it was given.

   Its name's place decides what it is: a file "kind" beside it holds good, old, no-venv, crash or
   silent. A good one that is started with a script writes its arguments, one a line, to the file
   that IDF_STANDIN_LOG names, puts the file IDF_STANDIN_NEW in the place of IDF_STANDIN_OLD (as an
   update would) and ends with the status IDF_STANDIN_STATUS. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>
#include <windows.h>

static void kind_of_this_program(char *kind, size_t size)
{
    wchar_t path[1024];
    GetModuleFileNameW(NULL, path, 1000);
    wcscpy(wcsrchr(path, L'\\') + 1, L"kind");
    FILE *file = _wfopen(path, L"r");
    if (!file || !fgets(kind, (int)size, file))
        strcpy(kind, "good");
    if (file)
        fclose(file);
}

int wmain(int count, wchar_t **arguments)
{
    char kind[32], printed[4096];
    wchar_t path[1024];
    kind_of_this_program(kind, sizeof kind);
    if (!strcmp(kind, "crash"))
        return -1073741819;
    if (!strcmp(kind, "silent"))
        return 9009;
    int at = 1;
    while (at < count && arguments[at][0] == L'-' && wcscmp(arguments[at], L"-c"))
        at++; /* the launcher's choice of a version */
    if (at + 1 < count && !wcscmp(arguments[at], L"-c")) {
        if (wcsstr(arguments[at + 1], L"sys.executable")) {
            const char *encoding = getenv("PYTHONIOENCODING");
            UINT page = encoding && !strncmp(encoding, "oem", 3) ? CP_OEMCP : CP_UTF8;
            GetModuleFileNameW(NULL, path, 1000);
            WideCharToMultiByte(page, 0, path, -1, printed, sizeof printed, NULL, NULL);
            puts(printed);
        }
        if (wcsstr(arguments[at + 1], L"version_info"))
            return !strcmp(kind, "old");
        if (wcsstr(arguments[at + 1], L"venv"))
            return !strcmp(kind, "no-venv");
        return 0;
    }
    FILE *log = _wfopen(_wgetenv(L"IDF_STANDIN_LOG"), L"a");
    for (; at < count; at++)
        fwprintf(log, L"%ls\n", arguments[at]);
    fclose(log);
    if (_wgetenv(L"IDF_STANDIN_NEW"))
        CopyFileW(_wgetenv(L"IDF_STANDIN_NEW"), _wgetenv(L"IDF_STANDIN_OLD"), FALSE);
    return getenv("IDF_STANDIN_STATUS") ? atoi(getenv("IDF_STANDIN_STATUS")) : 0;
}
