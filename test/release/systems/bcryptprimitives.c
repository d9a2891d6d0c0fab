/* The function of bcryptprimitives.dll that Bun needs and Wine lacks before version 9. */
#include <windows.h>

BOOLEAN NTAPI SystemFunction036(PVOID, ULONG);

__declspec(dllexport) BOOL WINAPI ProcessPrng(BYTE *bytes, SIZE_T count)
{
	return SystemFunction036(bytes, (ULONG)count);
}
