# attack: raise the box's limits or plant a release agent in its cgroup
# contained: cgroups are mounted read-only
# expect: ok
# stdout: contained

for name in memory/memory.limit_in_bytes memory/cgroup.procs memory/release_agent pids/pids.max cpu/cpu.cfs_quota_us devices/devices.allow memory.max pids.max cgroup.procs; do
    (echo 1 > "/sys/fs/cgroup/$name") 2>/dev/null && echo "ESCAPED: $name"
done
mkdir /sys/fs/cgroup/memory/x /sys/fs/cgroup/x 2>/dev/null && echo "ESCAPED: new cgroup"
echo contained
