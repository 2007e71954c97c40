/* The zygote's loop in C: wait for a launch spec, fork, confine the child, run its program. The parent never runs Python again.
 *
 * Why it is not in Python: every page a child touches is copied (3.3 us each, measured). To receive, fork and confine, the
 * interpreter touches 270 pages, in the child and again in the parent; this code touches a handful. The steps are those of
 * confinement.py, in the same order and for the same reasons. Without this library, zygote.py does the same in Python.
 *
 * Only the child reads its launch spec, never the parent, so no child can find an earlier one in the memory it inherits.
 * launch_spec.py defines its layout (little endian, no padding): seven 64-bit numbers, then NUL-terminated strings.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { EXEC = 0, FORK = 1, FORK_PLAIN = 2 }; /* enums.Mode */
enum { DESCRIPTORS = 4, WITH_CHANNEL = 6, MOST_DESCRIPTORS = 7, NOT_STARTED = 127 };
/* Limits of confinement.py. */
enum { OPEN_FILES = 512, MOST_OPEN_FILES = 4096, LOCKED_BYTES = 65536, PENDING_SIGNALS = 1024 };
/* launch_spec.SetupStep: the steps of a child before its program begins. */
enum step {
    STARTED = 0,
    STEP_FORK = 1,
    STEP_DESCRIPTORS = 2,
    STEP_SESSION = 3,
    STEP_DIRECTORY = 4,
    STEP_VISIBILITY = 5,
    STEP_OOM_SCORE = 6,
    STEP_LIMITS = 7,
    STEP_USER = 8,
    STEP_DEATH_SIGNAL = 9,
    STEP_EXEC = 10
};

struct launch_spec {
    int64_t uid;  /* -1: keep the current one */
    int64_t mode; /* EXEC: execute the arguments; anything else: return to Python, which handles it */
    int64_t cpu_seconds, memory_bytes, processes, file_bytes;
    int64_t arguments; /* strings: the directory, then the arguments, then the environment */
    char strings[];
};

struct report {
    int32_t wait_status;
    int16_t step, error; /* the step at which the child ended, or STARTED if its program began */
    double cpu_time_s, memory_mb;
};

/* The step that a child has reached, in a page that it shares with the zygote. No program can write to it: an exec drops the page,
 * and a forked child unmaps it before its program begins. */
static volatile struct progress {
    int16_t step, error;
} *progress;
static int failing_step; /* for tests: the step that fails; if negative, the step at which the child is killed */
static struct rlimit inherited[RLIM_NLIMITS];

/* The parts of CPython's API that are used here; the interpreter that loads this library provides them. */
typedef struct _object PyObject;
struct compiler_flags {
    int flags, feature_version;
};
enum { PY_FILE_INPUT = 257, PY_SOURCE_IS_UTF8 = 0x100 };
PyObject *Py_CompileStringObject(const char *, PyObject *, int, struct compiler_flags *, int);
PyObject *PyEval_EvalCode(PyObject *, PyObject *, PyObject *);
PyObject *PyObject_CallMethodObjArgs(PyObject *, PyObject *, ...);
PyObject *PyObject_CallObject(PyObject *, PyObject *);
PyObject *PySys_GetObject(const char *);
struct arena_allocator {
    void *context;
    void *(*allocate)(void *, size_t);
    void (*free)(void *, void *, size_t);
};
void PyObject_SetArenaAllocator(struct arena_allocator *);
void *PyObject_Malloc(size_t);
void PyObject_Free(void *);
void PyErr_Clear(void);
void PyErr_Fetch(PyObject **, PyObject **, PyObject **);
void PyErr_NormalizeException(PyObject **, PyObject **, PyObject **);
int PyException_SetTraceback(PyObject *, PyObject *);
void Py_DecRef(PyObject *);

/* What zygote.py prepares for a script without arguments, the case of nearly all runs, so that no child has to do so: a __main__
 * module and the matching values in sys. */
struct prepared {
    const char *directory, *executable, *script;
    PyObject *path, *namespace, *flush, *reseed, *standard_output, *standard_error;
    int32_t feature_version;
    int32_t behind; /* offset of the frame pointer in a cframe; -1: there is no cframe (hidden_frames.py) */
    int32_t *recursion_left;
    int64_t recursion_limit;
    char *frame;
};

