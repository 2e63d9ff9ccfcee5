# SPDX-License-Identifier: ISC
#
# No library is made of common/: each program lists the objects it links, so
# that its list is complete (see the top of Makefile).
