/* How many threads, and the guard against forks (threads.h). */
#include "core.h"
#ifdef _OPENMP
#include <omp.h>
#endif
#if defined(_OPENMP) && !defined(_WIN32)
#include <pthread.h>
#define HAS_FORK
#endif

static int forked = 0;

#ifdef HAS_FORK
static void in_child(void) { forked = 1; }
#endif

void threads_guard_fork(void)
{
#ifdef HAS_FORK
    pthread_atfork(NULL, NULL, in_child);
#endif
}

int threads_usable(int wanted)
{
    if (forked || wanted < 1) return 1;
#ifdef _OPENMP
    if (wanted > omp_get_thread_limit()) wanted = omp_get_thread_limit();
    return wanted;
#else
    return 1;
#endif
}
