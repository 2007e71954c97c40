# The time zone is UTC, also for local times.
import time
print(time.tzname, time.timezone, time.daylight, time.strftime("%Y-%m-%d %H:%M", time.localtime(0)), time.mktime((1970, 1, 2, 0, 0, 0, 0, 0, 0)))