enum how_far { NOT_READ = 0, RAN = 1, NOT_COMPILED = 2 };

/* A child in which Python takes over. */
struct returned {
    int64_t mode;
    int64_t arguments; /* number of arguments */
    const char *strings;
    PyObject *error; /* the exception of the program or of the compiler */
    int64_t how_far;
};

static void fail(void) {
    progress->error = errno;
    _exit(NOT_STARTED);
}

static void begin(int step) {
    progress->step = step;
    if (step == -failing_step) kill(getpid(), SIGKILL);
    if (step != failing_step) return;
    errno = ECANCELED;
    fail();
}

static void limit(int resource, rlim_t soft, rlim_t hard) {
    struct rlimit value = {soft, hard};
    if (setrlimit(resource, &value) != 0) fail();
}

/* Lower a limit that protects only the kernel. A kernel without it, such as gVisor's, refuses with EPERM. */
static void lower(int resource, rlim_t value) {
    if (value > inherited[resource].rlim_max) value = inherited[resource].rlim_max;
    struct rlimit both = {value, value};
    if (setrlimit(resource, &both) != 0 && errno != EPERM) fail();
}

static void set_limits(const struct launch_spec *spec) {
    rlim_t most_files = inherited[RLIMIT_NOFILE].rlim_max;
    if (most_files > MOST_OPEN_FILES) most_files = MOST_OPEN_FILES;
    limit(RLIMIT_CPU, spec->cpu_seconds, inherited[RLIMIT_CPU].rlim_max);
    limit(RLIMIT_FSIZE, spec->file_bytes, spec->file_bytes);
    /* core(5): with 0 the kernel still starts the helper in the host's core_pattern; 1 byte prevents that, too. */
    if (inherited[RLIMIT_CORE].rlim_max > 0) limit(RLIMIT_CORE, 1, 1);
    limit(RLIMIT_NOFILE, OPEN_FILES, most_files);
    limit(RLIMIT_NPROC, spec->processes, spec->processes);
    limit(RLIMIT_STACK, spec->memory_bytes, inherited[RLIMIT_STACK].rlim_max);
    lower(RLIMIT_MEMLOCK, LOCKED_BYTES);
    lower(RLIMIT_MSGQUEUE, 0);
    lower(RLIMIT_SIGPENDING, PENDING_SIGNALS);
}

static int open_oom_score(void) { return open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC); }

static void be_first_for_the_oom_killer(void) {
    int file = open_oom_score();
    if (file < 0 || write(file, "1000", 4) != 4) fail();
    close(file);
}

static void become(int64_t uid, int shared) {
    begin(STEP_USER);
    if (uid >= 0) {
        /* Raw calls: libc's versions first synchronize all threads, and there is only one. */
        if (syscall(SYS_setgroups, 0, NULL) != 0) fail();
        if (syscall(SYS_setresgid, (gid_t)uid, (gid_t)uid, (gid_t)uid) != 0) fail();
        if (syscall(SYS_setresuid, (uid_t)uid, (uid_t)uid, (uid_t)uid) != 0) fail();
        if (!shared && prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) != 0) fail();
    }
    begin(STEP_DEATH_SIGNAL);
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0) fail();
}

/* Read the launch spec; return NULL if that fails, which ends the zygote and therefore the box. */
static const struct launch_spec *read_launch_spec(int descriptor, size_t *size) {
    struct stat status;
    if (fstat(descriptor, &status) != 0 || status.st_size < (off_t)sizeof(struct launch_spec)) return NULL;
    *size = status.st_size;
    void *spec = mmap(NULL, *size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, descriptor, 0);
    return spec == MAP_FAILED ? NULL : spec;
}

static void execute(char **arguments, char **environment) {
    signal(SIGPIPE, SIG_DFL);
    signal(SIGXFSZ, SIG_DFL);
    signal(SIGINT, SIG_DFL);
    begin(STEP_EXEC);
    progress->step = STARTED; /* set before the exec, because after a successful one the program is running */
    execvpe(arguments[0], arguments, environment);
    progress->step = STEP_EXEC;
    fail();
}

