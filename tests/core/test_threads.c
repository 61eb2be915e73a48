/* How many threads a loop may have, before and after a fork. */
#include "check.h"
#ifdef _OPENMP
#include <omp.h>
#endif
#include <sys/wait.h>
#include <unistd.h>

static void usable(void)
{
    CHECK(threads_usable(0) == 1);
    CHECK(threads_usable(-5) == 1);
    CHECK(threads_usable(1) == 1);
#ifdef _OPENMP
    int limit = omp_get_thread_limit();
    CHECK(threads_usable(2) == (limit < 2 ? limit : 2));
    CHECK(threads_usable(2147483647) == limit);
#else
    CHECK(threads_usable(8) == 1);
#endif
}

/* what a child says of 4 threads */
static int in_a_child(void)
{
    int status = 0;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) _exit(threads_usable(4));
    CHECK(child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void forks(void)
{
    int here = threads_usable(4);
    CHECK(in_a_child() == here);                 /* nobody has asked for the guard yet */
    threads_guard_fork();
    CHECK(in_a_child() == 1);
    CHECK(threads_usable(4) == here);            /* the parent is as before */
}

int main(void)
{
    RUN(usable);
    RUN(forks);
    return report("threads");
}
