# attack: change kernel settings: core_pattern, modprobe, panic, sysrq
# contained: /proc/sys is read-only and belongs to root
# expect: ok
# stdout: contained

for name in ("/proc/sys/kernel/core_pattern", "/proc/sys/kernel/modprobe", "/proc/sys/kernel/panic", "/proc/sysrq-trigger", "/proc/sys/kernel/hostname", "/proc/sys/vm/drop_caches", "/proc/sys/fs/binfmt_misc/register", "/sys/kernel/uevent_helper", "/proc/sys/kernel/ns_last_pid", "/sys/module/kernel/parameters/crash_kexec_post_notifiers"):
    try:
        open(name, "w").write("|/tmp/x")
        print("ESCAPED:", name)
    except OSError:
        pass
print("contained")