/* Read the whole file; return NULL if Python must handle it: it is missing, or contains a NUL. */
static char *read_source(const char *name) {
    struct stat status;
    int file = open(name, O_RDONLY | O_CLOEXEC);
    if (file < 0) return NULL;
    char *source = fstat(file, &status) == 0 ? malloc(status.st_size + 1) : NULL;
    if (source && read(file, source, status.st_size) != status.st_size) {
        free(source);
        source = NULL;
    }
    close(file);
    if (!source) return NULL;
    source[status.st_size] = 0;
    if (strlen(source) == (size_t)status.st_size) return source;
    free(source);
    return NULL;
}

static int is_prepared(const struct prepared *prepared, const struct launch_spec *spec) {
    const char *next = spec->strings;
    if (!prepared || spec->arguments != 2 || strcmp(next, prepared->directory) != 0) return 0;
    next += strlen(next) + 1;
    if (strcmp(next, prepared->executable) != 0) return 0;
    next += strlen(next) + 1;
    return strcmp(next, prepared->script) == 0;
}

/* Return the current exception with its traceback. */
static PyObject *raised(void) {
    PyObject *kind, *error, *trace;
    PyErr_Fetch(&kind, &error, &trace);
    PyErr_NormalizeException(&kind, &error, &trace);
    if (trace) PyException_SetTraceback(error, trace);
    return error;
}

/* Run the script like the interpreter does: with no frame above it and with the full recursion limit. */
static enum how_far run_program(const struct prepared *prepared, PyObject **error) {
    char *source = read_source(prepared->script);
    if (!source) return NOT_READ;
    struct compiler_flags flags = {PY_SOURCE_IS_UTF8, prepared->feature_version};
    PyObject *code = Py_CompileStringObject(source, prepared->path, PY_FILE_INPUT, &flags, -1);
    free(source);
    if (!code) {
        *error = raised();
        return NOT_COMPILED;
    }
    char *frame = prepared->frame;
    if (prepared->behind >= 0) frame = *(char **)frame + prepared->behind;
    void *caller = *(void **)frame;
    PyObject *reseeded = PyObject_CallObject(prepared->reseed, NULL); /* otherwise all programs would draw the same numbers */
    if (!reseeded) { /* Python tries again and can report the error */
        PyErr_Clear();
        return NOT_READ;
    }
    Py_DecRef(reseeded);
    *prepared->recursion_left = prepared->recursion_limit;
    *(void **)frame = NULL;
    PyObject *result = PyEval_EvalCode(code, prepared->namespace, prepared->namespace);
    *(void **)frame = caller;
    Py_DecRef(code);
    if (result) Py_DecRef(result);
    else *error = raised();
    return RAN;
}

static int flushed(const char *name, const struct prepared *prepared, PyObject *original) {
    PyObject *stream = PySys_GetObject(name);
    if (stream != original) return 0;
    PyObject *result = PyObject_CallMethodObjArgs(stream, prepared->flush, NULL);
    if (result) Py_DecRef(result);
    else PyErr_Clear();
    return result != NULL;
}

/* End a program that leaves nothing to close; return if Python must handle its end. */
static void finish_plainly(const struct prepared *prepared) {
    if (flushed("stderr", prepared, prepared->standard_error) && flushed("stdout", prepared, prepared->standard_output))
        _exit(0);
}

/* Turn the child into the process that the launch spec describes; return only if Python takes over in the child. `shared`: until
 * the exec the memory is the zygote's (vfork), so nothing may be left in it, and it stays hidden from other processes. */
