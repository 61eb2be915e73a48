/* Memory comes from the caller. */
#include <string.h>
#include "core.h"

void *arena_get(Arena *a, size_t n, size_t size)
{
    if (a->failed) return NULL;
    if (n && size > (SIZE_MAX - 64) / n) { a->failed = 1; return NULL; }
    size_t bytes = n * size;
    char *raw = a->grab(a->ctx, bytes + 64);
    if (!raw) { a->failed = 1; return NULL; }
    raw += 64 - ((uintptr_t) raw & 63);
    memset(raw, 0, bytes);
    return raw;
}
