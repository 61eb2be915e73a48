/* What only the operating system knows. */
#include "r_glue.h"
#ifdef _WIN32
#include <windows.h>
#else
#include <sys/statvfs.h>
#endif

/* Bytes that can still be written into a folder; NA where the system does not say. */
SEXP C_free_space(SEXP folder)
{
    const char *name = R_ExpandFileName(Rf_translateChar(STRING_ELT(folder, 0)));
    double bytes = NA_REAL;
#ifdef _WIN32
    ULARGE_INTEGER left;
    if (GetDiskFreeSpaceExA(name, &left, NULL, NULL)) bytes = (double) left.QuadPart;
#else
    struct statvfs s;
    if (!statvfs(name, &s)) bytes = (double) s.f_bavail * (double) s.f_frsize;
#endif
    return Rf_ScalarReal(bytes);
}
