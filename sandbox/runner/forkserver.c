/* The zygote's loop in C: wait for a job, fork, confine the child; the parent never runs Python again.
 *
 * Why not in Python: every page a child touches is copied (3.3 us each, measured), and the interpreter touches 270 of them to
 * receive, fork and confine, in the child and again in the parent. Here it is a handful. The steps are those of confine.py, in the
 * same order and for the same reasons; zygote.py does the same in Python where this library is not built.
 *
 * The child reads its job, never the parent, so that no child can find an earlier job in the memory it inherits. Its layout
 * (little endian, no padding) is packed by job.py: seven 64-bit numbers, then NUL-terminated strings.
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

enum { DESCRIPTORS = 4, WITH_CHANNEL = 6, NOT_STARTED = 127, OPEN_FILES = 512, LOCKED_BYTES = 65536 };

struct job {
    int64_t uid;  /* -1: keep ours */
    int64_t mode; /* 0: exec the arguments; anything else: return to Python, which knows what it means */
    int64_t cpu_seconds, memory_bytes, processes, file_bytes;
    int64_t arguments; /* strings: the directory, then the arguments, then the environment */
    char strings[];
};

struct report {
    int32_t wait_status, unused;
    double cpu_time_s, memory_mb;
};

static void fail(const char *what) {
    dprintf(2, "sandbox: run not started: %s: %s\n", what, strerror(errno));
    _exit(NOT_STARTED);
}

static void limit(int resource, rlim_t soft, rlim_t hard) {
    struct rlimit value = {soft, hard};
    if (setrlimit(resource, &value) != 0) fail("setrlimit");
}

/* With 0 the kernel still starts the helper a host may name in core_pattern, 1 byte stops that, too: core(5). */
static void no_core(void) {
    struct rlimit now;
    if (getrlimit(RLIMIT_CORE, &now) != 0) fail("getrlimit");
    if (now.rlim_max > 0) limit(RLIMIT_CORE, 1, 1);
}

static void set_limits(const struct job *job) {
    limit(RLIMIT_CPU, job->cpu_seconds, job->cpu_seconds + 1);
    limit(RLIMIT_FSIZE, job->file_bytes, job->file_bytes);
    no_core();
    limit(RLIMIT_NOFILE, OPEN_FILES, OPEN_FILES);
    limit(RLIMIT_NPROC, job->processes, job->processes);
    limit(RLIMIT_MEMLOCK, LOCKED_BYTES, LOCKED_BYTES);
    limit(RLIMIT_MSGQUEUE, 0, 0);
    limit(RLIMIT_STACK, job->memory_bytes, job->memory_bytes);
}

static void be_first_for_the_oom_killer(void) {
    int file = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (file < 0 || write(file, "1000", 4) != 4) fail("oom_score_adj");
    close(file);
}

static void become(int64_t uid) {
    if (uid >= 0) {
        /* The raw calls: libc's would first make every thread agree, and there is one. */
        if (syscall(SYS_setgroups, 0, NULL) != 0) fail("setgroups");
        if (syscall(SYS_setresgid, (gid_t)uid, (gid_t)uid, (gid_t)uid) != 0) fail("setresgid");
        if (syscall(SYS_setresuid, (uid_t)uid, (uid_t)uid, (uid_t)uid) != 0) fail("setresuid");
        if (prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) != 0) fail("dumpable");
    }
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) fail("no_new_privs");
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0) fail("pdeathsig");
}

static const struct job *read_job(int descriptor) {
    struct stat status;
    if (fstat(descriptor, &status) != 0 || status.st_size < (off_t)sizeof(struct job)) fail("job");
    void *job = mmap(NULL, status.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, descriptor, 0);
    if (job == MAP_FAILED) fail("job");
    return job;
}

static void execute(char **arguments, char **environment) {
    signal(SIGPIPE, SIG_DFL);
    signal(SIGXFSZ, SIG_DFL);
    signal(SIGINT, SIG_DFL);
    execvpe(arguments[0], arguments, environment);
    dprintf(2, "sandbox: cannot run %s: %s\n", arguments[0], strerror(errno));
    _exit(NOT_STARTED);
}

/* Become what the job says; returns, in the child, only where that is the interpreter itself. */
static const char *enter(
    const int *descriptors, int count, const struct sock_fprog *filter, int64_t *mode, int64_t *arguments) {
    const struct job *job = read_job(descriptors[0]);
    /* The kernel numbers received descriptors upwards, so none still needed is below the one being made. */
    for (int number = 0; number < count - 1; number++)
        if (dup2(descriptors[number + 1], number) < 0) fail("dup2");
    if (syscall(SYS_close_range, count - 1U, ~0U, 0U) != 0)
        for (int number = count - 1; number < 1024; number++) close(number);
    setsid();
    const char *next = job->strings;
    if (chdir(next) != 0) fail("chdir");
    next += strlen(next) + 1;
    if (prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) != 0) fail("dumpable"); /* the zygote's is 0, and /proc/self so not ours to write */
    be_first_for_the_oom_killer();
    set_limits(job);
    become(job->uid);
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, filter, 0, 0) != 0) fail("seccomp");
    *mode = job->mode;
    *arguments = job->arguments;
    if (job->mode) return next;

    char *pointers[job->arguments + 258];
    char **environment = pointers + job->arguments + 1;
    int64_t variables = 0;
    for (int64_t index = 0; index < job->arguments; index++, next += strlen(next) + 1) pointers[index] = (char *)next;
    pointers[job->arguments] = NULL;
    for (; *next && variables < 256; next += strlen(next) + 1) environment[variables++] = (char *)next;
    environment[variables] = NULL;
    execute(pointers, environment);
    return NULL;
}

static double seconds(struct timeval time) { return time.tv_sec + time.tv_usec * 1e-6; }

/* A job, the three standard streams and perhaps the two ends of a channel for calls; returns how many came. */
static int receive(int connection, int *descriptors) {
    char word[16];
    char rights[CMSG_SPACE(WITH_CHANNEL * sizeof(int))];
    struct iovec part = {word, sizeof word};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = rights, .msg_controllen = sizeof rights};
    ssize_t size;
    do size = recvmsg(connection, &message, MSG_CMSG_CLOEXEC);
    while (size < 0 && errno == EINTR);
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (size <= 0 || !header) return 0;
    int count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    if (count != DESCRIPTORS && count != WITH_CHANNEL) return 0;
    memcpy(descriptors, CMSG_DATA(header), count * sizeof(int));
    return count;
}

/* Serve until the supervisor is gone (NULL), or return in a confined child that is to be Python: its arguments' strings. */
const char *serve(int connection, const struct sock_filter *code, unsigned short length, int64_t *mode, int64_t *arguments) {
    struct sock_fprog filter = {length, (struct sock_filter *)code};
    int descriptors[WITH_CHANNEL];
    int count;
    while ((count = receive(connection, descriptors))) {
        pid_t child = fork();
        if (child == 0) return enter(descriptors, count, &filter, mode, arguments);
        for (int index = 0; index < count; index++) close(descriptors[index]);
        struct report report = {NOT_STARTED << 8, 0, 0, 0};
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
        if (send(connection, &report, sizeof report, MSG_NOSIGNAL) != sizeof report) return NULL;
    }
    return NULL;
}
