/* What Wine 8 lacks of bcryptprimitives.dll, and Rust's standard library takes its random bytes from: ProcessPrng, by
   the random bytes of advapi32. Built as bcryptprimitives.dll by tests/windows/run. */
#include <windows.h>
#include <ntsecapi.h>

__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE data, SIZE_T size) {
    return size <= 0xffffffff && RtlGenRandom(data, (ULONG)size);
}