static void enter(
    const struct launch_spec *spec, int shared, const int *descriptors, int count, const struct prepared *prepared,
    struct returned *returned) {
    /* The kernel numbers received descriptors in ascending order, so dup2 never overwrites one that is still needed. */
    begin(STEP_DESCRIPTORS);
    for (int number = 0; number < count - 1; number++)
        if (dup2(descriptors[number + 1], number) < 0) fail();
    if (syscall(SYS_close_range, count - 1U, ~0U, 0U) != 0)
        for (int number = count - 1; number < 1024; number++) close(number);
    begin(STEP_SESSION);
    if (setsid() < 0) fail();
    const char *next = spec->strings;
    begin(STEP_DIRECTORY);
    if (chdir(next) != 0) fail();
    next += strlen(next) + 1;
    begin(STEP_VISIBILITY); /* the zygote is not dumpable, so the child could not write to /proc/self */
    if (!shared && prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) != 0) fail();
    begin(STEP_OOM_SCORE);
    be_first_for_the_oom_killer();
    begin(STEP_LIMITS);
    set_limits(spec);
    become(spec->uid, shared);
    if (spec->mode) {
        progress->step = STARTED;
        munmap((void *)progress, sizeof *progress);
        returned->mode = spec->mode;
        returned->arguments = spec->arguments;
        returned->strings = next;
        int script = spec->mode == FORK || spec->mode == FORK_PLAIN;
        if (script && is_prepared(prepared, spec)) returned->how_far = run_program(prepared, &returned->error);
        if (returned->how_far == RAN && !returned->error && spec->mode == FORK_PLAIN) finish_plainly(prepared);
        return;
    }

    char *pointers[spec->arguments + 258];
    char **environment = pointers + spec->arguments + 1;
    int64_t variables = 0;
    for (int64_t index = 0; index < spec->arguments; index++, next += strlen(next) + 1) pointers[index] = (char *)next;
    pointers[spec->arguments] = NULL;
    for (; *next && variables < 256; next += strlen(next) + 1) environment[variables++] = (char *)next;
    environment[variables] = NULL;
    execute(pointers, environment);
}

/* Start a child that will exec without copying the page tables: the copy takes a third of a small program's time and is discarded
 * immediately. */
static pid_t start_sharing(const struct launch_spec *spec, const int *descriptors, int count) {
    pid_t child = vfork();
    if (child == 0) {
        enter(spec, 1, descriptors, count, NULL, NULL);
        _exit(NOT_STARTED);
    }
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); /* the child's uid change has set it to the host's suid_dumpable */
    return child;
}

/* Huge pages for the interpreter's objects. A fork copies one page-table entry for each page of the zygote, and the end of the
 * child frees them. A huge page has one entry instead of 512. If a child writes to it, the child copies only 4 KiB. The first arenas
 * of the interpreter, which fill up, are therefore allocated side by side. A kernel that lacks MADV_COLLAPSE keeps small pages.
 * The library is preloaded (LD_PRELOAD), because the interpreter needs its first arena before it can load a library. */
enum { ARENA = 1 << 20, HUGE_PAGE = 2 << 20, HUGE_PAGES = 2, COLLAPSE = 25 /* MADV_COLLAPSE, since Linux 6.1 */ };
static char *first_arena, *next_arena;

static void *allocate_arena(void *context, size_t size) {
    (void)context;
    if (next_arena && size == ARENA && size <= (size_t)(first_arena + HUGE_PAGES * HUGE_PAGE - next_arena)) {
        next_arena += size;
        return next_arena - size;
    }
    void *arena = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return arena == MAP_FAILED ? NULL : arena;
}

static void free_arena(void *context, void *arena, size_t size) {
    (void)context;
    munmap(arena, size);
}

__attribute__((constructor)) static void reserve_huge_pages(void) {
    size_t size = (HUGE_PAGES + 1) * HUGE_PAGE; /* one more than needed, because the kernel does not align it */
    char *reserved = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (reserved == MAP_FAILED) return;
    first_arena = next_arena = (char *)(((uintptr_t)reserved + HUGE_PAGE - 1) & -(uintptr_t)HUGE_PAGE);
    struct arena_allocator allocator = {NULL, allocate_arena, free_arena};
    PyObject_SetArenaAllocator(&allocator);
}

static void use_huge_pages(void) {
    if (first_arena) madvise(first_arena, (next_arena - first_arena) & -(size_t)HUGE_PAGE, COLLAPSE);
    next_arena = NULL;
}

/* Let each child begin a new pool for each size of objects. Its first object of a size then changes one page. In a pool that is in
 * use, it changes two: that of the pool's header and that of the free block. The free blocks of such pools are given up. */
