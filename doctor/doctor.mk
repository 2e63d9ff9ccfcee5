# SPDX-License-Identifier: ISC

doctor_OBJS =	doctor/doctor.o doctor/finding.o doctor/look.o doctor/limits.o doctor/kernel.o \
		doctor/store.o doctor/login.o doctor/redis.o doctor/file.o \
		authd/store/pg/where.o common/base/secretfile.o relayd/limits.o $(rows_OBJS) \
		$(cfg_OBJS) $(imsg_PURE_OBJS) common/base/log.o
doctor_LIBS =	$(CJSON_LIBS) $(PQ_LIBS)

doctor/limits.o doctor/doctor.o: relayd/parse.c
