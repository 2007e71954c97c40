/* Fork the branches of a REPL so that they are not its children, and copy its memory only once for each of them.
 *
 * An intermediate process forks the branches and ends, and the supervisor adopts them. The intermediate process borrows the memory
 * of the REPL (vfork), which waits for it. A copy of its own would cost as much as the fork itself: 1 ms, measured. The hooks of the
 * interpreter run once in the REPL and once in each branch, as they do for `os.fork`.
 *
 * This cannot be written in Python: between the hooks no bytecode may run, because it could wait for threads that the fork has
 * ended, and the intermediate process must not return from the function that called vfork.
 */
#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

/* The parts of CPython's API that are used here; the interpreter that loads this library provides them. */
void PyOS_BeforeFork(void);
void PyOS_AfterFork_Parent(void);
void PyOS_AfterFork_Child(void);

/* Fork `count` branches. In a branch, return its number, which counts from 0. In the REPL, return `count`, or -errno if a fork
 * failed. The caller holds the interpreter's lock. */
int fork_detached(int count) {
    sigset_t all, earlier;
    volatile int number = 0, error = 0; /* the intermediate process changes them */
    PyOS_BeforeFork();
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &earlier); /* no handler of the REPL may run in the intermediate process */
    pid_t intermediate = vfork();
    if (intermediate == 0) {
        for (; number < count; number++) {
            pid_t branch = fork();
            if (branch == 0) {
                pthread_sigmask(SIG_SETMASK, &earlier, NULL);
                PyOS_AfterFork_Child();
                return number;
            }
            if (branch < 0) {
                error = errno;
                break;
            }
        }
        _exit(0);
    }
    if (intermediate < 0) error = errno;
    while (intermediate > 0 && waitpid(intermediate, NULL, 0) < 0 && errno == EINTR);
    pthread_sigmask(SIG_SETMASK, &earlier, NULL);
    PyOS_AfterFork_Parent();
    return error ? -error : count;
}
