#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""All of forward.t, with TLS between the members."""

import os
import runpy

os.environ["RELAYD_PEER_TLS"] = "yes"
runpy.run_path(os.path.join(os.path.dirname(os.path.abspath(__file__)),
                            "forward.t"), run_name="__main__")
