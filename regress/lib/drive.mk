# SPDX-License-Identifier: ISC
# What every test of one real program links; its story comes with it.
drive_OBJS = regress/lib/drive.o $(imsg_PURE_OBJS) common/proc/conf.o \
	common/base/compat.o