static void begin_new_pools(void) {
    enum { POOL = 1 << 14, POOL_HEADER = 48, SMALLEST = 16, LARGEST = 512, MOST_BLOCKS = 20000 };
    if (next_arena == first_arena) return; /* this interpreter has no such pools */
    for (size_t size = SMALLEST; size <= LARGEST; size += SMALLEST) {
        for (int left = MOST_BLOCKS; left; left--) {
            char *block = PyObject_Malloc(size);
            if (block && ((uintptr_t)block & (POOL - 1)) != POOL_HEADER) continue;
            PyObject_Free(block);
            break;
        }
    }
}

static double seconds(struct timeval time) { return time.tv_sec + time.tv_usec * 1e-6; }

/* Receive a launch spec, the three standard streams, possibly two ends of a channel for calls, and for a test its allowance pipe;
 * return the number of descriptors. */
static int receive(int connection, int *descriptors) {
    char word[16];
    char rights[CMSG_SPACE(MOST_DESCRIPTORS * sizeof(int))];
    struct iovec part = {word, sizeof word};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = rights, .msg_controllen = sizeof rights};
    ssize_t size;
    do size = recvmsg(connection, &message, MSG_CMSG_CLOEXEC);
    while (size < 0 && errno == EINTR);
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (size <= 0 || !header) return 0;
    int count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    if (count != DESCRIPTORS && (count < WITH_CHANNEL || count > MOST_DESCRIPTORS)) return 0;
    memcpy(descriptors, CMSG_DATA(header), count * sizeof(int));
    return count;
}

/* Serve until the supervisor is gone (return 0), or return 1 in a confined child in which Python takes over. */
int serve(
    int connection, const struct sock_filter *code, unsigned short length, const struct prepared *prepared,
    struct returned *returned, int fail_at) {
    failing_step = fail_at;
    begin_new_pools();
    use_huge_pages();
    for (int resource = 0; resource < RLIM_NLIMITS; resource++)
        if (getrlimit(resource, &inherited[resource]) != 0) return 0;
    progress = mmap(NULL, sizeof *progress, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (progress == MAP_FAILED) return 0;
    /* Installed here, because the kernel would compile the filter again for each child: 0.07 ms. */
    struct sock_fprog filter = {length, (struct sock_filter *)code};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return 0;
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter, 0, 0) != 0) return 0;
    /* A child that shares this memory cannot become dumpable to open this file. If the zygote cannot open it either, the child
     * needs a copy of the memory (fork). */
    int oom_score = open_oom_score();
    int may_share = oom_score >= 0;
    if (may_share) close(oom_score);
    int descriptors[MOST_DESCRIPTORS];
    int count;
    while ((count = receive(connection, descriptors))) {
        size_t size;
        const struct launch_spec *spec = read_launch_spec(descriptors[0], &size);
        if (!spec) return 0;
        progress->step = STEP_FORK;
        progress->error = 0;
        errno = ECANCELED;
        pid_t child = failing_step == STEP_FORK                ? -1
                      : spec->mode == EXEC && may_share ? start_sharing(spec, descriptors, count)
                                                       : fork();
        if (child < 0) progress->error = errno;
        if (child == 0) {
            enter(spec, 0, descriptors, count, prepared, returned);
            return 1;
        }
        munmap((void *)spec, size);
        for (int index = 0; index < count; index++) close(descriptors[index]);
        struct report report = {NOT_STARTED << 8, 0, 0, 0, 0};
        struct rusage used;
        int status;
        if (child > 0) {
            pid_t ended;
            do ended = wait4(child, &status, 0, &used);
            while (ended < 0 && errno == EINTR);
            if (ended == child) {
                report.wait_status = status;
                report.cpu_time_s = seconds(used.ru_utime) + seconds(used.ru_stime);
                report.memory_mb = used.ru_maxrss / 1024.0;
            }
        }
        report.step = progress->step;
        report.error = progress->error;
        if (send(connection, &report, sizeof report, MSG_NOSIGNAL) != sizeof report) return 0;
    }
    return 0;
}
