# SPDX-License-Identifier: ISC
"""Processes of this machine, by their numbers."""


def lives(pid):
    """Is there such a process, and no zombie?"""
    try:
        with open("/proc/%d/stat" % pid) as f:
            return f.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False
