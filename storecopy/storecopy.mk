# SPDX-License-Identifier: ISC

storecopy_OBJS = storecopy/storecopy.o storecopy/fail.o storecopy/tables.o storecopy/lite.o \
	storecopy/server.o authd/store/sqlite/schema.o authd/store/pg/schema.o \
	authd/store/pg/where.o $(rows_OBJS) \
	common/base/conninfo.o common/base/secretfile.o common/base/compat.o
storecopy_LIBS = $(SQLITE_LIBS) $(PQ_LIBS) $(SODIUM_LIBS) $(CJSON_LIBS)
