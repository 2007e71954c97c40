#!/bin/sh
# Install Debian packages without those they recommend. Leave no downloaded files, and no program that changes its uid.
set -eu
apt-get update -q
DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends "$@"
apt-get clean
rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/cache/debconf/*-old /var/log/*
find / -xdev -type f -perm /6000 -exec chmod a-s {} +
