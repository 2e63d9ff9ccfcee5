# SPDX-License-Identifier: ISC

authd_OBJS =
authd_LIBS = $(EVENT_LIBS) $(SODIUM_LIBS) $(SQLITE_LIBS) $(CRYPTO_LIBS) $(CJSON_LIBS)
