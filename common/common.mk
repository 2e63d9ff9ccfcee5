# SPDX-License-Identifier: ISC
#
# No library is made of common/: each program lists the objects it links, so
# that its list is complete (see the top of Makefile). What every child links
# to start, to be shut in and to talk:
proc_OBJS = common/chan.o common/clock.o common/compat.o common/conf.o \
	common/imsg.o common/log.o common/msg.o common/proc.o \
	common/sandbox_linux.o common/sandbox_try.o
