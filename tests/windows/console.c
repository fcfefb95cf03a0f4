/* What a console tells a program: console.exe c|break|close "PROGRAM ARGUMENT..."

   Starts the program, waits for its first line, and has the system's own routine for such events run in it, as Windows
   does: Wine 8 raises Ctrl-C alone by GenerateConsoleCtrlEvent. The exit status is that of the program, or 99. */
#include <stdio.h>
#include <string.h>
#include <windows.h>

static int fail(const char *what) {
    fprintf(stderr, "%s: error %lu\n", what, GetLastError());
    return 99;
}

static DWORD event_named(const char *name) {
    return strcmp(name, "close") == 0 ? CTRL_CLOSE_EVENT : strcmp(name, "break") == 0 ? CTRL_BREAK_EVENT : CTRL_C_EVENT;
}

static int says_a_line(HANDLE output) {
    char byte = 0;
    DWORD got = 1;
    while (byte != '\n' && got == 1) {
        if (!ReadFile(output, &byte, 1, &got, NULL)) return 0;
    }
    return got == 1;
}

int main(int count, char **arguments) {
    SECURITY_ATTRIBUTES inherited = {sizeof inherited, NULL, TRUE};
    HANDLE output, input, thread;
    PROCESS_INFORMATION program;
    LPTHREAD_START_ROUTINE routine =
        (LPTHREAD_START_ROUTINE)(void *)GetProcAddress(GetModuleHandleA("kernelbase.dll"), "CtrlRoutine");
    DWORD status = 99;
    if (count != 3 || routine == NULL || !CreatePipe(&output, &input, &inherited, 0)) return fail("begin");
    STARTUPINFOA start = {.cb = sizeof start, .dwFlags = STARTF_USESTDHANDLES, .hStdOutput = input};
    start.hStdError = GetStdHandle(STD_ERROR_HANDLE);
    if (!CreateProcessA(NULL, arguments[2], NULL, NULL, TRUE, 0, NULL, NULL, &start, &program)) return fail("start");
    CloseHandle(input);
    if (!says_a_line(output)) return fail("its first line");
    /* A library of the system is at the same address in all processes. */
    thread = CreateRemoteThread(program.hProcess, NULL, 0, routine, (void *)(ULONG_PTR)event_named(arguments[1]), 0, NULL);
    if (thread == NULL) return fail("the event");
    if (WaitForSingleObject(program.hProcess, 60000) != WAIT_OBJECT_0) {
        fprintf(stderr, "it goes on\n");
        TerminateProcess(program.hProcess, 99);
        return 99;
    }
    return GetExitCodeProcess(program.hProcess, &status) ? (int)status : fail("its exit status");
}
